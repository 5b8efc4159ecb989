import assert from 'node:assert/strict';
import { Ear } from '../../../src/speech/ear.ts';
import type { HearingOptions, SpeechToText } from '../../../src/speech/provider.ts';

/** Writes down what it is asked to do: `w` a voiced frame, `s` a silent one, `p` pause, `f` finalize, `a` abandon. */
class NotingStt implements SpeechToText {
  readonly name = 'noting';
  readonly hasInterims: boolean;
  notes = '';
  tell: HearingOptions['onInterim'] = () => undefined;

  constructor(hasInterims: boolean) {
    this.hasInterims = hasInterims;
  }

  open({ onInterim }: HearingOptions) {
    this.tell = onInterim;
    return {
      write: ({ samples }: { samples: Int16Array }) => {
        this.notes += samples[0] === 0 ? 's' : 'w';
      },
      pause: () => {
        this.notes += 'p';
      },
      finalize: async () => {
        this.notes += 'f';
        return { text: '', isFinal: true, stability: 1, audioMs: 0 };
      },
      abandon: () => {
        this.notes += 'a';
      },
      close: () => undefined,
    };
  }

  async prewarm(): Promise<void> {}
}

describe('the ear', () => {
  const make = (hasInterims = true) => {
    const stt = new NotingStt(hasInterims);
    const words: string[] = [];
    const ear = new Ear({
      sampleRateHz: 8000,
      language: 'en',
      detector: {
        name: 'by sample',
        process: ({ samples }) => (samples[0] === 0 ? 0 : 1),
        close: () => undefined,
      },
      stt,
      signal: new AbortController().signal,
      onWords: (text) => words.push(text),
    });
    let time = 0;
    const hear = (frames: string): void => {
      for (const frame of frames) {
        time += 20;
        const samples = new Int16Array(160).fill(frame === 'w' ? 1 : 0);
        ear.hear({ samples, sampleRateHz: 8000 }, time, 0);
      }
    };
    const interim = (text: string): void =>
      stt.tell({ text, isFinal: false, stability: 0.5, audioMs: 0 });
    return { stt, ear, hear, words, interim };
  };

  it('writes what came in the 240 ms before the onset too, and nothing before that', () => {
    const { stt, hear } = make();
    hear(`${'s'.repeat(50)}ww`);
    assert.equal(stt.notes, `${'s'.repeat(11)}ww`);
  });

  it('writes nothing while nobody speaks', () => {
    const { stt, hear } = make();
    hear('s'.repeat(200));
    assert.equal(stt.notes, '');
  });

  it('asks for the words once per pause', () => {
    const { stt, ear, hear } = make();
    hear('www');
    ear.pause();
    ear.pause();
    hear('sww');
    ear.pause();
    assert.equal(stt.notes, 'wwwpswwp');
  });

  it('keeps back the silence after a pause from a provider that was asked for the words', () => {
    const { stt, ear, hear } = make(false);
    hear('www');
    ear.pause();
    hear('sss');
    assert.equal(stt.notes, 'wwwp');
    hear('ww');
    assert.equal(stt.notes, 'wwwpsssww');
  });

  it('forgets the words of an earlier pause when the caller goes on', () => {
    const { ear, hear, words, interim } = make(false);
    hear('www');
    ear.pause();
    interim('Yes.');
    hear('sssww');
    assert.deepEqual(words, ['Yes.', '']);
    assert.equal(ear.text, '');
  });

  it('tells no words of an utterance that is over', () => {
    const { ear, hear, words, interim } = make();
    hear('www');
    ear.endUtterance();
    interim('late');
    assert.deepEqual(words, []);
  });

  it('is deaf once it is closed', () => {
    const { stt, ear, hear } = make();
    ear.close();
    hear('wwwww');
    assert.equal(stt.notes, '');
  });
});
