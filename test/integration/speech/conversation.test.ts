import assert from 'node:assert/strict';
import { SpeechEngines } from '../../../src/speech/speech-engines.ts';
import { bakery, TestCall } from '../../support/conversation-on-hand-made-leg.ts';
import {
  callerSays,
  hasTestCaller,
  joined,
  lineSilence,
  voiceSpan,
} from '../../support/test-caller.ts';

describe('a conversation with the embedded engines', function () {
  this.timeout(60_000);
  let engines: SpeechEngines;

  before(async function () {
    if (!hasTestCaller) this.skip();
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

  it('is held by a click within 60 ms, and goes on at the same sample', async () => {
    const [quiet, disturbed] = [new TestCall({ engines }), new TestCall({ engines })];
    quiet.conversation.start();
    await quiet.untilQuiet();
    disturbed.conversation.start();
    await disturbed.until(() => disturbed.leg.playedMs() >= 600);
    const onsetTick = disturbed.leg.ticks;
    await disturbed.hears(shortVoice());
    await disturbed.untilQuiet();
    const [heldAt] = disturbed.leg.holds;
    assert.ok(heldAt !== undefined && (heldAt - onsetTick) * 20 <= 80, `held at ${heldAt}`);
    assert.deepEqual(disturbed.leg.heard(), quiet.leg.heard());
    assert.ok(disturbed.turns.every(({ isInterrupted }) => !isInterrupted));
  });

  it('is not interrupted by "yeah"', async () => {
    const call = new TestCall({ engines });
    call.conversation.start();
    await call.until(() => call.leg.playedMs() >= 600);
    await call.hears(callerSays('yeah', 'slt'));
    await call.untilQuiet();
    assert.equal(call.turns[0]?.isInterrupted, false);
  });

  it('does not take a stall of its own thread for a pause of the caller', async () => {
    const call = new TestCall({ engines });
    call.conversation.start();
    await call.untilQuiet();
    const speech = callerSays('what are your opening hours', 'slt');
    await call.hears(speech.subarray(0, 4800));
    call.leg.stall(800);
    await call.hears(speech.subarray(4800));
    await call.untilQuiet();
    assert.deepEqual(call.said('user'), ['what are your opening hours']);
  });

  it('takes "yes" for an answer when it comes in the last half second of the question', async () => {
    const call = new TestCall({ engines });
    call.conversation.start();
    await call.untilQuiet();
    await call.hears(callerSays('i want to order a cake', 'rms'));
    await call.until(() => call.activities.at(-1) === 'speaking');
    await call.until(() => call.leg.queuedMs() > 0 && call.leg.queuedMs() <= 400);
    await call.hears(callerSays('yes', 'rms'));
    await call.until(() => call.turns.length === 5);
    assert.deepEqual(call.said('user').at(-1), 'yes');
    assert.deepEqual(call.said('agent').at(-1), 'One chocolate cake it is.');
  });

  it('says again what was not heard when it was cut off by nothing', async () => {
    const call = new TestCall({ engines });
    call.conversation.start();
    await call.until(() => call.leg.playedMs() >= 600);
    // 340 ms of voice that the recognizer does not understand.
    await call.hears(callerSays('yeah', 'rms'));
    await call.until(() => call.turns.length === 2);
    assert.deepEqual(
      call.turns.map(({ role, isInterrupted }) => [role, isInterrupted]),
      [
        ['agent', true],
        ['agent', false],
      ],
    );
    assert.match(call.turns[1]?.text ?? '', /bakery. How can I help\?$/);
  });

  it('stops at once at "stop"', async () => {
    const call = new TestCall({ engines });
    call.conversation.start();
    await call.until(() => call.leg.playedMs() >= 600);
    await call.hears(callerSays('stop', 'slt'));
    assert.equal(call.turns[0]?.isInterrupted, true);
  });

  it('takes a key as a turn, in the middle of its own sentence', async () => {
    const call = new TestCall({ engines });
    call.conversation.start();
    await call.until(() => call.leg.playedMs() >= 600);
    call.leg.press('2');
    await call.until(() => call.turns.length === 3);
    assert.deepEqual(
      call.turns.map(({ role, via, text }) => [role, via, text]),
      [
        ['agent', null, call.turns[0]?.text],
        ['user', 'digits', '2'],
        ['agent', null, 'You find us at twelve Market Street.'],
      ],
    );
  });

  it('asks whether somebody is there, and ends when nobody is', async () => {
    const call = new TestCall({ engines });
    call.conversation.start();
    await call.until(() => call.ends.length > 0, 40_000);
    assert.deepEqual(call.said('agent').slice(1), ['Are you still there?']);
    assert.deepEqual(
      call.ends.map(({ reason }) => reason),
      ['caller-silent'],
    );
    assert.equal(call.clock.waiting, 0);
  });

  it('asks nobody who put it on hold, and asks again after', async () => {
    const call = new TestCall({ engines });
    call.conversation.start();
    await call.until(() => call.turns.length === 1);
    call.conversation.setOnHold(true);
    await call.silence(60_000);
    assert.equal(call.turns.length, 1);
    assert.deepEqual(call.ends, []);

    call.conversation.setOnHold(false);
    await call.until(() => call.ends.length > 0, 40_000);
    assert.deepEqual(call.said('agent').slice(1), ['Are you still there?']);
  });

  it('warns before its limit, says goodbye at it, and ends', async () => {
    const agent = { ...bakery, timeLimitSeconds: 24, idle: { afterMs: 60_000, prompts: [] } };
    const call = new TestCall({ engines, agent });
    const startMs = call.clock.nowMs();
    call.conversation.start();
    await call.until(() => call.ends.length > 0, 40_000);
    assert.match(call.said('agent')[1] ?? '', /about 12 seconds left/);
    assert.match(call.said('agent')[2] ?? '', /Our time is up/);
    const [end] = call.ends;
    assert.equal(end?.reason, 'time-limit');
    assert.ok(end.atMs - startMs <= 29_000);
  });

  it('is cut five seconds after its limit, though it still speaks', async () => {
    const agent = { ...bakery, timeLimitSeconds: 2 };
    const call = new TestCall({ engines, agent });
    call.conversation.start();
    await call.until(() => call.leg.playedMs() > 200);
    await call.silence(2000);
    call.leg.hold();
    await call.until(() => call.ends.length > 0, 6000);
    assert.deepEqual(
      call.ends.map(({ reason }) => reason),
      ['time-limit'],
    );
  });

  it('lets the last sentence be heard when it is told to finish', async () => {
    const call = new TestCall({ engines, variables: { name: 'Ada' } });
    call.conversation.start();
    await call.until(() => call.leg.playedMs() > 200);
    call.conversation.finish('operator-hung-up', 10_000);
    await call.until(() => call.ends.length > 0);
    assert.deepEqual(call.said('agent'), ['Hello Ada, this is the corner bakery. How can I help?']);
    assert.deepEqual(
      call.ends.map(({ reason }) => reason),
      ['operator-hung-up'],
    );
  });

  it('records what was heard when the leg is gone, and calls nobody', async () => {
    const call = new TestCall({ engines, variables: { name: 'Ada' } });
    call.conversation.start();
    await call.until(() => call.leg.playedMs() > 1000);
    call.conversation.close();
    await call.silence(1000);
    assert.equal(call.ends.length, 0);
    assert.equal(call.turns.length, 1);
    assert.ok('Hello Ada, this is the corner bakery.'.startsWith(call.turns[0]?.text ?? 'x'));
    assert.equal(call.clock.waiting, 0);
  });

  it('plays a greeting that was prepared in the very first tick', async () => {
    const call = new TestCall({ engines, variables: { name: 'Grace' } });
    await call.conversation.prepare();
    call.conversation.start();
    await engines.settled();
    call.leg.tick();
    assert.notEqual(call.leg.sent[0], null);
    call.conversation.close();
  });
});

/** A voice of 120 ms: too short to mean anything. */
function shortVoice(): Int16Array {
  const speech = callerSays('are you open', 'rms');
  const from = Math.round(voiceSpan(speech).startMs + 60) * 8;
  return speech.slice(from, from + 8 * 120);
}
