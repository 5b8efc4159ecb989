import assert from 'node:assert/strict';
import { SpeechEngines } from '../../../src/speech/speech-engines.ts';
import { TestCall } from '../../support/conversation-on-hand-made-leg.ts';
import { callerSays, hasTestCaller, joined, lineSilence } from '../../support/test-caller.ts';

describe('a conversation with the embedded engines', function () {
  this.timeout(60_000);
  let engines: SpeechEngines;

  before(async function () {
    if (!hasTestCaller) return this.skip();
    engines = await SpeechEngines.load();
    await engines.warmUp(new AbortController().signal);
  });
  after(() => engines?.close());

  it('greets, hears a question, answers it, and hangs up at goodbye', async () => {
    const call = new TestCall({ engines, variables: { name: 'Ada' } });
    await call.conversation.prepare();
    call.conversation.start();
    await call.untilQuiet();
    await call.hears(joined(lineSilence(400), callerSays('what are your opening hours')));
    await call.untilQuiet();
    await call.hears(joined(lineSilence(400), callerSays('goodbye', 'slt')));
    await call.until(() => call.ends.length > 0);
    assert.deepEqual(
      call.turns.map(({ role, text }) => [role, text.replace('good bye', 'goodbye')]),
      [
        ['agent', 'Hello Ada, this is the corner bakery. How can I help?'],
        ['user', 'what are your opening hours'],
        ['agent', 'We are open from nine to five, Monday to Friday, and closed on weekends.'],
        ['user', 'goodbye'],
        ['agent', 'Goodbye, see you soon.'],
      ],
    );
    assert.deepEqual(
      call.ends.map(({ reason }) => reason),
      ['agent-hung-up'],
    );
  });

  it('answers soon after the caller has finished', async () => {
    const call = new TestCall({ engines });
    call.conversation.start();
    await call.untilQuiet();
    for (const text of ['where are you located', 'when are you open', 'what is your address']) {
      const before = call.turns.length;
      await call.hears(joined(lineSilence(400), callerSays(text)));
      await call.until(() => call.turns.length === before + 2);
      const { stamps } = call.turns.at(-1) ?? assert.fail();
      const waited = (stamps.playoutStartedAtMs ?? 0) - (stamps.speechEndedAtMs ?? 0);
      console.log(text, waited, stamps);
      assert.ok(waited > 0 && waited <= 260, `${text}: ${waited} ms`);
    }
  });

  it('is interrupted by a question, and remembers only what was heard', async () => {
    const call = new TestCall({ engines });
    call.conversation.start();
    await call.untilQuiet();
    await call.hears(joined(lineSilence(200), callerSays('what are your opening hours')));
    await call.until(() => call.activities.at(-1) === 'speaking');
    await call.silence(900);
    await call.hears(callerSays('where are you located', 'slt'));
    await call.until(() => call.turns.length >= 5);
    const [, , cut, second] = call.turns;
    assert.equal(cut?.isInterrupted, true);
    assert.ok('We are open from nine to five, Monday to Friday'.startsWith(cut.text), cut.text);
    assert.match(cut.generatedText ?? '', /closed on weekends/);
    assert.equal(second?.text, 'where are you located');
  });

  it('goes on at the same sample after a cough', async () => {
    const call = new TestCall({ engines });
    call.conversation.start();
    await call.until(() => call.leg.playedMs() >= 600);
    const before = call.leg.heard();
    await call.hears(callerSays('what', 'rms').subarray(0, 8 * 400));
    await call.untilQuiet();
    console.log(call.leg.holds, call.turns);
    assert.ok(before.length > 0);
  });
});
