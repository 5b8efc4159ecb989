import assert from 'node:assert/strict';
import type { CodecName } from '../../../src/model/media.ts';
import { CallPhone } from '../../support/call-phone.ts';
import { type CallView, Gateway, type TurnView } from '../../support/gateway.ts';
import { header } from '../../support/sip-phone.ts';
import { hasTestCaller, voiceSpan, callerSays } from '../../support/test-caller.ts';
import { Transcriber } from '../../support/transcriber.ts';

const GREETING =
  "Hi, you've reached Trunkline! Ask me what I can do, or ask for the time, a joke or a fun fact.";
const SHORT_GREETING = 'Hello there, how can I help?';
const JOKE = 'Why was the telephone always so calm? It was used to being put on hold. Another one?';
const HEADS = 'Clink. It is heads!';
const FREE =
  'Trunkline is free and open source. You only bring a carrier, and a language model if you like.';
const COUNT =
  'Please do, at any moment! I will count slowly: one, two, three, four, five, six, seven, eight, nine, ten.';
const DECOYS = [
  GREETING,
  SHORT_GREETING,
  JOKE,
  HEADS,
  'Clink. Tails this time!',
  FREE,
  COUNT,
  'Why did the phone wear glasses? It had lost all its contacts. Another?',
  'Trunkline is an open telephony gateway for voice agents.',
  'Ask me what I can do.',
];

