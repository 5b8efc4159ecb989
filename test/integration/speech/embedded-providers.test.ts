import assert from 'node:assert/strict';
import { phrasebookGrammar } from '../../../src/dialogue/brain.ts';
import {
  createEmbeddedSpeechToText,
  RecognizerEngine,
} from '../../../src/speech/providers/embedded-speech-to-text.ts';
import {
  createEmbeddedTextToSpeech,
  SynthesizerEngine,
} from '../../../src/speech/providers/embedded-text-to-speech.ts';
import { loadEmbeddedVoiceActivity } from '../../../src/speech/providers/embedded-voice-activity.ts';
import { tone } from '../../support/audio.ts';
import { bakery } from '../../support/conversation-on-hand-made-leg.ts';
import { itKeepsTheSpeechToTextContract } from '../../support/speech-to-text-contract.ts';
import {
  callerSays,
  type CallerVoice,
  hasTestCaller,
  lineSilence,
  voiceSpan,
} from '../../support/test-caller.ts';
import { itKeepsTheTextToSpeechContract } from '../../support/text-to-speech-contract.ts';

describe('the embedded synthesizer', function () {
  this.timeout(60_000);
  const engine = new SynthesizerEngine();
  const tts = createEmbeddedTextToSpeech(engine);
  before(() => tts.prewarm(new AbortController().signal));
  after(() => engine.close());

  itKeepsTheTextToSpeechContract(() => ({ tts }));

  it('says the same text the same way, run after run', async () => {
    const [first, second] = [await say('One, two, three.'), await say('One, two, three.')];
    assert.deepEqual(first, second);
    assert.ok(first.length > 16_000);
  });

  it('skips text in which there is nothing to say', async () => {
    assert.equal((await say('…!?')).length, 0);
  });

  it('has five voices', async () => {
    const lengths = new Set<number>();
    for (const voice of ['slt', 'rms', 'awb', 'kal', 'kal16']) {
      lengths.add((await say('Good morning.', voice)).length);
    }
    assert.equal(lengths.size, 5);
  });

  async function say(text: string, voice = 'slt'): Promise<number[]> {
    const samples: number[] = [];
    const options = { signal: new AbortController().signal, voice, language: 'en' };
    for await (const frame of tts.synthesize(once(text), options)) samples.push(...frame.samples);
    return samples;
  }
});

describe('the embedded recognizer', function () {
  this.timeout(60_000);
  const engine = new RecognizerEngine();
  const stt = createEmbeddedSpeechToText(
    engine,
    phrasebookGrammar(bakery.phrasebook ?? { entries: [], fallbacks: [] }),
  );
  before(async function () {
    if (!hasTestCaller) this.skip();
    await stt.prewarm(new AbortController().signal);
  });
  after(() => engine.close());

  const hear = async (text: string, voice: CallerVoice): Promise<string> => {
    const hearing = stt.open({
      sampleRateHz: 8000,
      language: 'en',
      signal: new AbortController().signal,
      onInterim: () => undefined,
    });
    const speech = callerSays(text, voice);
    for (let at = 0; at + 160 <= speech.length; at += 160) {
      hearing.write({ samples: speech.subarray(at, at + 160), sampleRateHz: 8000 }, at / 8);
    }
    const transcript = await hearing.finalize();
    hearing.close();
    return transcript.text;
  };

  itKeepsTheSpeechToTextContract(() => ({
    stt,
    speech: callerSays('what are your opening hours'),
  }));

  it('understands nine of ten sentences of the phrasebook on a telephone line', async () => {
    const sentences = [
      'what are your opening hours',
      'when are you open',
      'where are you located',
      'what is your address',
      'i want to order a cake',
      'can i order a cake please',
      'goodbye',
      'yes please',
    ];
    const missed: string[] = [];
    for (const voice of ['rms', 'slt'] as const) {
      for (const sentence of sentences) {
        const text = await hear(sentence, voice);
        if (text.replaceAll(' ', '') !== sentence.replaceAll(' ', ''))
          missed.push(`${sentence}: ${text}`);
      }
    }
    assert.ok(missed.length <= 1, missed.join('; '));
  });

  it('gives no words for what the phrasebook does not know', async () => {
    const forced: string[] = [];
    for (const sentence of [
      'the weather is lovely in paris today',
      'i lost my keys somewhere in the garden',
      'the football match was great',
      'potatoes and onions',
    ]) {
      const text = await hear(sentence, 'rms');
      if (text !== '') forced.push(`${sentence}: ${text}`);
    }
    assert.ok(forced.length <= 1, forced.join('; '));
  });

  it('hears more callers at once than it has decoders ready', async () => {
    const texts = await Promise.all(
      Array.from({ length: 30 }, () => hear('where are you located', 'slt')),
    );
    assert.deepEqual(new Set(texts), new Set(['where are you located']));
  });

  it('refuses a grammar that is none, and goes on with others', async () => {
    await assert.rejects(engine.prepare('bad', { jsgf: 'nonsense', words: ['yes'] }), {
      code: 'SPEECH_ENGINE_FAILED',
    });
    assert.equal(await hear('where are you located', 'slt'), 'where are you located');
  });
});

