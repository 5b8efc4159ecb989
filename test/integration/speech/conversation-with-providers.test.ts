import assert from 'node:assert/strict';
import { SpeechEngines } from '../../../src/speech/speech-engines.ts';
import { bakery, TestCall } from '../../support/conversation-on-hand-made-leg.ts';
import { OpenAiSpeechServer } from '../../support/openai-speech-server.ts';
import type { Message } from '../../../src/dialogue/brain.ts';
import { says, ScriptedBrain, type ScriptedReply, withTool } from '../../support/scripted-brain.ts';
import { callerSays, hasTestCaller, joined, lineSilence } from '../../support/test-caller.ts';

describe('a conversation with a model and outside speech providers', function () {
  this.timeout(60_000);
  let engines: SpeechEngines;
  let server: OpenAiSpeechServer;

  before(async function () {
    if (!hasTestCaller) this.skip();
    engines = await SpeechEngines.load();
    await engines.warmUp(new AbortController().signal);
  });
  beforeEach(async () => {
    server = await OpenAiSpeechServer.start();
  });
  afterEach(() => server.stop());
  after(() => engines?.close());

  const silent = { ...bakery, greetingText: '' };
  const outside = () => {
    const endpoint = {
      provider: 'openai',
      baseUrl: server.baseUrl,
      apiKey: server.apiKey,
    } as const;
    return {
      stt: { ...endpoint, model: 'whisper-1', timeoutMs: 1000 },
      tts: { ...endpoint, model: 'tts-1', voice: 'nova', timeoutMs: 1000 },
    };
  };
  /** Time is made by hand, but answers over the network take some of the real one. */
  const answered = async (call: TestCall, holds: () => boolean): Promise<void> => {
    for (let count = 0; count < 1500 && !holds(); count += 1) {
      await call.tick();
      await new Promise((resolve) => setTimeout(resolve, 1));
    }
    assert.ok(holds(), `not so: ${holds.toString()}`);
  };
  const ask = (call: TestCall) =>
    call.hears(joined(lineSilence(300), callerSays('when are you open')));
  const start = (agent: typeof bakery, script: (history: readonly Message[]) => ScriptedReply) => {
    const brain = new ScriptedBrain(script);
    const call = new TestCall({ engines, agent, brain, onTool: async () => ({ price: 12 }) });
    call.conversation.start();
    return { call, brain };
  };

  it('hears and speaks through servers that speak the format of OpenAI', async () => {
    server.text = 'When are you open?';
    const { call, brain } = start({ ...silent, ...outside(), voice: '' }, () =>
      says('From nine to five.'),
    );
    await ask(call);
    await answered(call, () => call.turns.length === 2);
    assert.deepEqual(call.said('user'), ['When are you open?']);
    assert.deepEqual(call.said('agent'), ['From nine to five.']);
    assert.equal(server.speeches[0]?.voice, 'nova');
    assert.ok(brain.histories.every((history) => history.at(-1)?.content === 'When are you open?'));
    const stamps = call.turns[1]?.stamps;
    for (const stage of [
      'speechEndedAtMs',
      'speculatedAtMs',
      'committedAtMs',
      'ttsFirstAudioAtMs',
      'playoutStartedAtMs',
    ] as const) {
      assert.notEqual(stamps?.[stage], null, stage);
    }
    call.conversation.close();
  });

  it('tries again when the voice fails once, and nobody notices', async () => {
    server.misbehaviors.push({ type: 'status', status: 503 });
    const { call } = start({ ...silent, tts: outside().tts, voice: '' }, () =>
      says('From nine to five.'),
    );
    await ask(call);
    await answered(call, () => call.turns.length === 2);
    assert.deepEqual(call.said('agent'), ['From nine to five.']);
    call.conversation.close();
  });

  it('apologizes in the embedded voice when its own fails', async () => {
    for (let i = 0; i < 8; i += 1) server.misbehaviors.push({ type: 'status', status: 503 });
    const { call } = start({ ...silent, tts: outside().tts, voice: '' }, () =>
      says('From nine to five.'),
    );
    await ask(call);
    await answered(call, () => call.turns.length === 2);
    assert.match(call.said('agent')[0] ?? '', /had a problem/);
    assert.ok(call.leg.heard().some((sample) => Math.abs(sample) > 1000));
    call.conversation.close();
  });

  it('tries again when the model fails once', async () => {
    const { call, brain } = start(silent, failsOnce());
    await ask(call);
    await call.until(() => call.turns.length === 2);
    assert.deepEqual(call.said('agent'), ['From nine to five.']);
    assert.ok(brain.histories.length >= 2);
    call.conversation.close();
  });

  it('ends after three lost turns, with a reason and a goodbye', async () => {
    const { call } = start(silent, () => 'refuses');
    for (let turn = 1; turn <= 3; turn += 1) {
      await ask(call);
      await call.until(() => call.said('agent').length === turn);
    }
    await call.until(() => call.ends.length > 0);
    assert.deepEqual(
      call.ends.map(({ reason, detail }) => [reason, detail]),
      [['provider-failed', 'LLM_UNAUTHORIZED']],
    );
    assert.match(call.said('agent').at(-1) ?? '', /Please call again later/);
    assert.equal(call.clock.waiting, 0);
  });

  it('runs a tool of the owner, gives its result to the model, and speaks on', async () => {
    const tool = { name: 'price', description: 'p', parameters: { type: 'object' } };
    const { call, brain } = start(
      { ...silent, tools: [tool] },
      withTool('One moment.', 'price', {}, 'It is twelve.'),
    );
    await ask(call);
    await call.until(() => call.turns.length === 2);
    assert.deepEqual(call.said('agent'), ['One moment. It is twelve.']);
    assert.match(brain.histories.at(-1)?.at(-1)?.content ?? '', /12/);
    call.conversation.close();
  });

  it('sends keys after what was said before them', async () => {
    const script = withTool('I press one.', 'send_dtmf', { digits: '1' }, 'Done.');
    const { call } = start(silent, script);
    await ask(call);
    await call.until(() => call.leg.digitsSent.length > 0);
    assert.deepEqual(call.leg.digitsSent, [{ digits: '1', queuedMs: 0 }]);
    assert.ok(call.leg.playedMs() > 300);
    await call.until(() => call.turns.length === 2);
    call.conversation.close();
  });

  it('ends after goodbye was heard when the model hangs up', async () => {
    const { call } = start(silent, withTool('Goodbye then.', 'end_call', {}, ''));
    await ask(call);
    await call.until(() => call.ends.length > 0);
    assert.deepEqual(
      call.ends.map(({ reason }) => reason),
      ['agent-hung-up'],
    );
    assert.deepEqual(call.said('agent'), ['Goodbye then.']);
  });

  it('says a sentence of the owner when the word is free', async () => {
    const { call } = start(silent, () => []);
    call.conversation.say('A colleague will join us.');
    await call.untilQuiet();
    assert.deepEqual(call.said('agent'), ['A colleague will join us.']);
    call.conversation.close();
  });
});

function failsOnce(): () => ScriptedReply {
  let count = 0;
  return () => {
    count += 1;
    return count === 1 ? 'fails' : says('From nine to five.');
  };
}
