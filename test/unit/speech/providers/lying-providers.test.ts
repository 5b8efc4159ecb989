import assert from 'node:assert/strict';
import type { AudioFrame } from '../../../../src/model/audio.ts';
import type { Hearing, SpeechToText, TextToSpeech } from '../../../../src/speech/provider.ts';
import { SPEECH_TO_TEXT_CHECKS } from '../../../support/speech-to-text-contract.ts';
import { TEXT_TO_SPEECH_CHECKS } from '../../../support/text-to-speech-contract.ts';

const frame = (length = 160): AudioFrame => ({
  samples: new Int16Array(length).fill(1000),
  sampleRateHz: 8000,
});

function liarThat(synthesize: TextToSpeech['synthesize']): TextToSpeech {
  return { name: 'liar', synthesize, prewarm: async () => undefined };
}

/** Each lie, and the promise whose check must notice it. */
const TTS_LIES: Readonly<Record<string, { promise: string; tts: TextToSpeech }>> = {
  'sends empty frames': {
    promise: 'gives audio of one rate, and none that is empty',
    tts: liarThat(async function* (text) {
      for await (const _ of text) yield frame(0);
    }),
  },
  'says the first piece only': {
    promise: 'says every piece',
    tts: liarThat(async function* (text) {
      for await (const _ of text) {
        yield frame();
        return;
      }
    }),
  },
  'speaks though there is nothing to say': {
    promise: 'ends when the text ends without a word',
    tts: liarThat(async function* () {
      yield frame();
    }),
  },
  'does not look at the signal': {
    promise: 'ends soon after the signal aborts, without throwing, while text is awaited',
    tts: liarThat(async function* (text) {
      for await (const _ of text) yield frame();
    }),
  },
  'throws when it is aborted': {
    promise: 'ends soon after the signal aborts, without throwing, while text is awaited',
    tts: liarThat(async function* (_text, { signal }) {
      yield frame();
      await new Promise((resolve) => signal.addEventListener('abort', resolve));
      throw new Error('aborted');
    }),
  },
};

describe('the contract of text to speech', () => {
  for (const [lie, { promise, tts }] of Object.entries(TTS_LIES)) {
    it(`finds out a provider that ${lie}`, async () => {
      const check = TEXT_TO_SPEECH_CHECKS[promise] ?? assert.fail(promise);
      await assert.rejects(check({ tts }));
    });
  }

  it('finds out a provider that throws something else than a SpeechError', async () => {
    const tts = liarThat(async function* () {
      yield frame();
      throw new Error('boom');
    });
    const check = TEXT_TO_SPEECH_CHECKS['throws one SpeechError when it fails'] ?? assert.fail();
    await assert.rejects(check({ tts, breakNext: () => undefined }));
  });
});

/** A hearing that keeps every promise, but for what is changed. */
function hearingThat(change: Partial<Hearing>): SpeechToText {
  return {
    name: 'liar',
    hasInterims: false,
    prewarm: async () => undefined,
    open: () => {
      let writtenMs = 0;
      let isClosed = false;
      const honest: Hearing = {
        write: () => {
          if (!isClosed) writtenMs += 20;
        },
        pause: () => undefined,
        finalize: async () => {
          const audioMs = writtenMs;
          writtenMs = 0;
          return { text: audioMs > 0 ? 'hello' : '', isFinal: true, stability: 1, audioMs };
        },
        abandon: () => {
          writtenMs = 0;
        },
        close: () => {
          isClosed = true;
          writtenMs = 0;
        },
      };
      return { ...honest, ...change };
    },
  };
}

describe('the contract of speech to text', () => {
  const speech = new Int16Array(1600).fill(900);
  const lies: Readonly<Record<string, { promise: string; stt: SpeechToText }>> = {
    'makes words up': {
      promise: 'gives empty text when nothing was written',
      stt: hearingThat({
        finalize: async () => ({ text: 'thank you', isFinal: true, stability: 1, audioMs: 9 }),
      }),
    },
    'does not forget': {
      promise: 'forgets an abandoned utterance',
      stt: hearingThat({ abandon: () => undefined }),
    },
    'hears on when closed': {
      promise: 'resolves what is pending when it is closed',
      stt: hearingThat({ close: () => undefined }),
    },
    'fails with any error': {
      promise: 'rejects with one SpeechError when it fails, and may be asked again',
      stt: hearingThat({ finalize: () => Promise.reject(new Error('boom')) }),
    },
  };
  for (const [lie, { promise, stt }] of Object.entries(lies)) {
    it(`finds out a provider that ${lie}`, async () => {
      const check = SPEECH_TO_TEXT_CHECKS[promise] ?? assert.fail(promise);
      await assert.rejects(check({ stt, speech, breakNext: () => undefined }));
    });
  }

  it('lets an honest provider pass these checks', async () => {
    for (const { promise } of Object.values(lies).slice(0, 3)) {
      await SPEECH_TO_TEXT_CHECKS[promise]?.({ stt: hearingThat({}), speech });
    }
  });
});