describe('the embedded voice detector', () => {
  before(function () {
    if (!hasTestCaller) this.skip();
  });

  it('finds the voice within 40 ms of its begin, and its end', async () => {
    const detector = (await loadEmbeddedVoiceActivity())(8000);
    const speech = callerSays('where are you located', 'slt');
    const { startMs, endMs } = voiceSpan(speech);
    const voiced: number[] = [];
    for (let at = 0; at + 160 <= speech.length; at += 160) {
      const samples = speech.subarray(at, at + 160);
      if (detector.process({ samples, sampleRateHz: 8000 }) > 0.6) voiced.push(at / 8);
    }
    detector.close();
    assert.ok(Math.abs((voiced[0] ?? 0) - startMs) <= 60, `${voiced[0]} against ${startMs}`);
    assert.ok(Math.abs((voiced.at(-1) ?? 0) - endMs) <= 120, `${voiced.at(-1)} against ${endMs}`);
  });

  it('takes neither noise nor silence for a voice', async () => {
    const make = await loadEmbeddedVoiceActivity();
    let seed = 1;
    const random = (): number => {
      seed = (seed * 48_271) % 2_147_483_647;
      return seed / 2_147_483_647 - 0.5;
    };
    for (const sound of [() => random() * 3000, () => random() * 20]) {
      const detector = make(8000);
      let voiced = 0;
      for (let frame = 0; frame < 150; frame += 1) {
        const samples = Int16Array.from({ length: 160 }, sound);
        if (detector.process({ samples, sampleRateHz: 8000 }) > 0.6) voiced += 1;
      }
      detector.close();
      assert.ok(voiced <= 3, `${voiced} of 150 frames`);
    }
  });

  for (const [what, ...hz] of [
    ['a busy tone', 425],
    ['a beep', 1000],
    ['a ringback tone', 440, 480],
    ['a key', 770, 1336],
  ] as const) {
    it(`takes ${what} for no voice, and finds the voice after it`, async () => {
      const detector = (await loadEmbeddedVoiceActivity())(8000);
      const voicedIn = (line: Int16Array): number => {
        let voiced = 0;
        for (let at = 0; at + 160 <= line.length; at += 160) {
          const samples = line.subarray(at, at + 160);
          if (detector.process({ samples, sampleRateHz: 8000 }) > 0.6) voiced += 1;
        }
        return voiced;
      };
      for (let beep = 0; beep < 4; beep += 1) {
        const parts = hz.map((each) => tone(each, 8000, 500, 4000));
        const sound = Int16Array.from({ length: 4000 }, (_, i) =>
          parts.reduce((sum, part) => sum + (part[i] ?? 0), 0),
        );
        const voiced = voicedIn(sound) + voicedIn(lineSilence(500));
        assert.ok(voiced <= 1, `${voiced} frames of beep ${beep}`);
      }
      const voice = voicedIn(callerSays('where are you located', 'slt'));
      detector.close();
      assert.ok(voice >= 25, `${voice} frames of a voice`);
    });
  }
});

async function* once(text: string): AsyncGenerator<string> {
  yield text;
}
