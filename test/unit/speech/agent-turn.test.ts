import assert from 'node:assert/strict';
import type { Message } from '../../../src/dialogue/brain.ts';
import type { AudioFrame } from '../../../src/model/audio.ts';
import { AgentTurn } from '../../../src/speech/agent-turn.ts';
import { ClipCache } from '../../../src/speech/clip-cache.ts';
import type { TextToSpeech } from '../../../src/speech/provider.ts';
import { replyTo } from '../../../src/speech/replying.ts';
import { SpeechError } from '../../../src/speech/speech-error.ts';
import { openStamps } from '../../../src/speech/stamps.ts';
import { RetryBudget } from '../../../src/speech/voice.ts';
import { bakery } from '../../support/conversation-on-hand-made-leg.ts';
import { HandMadeClock } from '../../support/hand-made-clock.ts';
import { HandMadeLeg } from '../../support/hand-made-leg.ts';
import { says, ScriptedBrain, type ScriptedReply, withTool } from '../../support/scripted-brain.ts';

const tools = [{ name: 'price', description: 'p', parameters: { type: 'object' } }];

/** Each clause is 400 ms of audio; it fails as often as it is told to. */
class PlainTts implements TextToSpeech {
  readonly name = 'plain';
  readonly clauses: string[] = [];
  failures = 0;

  async *synthesize(text: AsyncIterable<string>): AsyncGenerator<AudioFrame> {
    for await (const clause of text) {
      if (this.failures > 0) {
        this.failures -= 1;
        throw new SpeechError('SPEECH_PROVIDER_OVERLOADED', 'busy', { retryable: true });
      }
      this.clauses.push(clause);
      yield { samples: new Int16Array(3200).fill(500), sampleRateHz: 8000 };
    }
  }

  async prewarm(): Promise<void> {}
}

describe('an agent turn', () => {
  const make = (script: (history: readonly Message[]) => ScriptedReply, isFixed = false) => {
    const [clock, leg, tts] = [new HandMadeClock(), new HandMadeLeg(), new PlainTts()];
    const ran: string[] = [];
    const turn = new AgentTurn({
      voice: { tts, fallbackTts: tts, clips: new ClipCache(), name: '', language: 'en' },
      sink: leg,
      clock,
      budget: new RetryBudget(),
      stamps: openStamps(),
      isFixed,
      onRound: () => undefined,
      onSpeaking: () => undefined,
      onClause: () => undefined,
    });
    const brain = new ScriptedBrain(script);
    const result = turn.run(() =>
      replyTo([{ role: 'user', content: 'hi' }], turn, {
        brain,
        agent: { ...bakery, tools },
        sink: leg,
        clock,
        onToolWait: () => undefined,
        onTool: async ({ name }) => {
          ran.push(name);
          return 'twelve';
        },
      }),
    );
    return { turn, result, leg, clock, tts, ran };
  };
  const settled = async (): Promise<void> => {
    for (let i = 0; i < 20; i += 1) await new Promise((resolve) => setImmediate(resolve));
  };

  it('makes its first clause on speculation, lets nothing be heard, and makes no second', async () => {
    const { turn, leg, tts, result } = make(() => says('Good morning. How are you?'));
    await settled();
    assert.deepEqual(tts.clauses, ['Good morning.']);
    assert.equal(leg.queuedMs(), 0);
    turn.abort();
    assert.deepEqual(await result, { type: 'aborted' });
    assert.equal(leg.queuedMs(), 0);
  });

  it('is heard from its release on', async () => {
    const { turn, leg, tts, result } = make(() => says('Good morning. How are you?'));
    await settled();
    turn.release();
    assert.equal(leg.queuedMs(), 400);
    await settled();
    assert.equal(tts.clauses.length, 2);
    for (let i = 0; i < 30; i += 1) leg.tick();
    assert.equal(turn.heardText(), 'Good morning. How are');
    for (let i = 0; i < 10; i += 1) leg.tick();
    assert.deepEqual(await result, { type: 'spoken', endsCall: false });
    assert.equal(turn.heardText(), 'Good morning. How are you?');
  });

  it('runs no tool on speculation', async () => {
    const { turn, ran, result } = make(withTool('One moment.', 'price', {}, 'Twelve.'));
    await settled();
    assert.deepEqual(ran, []);
    turn.abort();
    await result;
    await settled();
    assert.deepEqual(ran, []);
  });

  it('runs the tool once it is released', async () => {
    const { turn, ran } = make(withTool('One moment.', 'price', {}, 'Twelve.'));
    turn.release();
    await settled();
    assert.deepEqual(ran, ['price']);
    turn.abort();
  });

  it('gives up after two retries, each later than the one before', async () => {
    const { turn, clock, tts, result } = make(() => says('Good morning.'));
    tts.failures = 9;
    turn.release();
    await settled();
    assert.equal(tts.failures, 8);
    clock.advance(150);
    await settled();
    assert.equal(tts.failures, 7);
    clock.advance(150);
    await settled();
    assert.equal(tts.failures, 7);
    clock.advance(300);
    const { type } = await result;
    assert.equal(type, 'failed');
    assert.equal(tts.failures, 6);
  });

  it('makes no more than eight seconds ahead of what was heard', async () => {
    const long = Array.from({ length: 60 }, (_, i) => `Sentence ${i}.`).join(' ');
    const { turn, leg, clock, tts } = make(() => says(long));
    turn.release();
    for (let i = 0; i < 20; i += 1) await settled();
    assert.ok(leg.queuedMs() <= 8800, `${leg.queuedMs()}`);
    const before = tts.clauses.length;
    for (let i = 0; i < 100; i += 1) leg.tick();
    clock.advance(250);
    await settled();
    assert.ok(tts.clauses.length > before);
    turn.abort();
  });

  it('says a fixed phrase from the cache the second time', async () => {
    const clips = new ClipCache();
    assert.equal(clips.size, 0);
    const { turn, tts, leg, result } = make(() => says('Hello there. Hello there.'), true);
    turn.release();
    await settled();
    for (let i = 0; i < 60; i += 1) leg.tick();
    assert.equal((await result).type, 'spoken');
    assert.deepEqual(tts.clauses, ['Hello there.']);
    assert.equal(leg.playedMs(), 800);
  });
});