describe('a call to the demo agent', function () {
  this.timeout(90_000);
  let gateway: Gateway;
  let transcriber: Transcriber;
  let phone: CallPhone;

  before(async function () {
    if (!hasTestCaller) this.skip();
    [gateway, transcriber] = await Promise.all([Gateway.start(), Transcriber.load()]);
  });
  after(async () => {
    await gateway?.stop();
    transcriber?.close();
  });
  afterEach(() => phone?.close());

  async function dial(codec: CodecName = 'pcmu'): Promise<string> {
    phone = await CallPhone.open(gateway.sipPort, { codec });
    await phone.call();
    return (await gateway.nextCall()).call_id;
  }

  /** Hangs up, and gives the stored call after looking at what holds for each. */
  async function hungUp(id: string): Promise<CallView> {
    assert.equal((await phone.hangUp()).status, 200);
    const call = await gateway.endOf(id);
    assert.equal(call.status, 'completed');
    assert.equal(call.end_reason, 'caller-hung-up');
    assert.equal(call.blame, 'none');
    assert.equal(gateway.endLines(id).length, 1);
    assert.equal(call.media?.packets_malformed, 0);
    assert.equal(call.media?.packets_from_strangers, 0);
    return call;
  }

  const heard = (audio: Int16Array, ...more: string[]) =>
    transcriber.whichOf([...new Set([...DECOYS, ...more])], audio);

  it('greets, and stores the very words that were heard', async () => {
    const id = await dial();
    const audio = await phone.listenUntilQuiet();
    const call = await hungUp(id);
    const [greeting, ...others] = call.transcript ?? [];
    assert.deepEqual(others, []);
    assert.equal(greeting?.role, 'agent');
    assert.equal(greeting.is_interrupted, false);
    assert.equal(greeting.text, GREETING);
    assert.equal(heard(audio), greeting.text);
    const { playout_started_at_ms: startedAtMs } = greeting.stamps;
    assert.ok(Number(startedAtMs) >= Date.parse(String(call.answered_at)), 'before the answer');
    assert.equal(call.media?.codec, 'pcmu');
    assert.ok(call.media.packets_sent > 250, `${call.media.packets_sent} packets`);
  });

  it('greets with other words as soon as they are changed', async () => {
    await gateway.changeAgent({ greeting_text: SHORT_GREETING });
    const id = await dial();
    const audio = await phone.listenUntilQuiet();
    const call = await hungUp(id);
    assert.equal(call.transcript?.[0]?.text, SHORT_GREETING);
    assert.equal(heard(audio), SHORT_GREETING);
  });

  for (const codec of ['pcmu', 'pcma', 'opus'] as const) {
    it(`hears a question and answers it in ${codec}`, async () => {
      const id = await dial(codec);
      await phone.listenUntilQuiet();
      await phone.say('flip a coin', 'slt');
      const audio = await phone.listenUntilQuiet();
      const call = await hungUp(id);
      const [, question, answer] = call.transcript ?? [];
      assert.equal(question?.role, 'user');
      assert.equal(question.via, 'speech');
      assert.equal(question.text, 'flip a coin');
      assert.equal(answer?.text, HEADS);
      assert.equal(heard(audio), answer.text);
      assert.equal(call.media?.codec, codec);
      assert.equal(call.media.packets_lost, 0);
    });
  }

  it('falls silent when the caller speaks, and stores only what was heard', async () => {
    const id = await dial();
    await phone.listenUntilQuiet();
    await phone.say('can I interrupt you', 'slt');
    await phone.untilSound();
    // Into the counting.
    const begun = phone.media.arrivals.length;
    await phone.media.waitFor(({ arrivals }) => arrivals.length > begun + 150, 10_000);

    const onsetAtMs = performance.now() + voiceSpan(callerSays('tell me a joke', 'slt')).startMs;
    await phone.say('tell me a joke', 'slt');
    await gateway.callWhen(id, 'answered', (_, turns) => turns.length >= 5);
    const call = await hungUp(id);

    const [, , cut, question, answer] = call.transcript ?? [];
    assert.equal(cut?.is_interrupted, true);
    assert.equal(cut.generated_text, COUNT);
    assert.ok(COUNT.startsWith(cut.text) && cut.text.length < COUNT.length, cut.text);
    assert.match(cut.text, /^Please do, at any moment!/);
    assert.equal(question?.text, 'tell me a joke');
    assert.equal(answer?.text.startsWith('Why was the telephone'), true);
    assert.ok(packetsUntilGap(onsetAtMs) <= 50, `${packetsUntilGap(onsetAtMs)} packets`);
  });

  /** Packets of the agent from the caller's first sound to the last before it fell silent. */
  function packetsUntilGap(onsetAtMs: number): number {
    const after = phone.media.arrivals.filter(({ atMs }) => atMs > onsetAtMs);
    const loud = after.map(({ rms }, index) => (rms > 200 ? index : -1)).filter((at) => at >= 0);
    // It may have been between two words at the onset.
    loud.unshift(0);
    const gaps = loud.map((at, index) => (loud[index + 1] ?? at) - at);
    const longest = Math.max(...gaps);
    // The caller's own sentence lasts about a second: nothing may be said into it.
    assert.ok(longest >= 25, `the agent was silent for ${longest} packets`);
    return loud[gaps.indexOf(longest)] ?? 0;
  }

  it('says all it had to say in spite of a mere "yeah"', async () => {
    const id = await dial();
    await phone.listenUntilQuiet();
    await phone.say('can I interrupt you', 'slt');
    await phone.untilSound();
    const begun = phone.media.arrivals.length;
    await phone.media.waitFor(({ arrivals }) => arrivals.length > begun + 100, 10_000);
    await phone.say('yeah', 'slt');
    // A sentence that was cut is begun again.
    const whole = (turns: readonly TurnView[]) => {
      const [first = '', ...further] = turns.slice(2).map(({ text }) => text);
      const rest = further.join(' ');
      const isAllSaid = first.length + rest.length >= COUNT.length - 1;
      return COUNT.startsWith(first) && COUNT.endsWith(rest) && isAllSaid;
    };
    await gateway.callWhen(id, 'said to its end', (_, turns) => whole(turns));
    const call = await hungUp(id);
    // In one piece, or what was not heard said again: nobody has answered the "yeah".
    const roles = call.transcript?.map(({ role }) => role);
    assert.deepEqual(roles?.slice(0, 2), ['agent', 'user']);
    assert.equal(roles?.slice(2).includes('user'), false);
  });

  it('takes keys of the phone in the middle of its own sentence', async () => {
    await gateway.changeAgent({ greeting_text: GREETING });
    const id = await dial();
    await phone.untilSound();
    for (const key of ['4', '2', '#']) await phone.press(key);
    const call = await gateway.callWhen(id, 'answered', (_, turns) => turns.length >= 3);
    checkKeys(call, '42#');
    await hungUp(id);
  });

  it('takes keys that come by SIP INFO, when no more of them come', async () => {
    const id = await dial();
    await phone.untilSound();
    for (const key of ['4', '2']) assert.equal((await phone.pressByInfo(key)).status, 200);
    const call = await gateway.callWhen(id, 'answered', (_, turns) => turns.length >= 3);
    checkKeys(call, '42');
    await hungUp(id);
  });

  function checkKeys(call: CallView, pressed: string): void {
    const [greeting, keys, answer] = call.transcript ?? [];
    assert.equal(greeting?.is_interrupted, true);
    assert.ok(greeting.text.length < GREETING.length, greeting.text);
    assert.equal(keys?.role, 'user');
    assert.equal(keys.via, 'digits');
    assert.equal(keys.text, pressed);
    assert.match(answer?.text ?? '', /^I heard .*2\./);
  }

  it('says goodbye and hangs up when it is asked to', async () => {
    await gateway.changeAgent({ greeting_text: SHORT_GREETING });
    const id = await dial();
    await phone.listenUntilQuiet();
    await phone.say('good bye', 'slt');
    await phone.sip.nextRequest('BYE');
    const call = await gateway.endOf(id);
    assert.equal(call.end_reason, 'agent-hung-up');
    assert.equal(call.blame, 'none');
    const goodbye = call.transcript?.at(-1)?.text ?? '';
    assert.equal(goodbye, 'Thanks for calling Trunkline. Goodbye!');
    assert.equal(heard(phone.heardPcm8k(), goodbye), goodbye);
  });

  it('is hung up by its owner through the API', async () => {
    const id = await dial();
    await phone.untilSound();
    const path = `/v1/calls/${id}`;
    assert.equal((await gateway.api(path, { method: 'DELETE' })).status, 204);
    const bye = await phone.sip.nextRequest('BYE');
    assert.match(header(bye, 'reason'), /cause=16/);
    const call = await gateway.endOf(id);
    assert.equal(call.end_reason, 'operator-hung-up');
    assert.equal(call.blame, 'none');
    // Again: it stays as it is.
    assert.equal((await gateway.api(path, { method: 'DELETE' })).status, 204);
    assert.equal((await gateway.call(id)).end_reason, 'operator-hung-up');
    assert.equal(gateway.endLines(id).length, 1);
  });

  it('leaves no word, number or key in the log', () => {
    const log = gateway.lines.filter((line) => line.startsWith('{'));
    assert.ok(log.length > 10, 'there is a log');
    for (const secret of [
      '600111222',
      gateway.adminKey,
      gateway.adminKey.slice('pk_live_'.length),
      SHORT_GREETING,
      'joke',
      'coin',
      'heads',
      'always so calm',
      'interrupt you',
      'four two',
      '"42',
    ]) {
      const told = log.filter((line) => line.toLowerCase().includes(secret.toLowerCase()));
      assert.deepEqual(told, [], `"${secret}" stands in the log`);
    }
  });
});
