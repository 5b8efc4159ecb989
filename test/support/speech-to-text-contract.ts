import assert from 'node:assert/strict';
import type { Hearing, SpeechToText, Transcript } from '../../src/speech/provider.ts';
import { SpeechError } from '../../src/speech/speech-error.ts';

export interface SpeechToTextUnderTest {
  readonly stt: SpeechToText;
  /** 8 kHz speech that it understands as something. */
  readonly speech: Int16Array;
  /** The next transcription fails. Missing: it cannot be made to. */
  readonly breakNext?: () => void;
}

type Check = (subject: SpeechToTextUnderTest) => Promise<void>;

/** Every promise of `Hearing`, by its sentence. Each check throws when it is broken. */
export const SPEECH_TO_TEXT_CHECKS: Readonly<Record<string, Check>> = {
  'gives a final transcript with words': async ({ stt, speech }) => {
    const { hearing } = open(stt);
    write(hearing, speech);
    const transcript = await hearing.finalize();
    hearing.close();
    assert.equal(transcript.isFinal, true);
    assert.notEqual(transcript.text, '');
    assert.ok(transcript.audioMs > 0);
  },

  'gives empty text when nothing was written': async ({ stt }) => {
    const { hearing } = open(stt);
    assert.deepEqual((await hearing.finalize()).text, '');
    hearing.close();
  },

  'tells the words as an interim after a pause': async ({ stt, speech }) => {
    const { hearing, interims, nextInterim } = open(stt);
    write(hearing, speech);
    hearing.pause();
    await nextInterim((transcript) => transcript.text !== '');
    hearing.close();
    assert.ok(interims.every(({ isFinal }) => !isFinal));
  },

  'tells no interim after the final': async ({ stt, speech }) => {
    const { hearing, interims } = open(stt);
    write(hearing, speech);
    hearing.pause();
    await hearing.finalize();
    const count = interims.length;
    await new Promise((resolve) => setTimeout(resolve, 100));
    hearing.close();
    assert.equal(interims.length, count);
  },

  'forgets an abandoned utterance': async ({ stt, speech }) => {
    const { hearing, interims } = open(stt);
    write(hearing, speech);
    hearing.abandon();
    interims.length = 0;
    const { text } = await hearing.finalize();
    hearing.close();
    assert.equal(text, '');
    assert.deepEqual(interims, []);
  },

  'hears one utterance after the other, the last ones not yet transcribed': async (subject) => {
    const { hearing } = open(subject.stt);
    const finals: Promise<Transcript>[] = [];
    for (let count = 0; count < 3; count += 1) {
      write(hearing, subject.speech);
      finals.push(hearing.finalize());
    }
    const texts = (await Promise.all(finals)).map(({ text }) => text);
    hearing.close();
    assert.ok(
      texts.every((text) => text !== ''),
      texts.join('|'),
    );
  },

  'resolves what is pending when it is closed': async ({ stt, speech }) => {
    const { hearing } = open(stt);
    write(hearing, speech);
    const final = hearing.finalize();
    hearing.close();
    assert.equal((await final).isFinal, true);
    write(hearing, speech);
    assert.equal((await hearing.finalize()).text, '');
  },

  'rejects with one SpeechError when it fails, and may be asked again': async (subject) => {
    if (subject.breakNext === undefined) return;
    const { hearing } = open(subject.stt);
    subject.breakNext();
    write(hearing, subject.speech);
    await assert.rejects(hearing.finalize(), SpeechError);
    assert.equal((await hearing.finalize()).isFinal, true);
    hearing.close();
  },
};

/** Declares one test per promise. */
export function itKeepsTheSpeechToTextContract(make: () => SpeechToTextUnderTest): void {
  for (const [promise, check] of Object.entries(SPEECH_TO_TEXT_CHECKS)) {
    it(promise, () => check(make()));
  }
}

function open(stt: SpeechToText): {
  hearing: Hearing;
  interims: Transcript[];
  nextInterim: (fits: (transcript: Transcript) => boolean) => Promise<void>;
} {
  const interims: Transcript[] = [];
  let wake: () => void = () => undefined;
  const hearing = stt.open({
    sampleRateHz: 8000,
    language: 'en-US',
    signal: new AbortController().signal,
    onInterim: (transcript) => {
      interims.push(transcript);
      wake();
    },
  });
  const nextInterim = async (fits: (transcript: Transcript) => boolean): Promise<void> => {
    while (!interims.some(fits)) {
      const late = new Promise<'late'>((resolve) => setTimeout(resolve, 5000, 'late').unref());
      const told = new Promise<'told'>((resolve) => {
        wake = () => resolve('told');
      });
      assert.equal(await Promise.race([told, late]), 'told', 'no interim came');
    }
  };
  return { hearing, interims, nextInterim };
}

function write(hearing: Hearing, speech: Int16Array): void {
  for (let at = 0; at + 160 <= speech.length; at += 160) {
    hearing.write({ samples: speech.subarray(at, at + 160), sampleRateHz: 8000 }, at / 8);
  }
}
