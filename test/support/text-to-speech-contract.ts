import assert from 'node:assert/strict';
import type { AudioFrame } from '../../src/model/audio.ts';
import type { TextToSpeech } from '../../src/speech/provider.ts';
import { SpeechError } from '../../src/speech/speech-error.ts';

/** A provider under test, and ways to put it into the situations of its contract. */
export interface TextToSpeechUnderTest {
  readonly tts: TextToSpeech;
  /** The next synthesis fails. Missing: it cannot be made to. */
  readonly breakNext?: () => void;
  /** The next synthesis begins and then hangs. Missing: it cannot be made to. */
  readonly hangNext?: () => void;
  /** Connections open now. Missing: it has none. */
  readonly connectionCount?: () => number;
}

type Check = (subject: TextToSpeechUnderTest) => Promise<void>;

const ABORT_MS_MAX = 50;

/** Every promise of `TextToSpeech`, by its sentence. Each check throws when it is broken. */
export const TEXT_TO_SPEECH_CHECKS: Readonly<Record<string, Check>> = {
  'connects to nothing before it is iterated': async ({ tts, connectionCount }) => {
    const before = connectionCount?.() ?? 0;
    tts.synthesize(pieces('Hello.'), options());
    await new Promise((resolve) => setImmediate(resolve));
    assert.equal(connectionCount?.() ?? 0, before);
  },

  'gives audio of one rate, and none that is empty': async ({ tts }) => {
    const frames = await all(tts.synthesize(pieces('Good morning.', 'How are you?'), options()));
    assert.ok(frames.length > 0);
    assert.ok(frames.every(({ samples }) => samples.length > 0));
    assert.equal(new Set(frames.map(({ sampleRateHz }) => sampleRateHz)).size, 1);
  },

  'says every piece': async ({ tts }) => {
    const one = await all(tts.synthesize(pieces('Good morning.'), options()));
    const three = await all(
      tts.synthesize(pieces('Good morning.', 'Good morning.', 'Good morning.'), options()),
    );
    assert.ok(lengthOf(three) > 2.5 * lengthOf(one));
  },

  'ends when the text ends without a word': async ({ tts }) => {
    assert.deepEqual(await all(tts.synthesize(pieces(), options())), []);
  },

  'ends soon after the signal aborts, without throwing, while text is awaited': async ({ tts }) => {
    const abort = new AbortController();
    const endless = tts.synthesize(hanging('Hello.'), options(abort.signal));
    await endsSoon(endless, abort);
  },

  'ends soon after the signal aborts, without throwing, while it speaks': async (subject) => {
    if (subject.hangNext === undefined) return;
    subject.hangNext();
    const abort = new AbortController();
    await endsSoon(subject.tts.synthesize(pieces('Hello.'), options(abort.signal)), abort);
  },

  'gives nothing when the signal was aborted before': async ({ tts }) => {
    assert.deepEqual(await all(tts.synthesize(pieces('Hello.'), options(AbortSignal.abort()))), []);
  },

  'throws one SpeechError when it fails': async ({ tts, breakNext }) => {
    if (breakNext === undefined) return;
    breakNext();
    await assert.rejects(all(tts.synthesize(pieces('Hello.'), options())), SpeechError);
  },

  'can be left in the middle, and used again': async ({ tts }) => {
    for await (const frame of tts.synthesize(pieces('Good morning to you.'), options())) {
      assert.ok(frame.samples.length > 0);
      break;
    }
    assert.ok((await all(tts.synthesize(pieces('Hello.'), options()))).length > 0);
  },
};

/** Declares one test per promise. */
export function itKeepsTheTextToSpeechContract(make: () => TextToSpeechUnderTest): void {
  for (const [promise, check] of Object.entries(TEXT_TO_SPEECH_CHECKS)) {
    it(promise, () => check(make()));
  }
}

async function endsSoon(frames: AsyncIterable<AudioFrame>, abort: AbortController): Promise<void> {
  let abortedAt = Number.POSITIVE_INFINITY;
  const timer = setTimeout(() => {
    abortedAt = performance.now();
    abort.abort();
  }, 150);
  const deadline = new Promise<'late'>((resolve) => setTimeout(resolve, 3000, 'late').unref());
  const ended = await Promise.race([all(frames), deadline]);
  clearTimeout(timer);
  assert.notEqual(ended, 'late', 'it did not end at all');
  // Ten times the promise: what is checked is that it ends by the signal, not by a timeout.
  assert.ok(performance.now() - abortedAt < 10 * ABORT_MS_MAX, 'it ended late');
}

function options(signal: AbortSignal = new AbortController().signal) {
  return { signal, voice: '', language: 'en-US' };
}

async function* pieces(...texts: string[]): AsyncGenerator<string> {
  for (const text of texts) yield text;
}

async function* hanging(text: string): AsyncGenerator<string> {
  yield text;
  await new Promise(() => undefined);
}

async function all(frames: AsyncIterable<AudioFrame>): Promise<AudioFrame[]> {
  const found: AudioFrame[] = [];
  for await (const frame of frames) found.push(frame);
  return found;
}

function lengthOf(frames: readonly AudioFrame[]): number {
  return frames.reduce((sum, { samples }) => sum + samples.length, 0);
}
