import type { AudioFrame, AudioSink } from '../model/audio.ts';
import { splitClauses } from './clauses.ts';
import type { Clip, ClipCache } from './clip-cache.ts';
import { type Clock, pauseFor } from './clock.ts';
import { levelDbfs } from './level.ts';
import type { TextToSpeech } from './provider.ts';
import { SpeechError, toSpeechError } from './speech-error.ts';

/** One clause may last this long; a provider that sends more is broken. */
const CLAUSE_MS_MAX = 60_000;

/** How the agent of one call sounds. */
export interface Voice {
  readonly tts: TextToSpeech;
  /** Speaks fixed phrases when `tts` fails. */
  readonly fallbackTts: TextToSpeech;
  readonly clips: ClipCache;
  readonly name: string;
  readonly language: string;
}

/** Encodes without playing: a leg's sink, or a codec by itself. */
export type ClipEncoder = Pick<AudioSink, 'format' | 'encode'>;

/** Failures that one turn may survive. */
export class RetryBudget {
  #left: number;
  #delayMs: number;

  constructor(retriesMax = 2, firstDelayMs = 150) {
    this.#left = retriesMax;
    this.#delayMs = firstDelayMs;
  }

  /** Waits and gives true when the turn may try again; false when it must give up. */
  async mayRetry(
    error: { retryable: boolean },
    clock: Clock,
    signal: AbortSignal,
  ): Promise<boolean> {
    if (!error.retryable || this.#left === 0 || signal.aborted) return false;
    this.#left -= 1;
    await pauseFor(clock, this.#delayMs, signal);
    this.#delayMs *= 3;
    return !signal.aborted;
  }
}

/** One clause as it comes from the provider. A failure before its first audio is tried again. */
export async function* speakClause(
  voice: Voice,
  clause: string,
  budget: RetryBudget,
  clock: Clock,
  signal: AbortSignal,
): AsyncGenerator<AudioFrame> {
  for (;;) {
    let spokenMs = 0;
    try {
      const options = { signal, voice: voice.name, language: voice.language };
      for await (const frame of voice.tts.synthesize(once(clause), options)) {
        if (signal.aborted) return;
        spokenMs += (frame.samples.length * 1000) / frame.sampleRateHz;
        if (spokenMs > CLAUSE_MS_MAX) {
          throw new SpeechError('SPEECH_PROVIDER_MALFORMED', 'a clause lasts over a minute');
        }
        yield frame;
      }
      return;
    } catch (err) {
      const error = toSpeechError(err, 'SPEECH_ENGINE_FAILED', 'speaking failed');
      if (spokenMs > 0 || !(await budget.mayRetry(error, clock, signal))) throw error;
    }
  }
}

/**
 * One clause of a greeting or fixed phrase: from the cache, or spoken, encoded and kept. When
 * the agent's voice fails, the fallback voice says it.
 */
export async function fixedClip(
  voice: Voice,
  clause: string,
  sink: ClipEncoder,
  signal: AbortSignal,
): Promise<Clip | null> {
  const key = clipKey(voice, clause, sink);
  const known = voice.clips.get(key);
  if (known !== null) return known;
  try {
    const whole = await renderWhole(voice, clause, signal);
    if (whole === null) return null;
    const clip = { encoded: sink.encode(whole), levels: levelsOf(whole) };
    voice.clips.set(key, clip);
    return clip;
  } catch (err) {
    if (voice.fallbackTts === voice.tts) throw err;
    // Not kept under this key: the agent's own voice may be back for the next call.
    const own = { ...voice, tts: voice.fallbackTts, name: '' };
    return fixedClip(own, clause, sink, signal);
  }
}

/** Renders the clause once, and keeps it in every one of the formats in which it is missing. */
export async function warmClips(
  voice: Voice,
  clause: string,
  encoders: readonly ClipEncoder[],
  signal: AbortSignal,
): Promise<void> {
  const missing = encoders.filter(
    (encoder) => voice.clips.get(clipKey(voice, clause, encoder)) === null,
  );
  if (missing.length === 0) return;
  try {
    const whole = await renderWhole(voice, clause, signal);
    if (whole === null) return;
    const levels = levelsOf(whole);
    for (const encoder of missing) {
      voice.clips.set(clipKey(voice, clause, encoder), { encoded: encoder.encode(whole), levels });
      // A whole clause takes some milliseconds, and the ticks of live calls must not wait.
      await new Promise((resolve) => setImmediate(resolve));
    }
  } catch (err) {
    if (voice.fallbackTts === voice.tts) throw err;
    return warmClips({ ...voice, tts: voice.fallbackTts, name: '' }, clause, encoders, signal);
  }
}

function clipKey({ tts, name, language }: Voice, clause: string, { format }: ClipEncoder): string {
  return JSON.stringify([tts.name, name, language, format, clause]);
}

async function renderWhole(
  { tts, name, language }: Voice,
  clause: string,
  signal: AbortSignal,
): Promise<AudioFrame | null> {
  const frames: AudioFrame[] = [];
  let totalMs = 0;
  for await (const frame of tts.synthesize(once(clause), { signal, voice: name, language })) {
    totalMs += (frame.samples.length * 1000) / frame.sampleRateHz;
    if (totalMs > CLAUSE_MS_MAX) {
      throw new SpeechError('SPEECH_PROVIDER_MALFORMED', 'a clause lasts over a minute');
    }
    frames.push({ samples: frame.samples.slice(), sampleRateHz: frame.sampleRateHz });
  }
  if (signal.aborted || frames.length === 0) return null;
  return joined(frames);
}

function joined(frames: readonly AudioFrame[]): AudioFrame {
  const samples = new Int16Array(frames.reduce((sum, frame) => sum + frame.samples.length, 0));
  let at = 0;
  for (const frame of frames) {
    samples.set(frame.samples, at);
    at += frame.samples.length;
  }
  return { samples, sampleRateHz: frames[0]?.sampleRateHz ?? 8000 };
}

/** Loudness per 20 ms. */
export function levelsOf({ samples, sampleRateHz }: AudioFrame): Float32Array {
  const perFrame = sampleRateHz / 50;
  const levels = new Float32Array(Math.ceil(samples.length / perFrame));
  for (let i = 0; i < levels.length; i += 1) {
    levels[i] = levelDbfs(samples.subarray(i * perFrame, (i + 1) * perFrame));
  }
  return levels;
}

async function* once(text: string): AsyncGenerator<string> {
  yield text;
}

/** Makes the audio of a text that will be said later. */
export async function renderAhead(
  voice: Voice,
  text: string,
  sink: AudioSink,
  signal: AbortSignal,
): Promise<void> {
  if (text === '') return;
  for (const clause of splitClauses(text)) await fixedClip(voice, clause, sink, signal);
}
