import { randomUUID } from 'node:crypto';
import type { Dispatcher } from 'undici';
import type { AudioFrame } from '../../model/audio.ts';
import type { SttSettings } from '../../model/provider.ts';
import type { Hearing, HearingOptions, SpeechToText, Transcript } from '../provider.ts';
import { SpeechError, toSpeechError } from '../speech-error.ts';
import { connectAhead, type OpenAiEndpoint, post, readBounded } from './openai-http.ts';
import { wavFile } from './wav.ts';

const ANSWER_BYTES_MAX = 64 * 1024;
/** Audio of one utterance; what comes after is not sent. */
const UTTERANCE_SECONDS_MAX = 60;
/** Servers refuse, or invent words for, less than a tenth of a second. */
const AUDIO_MS_MIN = 120;

type OpenAiSttSettings = Extract<SttSettings, { provider: 'openai' }>;

/**
 * Any server with OpenAI's `POST /audio/transcriptions`. The utterance is cut by our own voice
 * detector; at a pause it is sent on speculation, so that the words are often there already
 * when the turn is over.
 */
export function createOpenAiSpeechToText(
  settings: OpenAiSttSettings,
  dispatcher: Dispatcher,
): SpeechToText {
  const endpoint: OpenAiEndpoint = { ...settings, dispatcher };
  return {
    name: 'openai',
    hasInterims: false,
    open: (options) => new OpenAiHearing(endpoint, settings.model, options),
    prewarm: (signal) => connectAhead(endpoint, signal),
  };
}

/** A request under way, and how much of the utterance it covers. */
interface Attempt {
  readonly audioMs: number;
  readonly abort: AbortController;
  readonly transcript: Promise<Transcript>;
}

interface Utterance {
  readonly pieces: Int16Array[];
  length: number;
  attempt: Attempt | null;
}

class OpenAiHearing implements Hearing {
  readonly #endpoint: OpenAiEndpoint;
  readonly #model: string;
  readonly #options: HearingOptions;
  readonly #pending = new Set<AbortController>();
  /** The last utterance; kept after `finalize`, for another try, until the next `write`. */
  #utterance: Utterance | null = null;
  #isOver = false;
  #isClosed = false;

  constructor(endpoint: OpenAiEndpoint, model: string, options: HearingOptions) {
    this.#endpoint = endpoint;
    this.#model = model;
    this.#options = options;
    options.signal.addEventListener('abort', () => this.close(), { once: true });
  }

  write(frame: AudioFrame): void {
    if (this.#isClosed) return;
    if (this.#utterance === null || this.#isOver) {
      this.#utterance = { pieces: [], length: 0, attempt: null };
      this.#isOver = false;
    }
    const utterance = this.#utterance;
    if (utterance.length >= UTTERANCE_SECONDS_MAX * this.#options.sampleRateHz) return;
    utterance.attempt?.abort.abort();
    utterance.attempt = null;
    utterance.pieces.push(frame.samples.slice());
    utterance.length += frame.samples.length;
  }

  pause(): void {
    const utterance = this.#utterance;
    if (utterance === null || this.#isOver || utterance.attempt !== null) return;
    const attempt = this.#attempt(utterance);
    utterance.attempt = attempt;
    attempt.transcript.then(
      (transcript) => {
        if (utterance !== this.#utterance || utterance.attempt !== attempt || this.#isOver) return;
        this.#options.onInterim({ ...transcript, isFinal: false, stability: 0.9 });
      },
      // `finalize` will try again, and tell.
      () => {
        if (utterance.attempt === attempt) utterance.attempt = null;
      },
    );
  }

  finalize(): Promise<Transcript> {
    const utterance = this.#utterance;
    this.#isOver = true;
    if (utterance === null || this.#isClosed) return Promise.resolve(nothing(0));
    const attempt = utterance.attempt ?? this.#attempt(utterance);
    utterance.attempt = null;
    return attempt.transcript;
  }

  abandon(): void {
    this.#utterance?.attempt?.abort.abort();
    this.#utterance = null;
  }

  close(): void {
    this.#isClosed = true;
    this.#utterance = null;
    for (const abort of this.#pending) abort.abort();
  }

  #attempt(utterance: Utterance): Attempt {
    const audioMs = (utterance.length * 1000) / this.#options.sampleRateHz;
    const abort = new AbortController();
    if (audioMs < AUDIO_MS_MIN) {
      return { audioMs, abort, transcript: Promise.resolve(nothing(audioMs)) };
    }
    const samples = new Int16Array(utterance.length);
    let at = 0;
    for (const piece of utterance.pieces) {
      samples.set(piece, at);
      at += piece.length;
    }
    this.#pending.add(abort);
    const transcript = this.#transcribe(samples, audioMs, abort.signal).finally(() =>
      this.#pending.delete(abort),
    );
    return { audioMs, abort, transcript };
  }

  async #transcribe(
    samples: Int16Array,
    audioMs: number,
    signal: AbortSignal,
  ): Promise<Transcript> {
    try {
      const { language, sampleRateHz } = this.#options;
      const form = multipart(this.#model, language, wavFile(samples, sampleRateHz));
      const body = await post(this.#endpoint, { path: '/audio/transcriptions', ...form, signal });
      const text = textOf(await readBounded(body, ANSWER_BYTES_MAX));
      return { text, isFinal: true, stability: 1, audioMs };
    } catch (err) {
      if (signal.aborted) return nothing(audioMs);
      throw toSpeechError(err, 'SPEECH_PROVIDER_UNREACHABLE', 'transcription failed');
    }
  }
}

function nothing(audioMs: number): Transcript {
  return { text: '', isFinal: true, stability: 1, audioMs };
}

function textOf(answer: Buffer): string {
  let parsed: unknown;
  try {
    parsed = JSON.parse(answer.toString());
  } catch (cause) {
    throw malformed(cause);
  }
  if (typeof parsed !== 'object' || parsed === null || !('text' in parsed)) throw malformed(null);
  if (typeof parsed.text !== 'string') throw malformed(null);
  return parsed.text.trim();
}

function malformed(cause: unknown): SpeechError {
  return new SpeechError('SPEECH_PROVIDER_MALFORMED', 'the answer is not a transcription', {
    cause,
    retryable: true,
  });
}

/** RFC 7578 form with the fields of the API. */
function multipart(
  model: string,
  language: string,
  wav: Buffer,
): { contentType: string; body: Buffer } {
  const boundary = `trunkline-${randomUUID()}`;
  const fields: [string, string][] = [
    ['model', model],
    ['response_format', 'json'],
  ];
  // ISO 639-1 is what the API knows, not a region.
  const [primary] = language.split('-');
  if (primary !== undefined && /^[a-z]{2}$/i.test(primary)) fields.push(['language', primary]);
  const head = fields
    .map(
      ([name, value]) =>
        `--${boundary}\r\ncontent-disposition: form-data; name="${name}"\r\n\r\n${value}\r\n`,
    )
    .join('');
  const file =
    `--${boundary}\r\ncontent-disposition: form-data; name="file"; filename="speech.wav"\r\n` +
    'content-type: audio/wav\r\n\r\n';
  return {
    contentType: `multipart/form-data; boundary=${boundary}`,
    body: Buffer.concat([Buffer.from(head + file), wav, Buffer.from(`\r\n--${boundary}--\r\n`)]),
  };
}
