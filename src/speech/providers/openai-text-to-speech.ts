import type { Dispatcher } from 'undici';
import type { AudioFrame } from '../../model/audio.ts';
import type { TtsSettings } from '../../model/provider.ts';
import type { SynthesisOptions, TextToSpeech } from '../provider.ts';
import { SpeechError } from '../speech-error.ts';
import { endingWith } from './ending-with.ts';
import { connectAhead, networkError, type OpenAiEndpoint, post } from './openai-http.ts';

/** What `response_format: pcm` is: 24 kHz, 16 bits, mono, little-endian. */
const SAMPLE_RATE_HZ = 24_000;
/** Two minutes of one clause: more is a broken server. */
const CLAUSE_BYTES_MAX = 120 * SAMPLE_RATE_HZ * 2;
const TEXT_CHARS_MAX = 4096;

type OpenAiTtsSettings = Extract<TtsSettings, { provider: 'openai' }>;

/** Any server with OpenAI's `POST /audio/speech`; audio is given on as it streams in. */
export function createOpenAiTextToSpeech(
  settings: OpenAiTtsSettings,
  dispatcher: Dispatcher,
): TextToSpeech {
  const endpoint: OpenAiEndpoint = { ...settings, dispatcher };
  return {
    name: 'openai',
    async *synthesize(text: AsyncIterable<string>, { signal, voice }: SynthesisOptions) {
      for await (const clause of endingWith(text, signal)) {
        if (clause.trim() === '') continue;
        yield* endingWith(speak(endpoint, settings, clause, voice, signal), signal);
        if (signal.aborted) return;
      }
    },
    prewarm: (signal) => connectAhead(endpoint, signal),
  };
}

async function* speak(
  endpoint: OpenAiEndpoint,
  { model, voice: ownVoice }: OpenAiTtsSettings,
  clause: string,
  voice: string,
  signal: AbortSignal,
): AsyncGenerator<AudioFrame> {
  try {
    const body = await post(endpoint, {
      path: '/audio/speech',
      contentType: 'application/json',
      body: JSON.stringify({
        model,
        voice: voice === '' ? ownVoice : voice,
        input: clause.slice(0, TEXT_CHARS_MAX),
        response_format: 'pcm',
      }),
      signal,
    });
    yield* toFrames(body);
  } catch (err) {
    if (!signal.aborted) throw networkError(err);
  }
}

/** Pieces come cut anywhere, also in the middle of a sample. */
async function* toFrames(body: AsyncIterable<Buffer>): AsyncGenerator<AudioFrame> {
  let half: number | null = null;
  let length = 0;
  for await (const piece of body) {
    length += piece.length;
    if (length > CLAUSE_BYTES_MAX) {
      throw new SpeechError('SPEECH_PROVIDER_MALFORMED', 'a clause lasts over two minutes');
    }
    const bytes: Buffer = half === null ? piece : Buffer.concat([Buffer.of(half), piece]);
    half = bytes.length % 2 === 1 ? (bytes.at(-1) ?? null) : null;
    const samples = new Int16Array(bytes.length >> 1);
    for (let i = 0; i < samples.length; i += 1) samples[i] = bytes.readInt16LE(2 * i);
    if (samples.length > 0) yield { samples, sampleRateHz: SAMPLE_RATE_HZ };
  }
  if (length === 0) {
    throw new SpeechError('SPEECH_PROVIDER_MALFORMED', 'the answer holds no audio', {
      retryable: true,
    });
  }
}
