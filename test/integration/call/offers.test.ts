import assert from 'node:assert/strict';
import { CallPhone, type CallPhoneOptions } from '../../support/call-phone.ts';
import { type CallView, Gateway } from '../../support/gateway.ts';
import { hasTestCaller } from '../../support/test-caller.ts';
import { Transcriber } from '../../support/transcriber.ts';

const GREETING = 'Hello there, how can I help?';
const HEADS = 'Clink. It is heads!';
const TAILS = 'Clink. Tails this time!';
const DECOYS = [
  GREETING,
  HEADS,
  TAILS,
  'Thanks for calling Trunkline. Goodbye!',
  'Are you still there?',
  'What would you like to try next?',
];
/** Shorter than any hold below: a hold that were not respected would end the call. */
const RTP_TIMEOUT_SECONDS = 1;

describe('the media of a call', function () {
  this.timeout(60_000);
  let gateway: Gateway;
  let transcriber: Transcriber;
  let phone: CallPhone;

  before(async function () {
    if (!hasTestCaller) this.skip();
    const env = { TRUNKLINE_MEDIA_RTP_TIMEOUT_SECONDS: String(RTP_TIMEOUT_SECONDS) };
    [gateway, transcriber] = await Promise.all([Gateway.start({ env }), Transcriber.load()]);
    await gateway.changeAgent({ greeting_text: GREETING });
  });
  after(async () => {
    await gateway?.stop();
    transcriber?.close();
  });
  afterEach(() => phone?.close());

  async function dial(options: CallPhoneOptions = {}, isLateOffer = false): Promise<string> {
    phone = await CallPhone.open(gateway.sipPort, options);
    await phone.call({ isLateOffer });
    return (await gateway.nextCall()).call_id;
  }

  /** What the audio says, of what the agent may have said. */
  const whichOf = (audio: Int16Array) => transcriber.whichOf(DECOYS, audio);

  /** On a busy machine the greeting may pause: it is over when it is stored. */
  async function greeted(id: string): Promise<void> {
    await gateway.callWhen(id, 'greeted', (_, turns) => turns.length > 0);
    await phone.listenUntilQuiet();
  }

  /** Asks for a coin and checks that what is heard stands in the transcript. */
  async function converse(id: string, expected: string): Promise<void> {
    await phone.say('flip a coin', 'slt');
    const heard = whichOf(await phone.listenUntilQuiet());
    const [question, answer] = (await gateway.call(id)).transcript?.slice(-2) ?? [];
    assert.deepEqual([question?.role, question?.text], ['user', 'flip a coin']);
    assert.equal(answer?.text, expected);
    assert.equal(heard, expected);
  }

  async function hungUp(id: string): Promise<CallView> {
    assert.equal((await phone.hangUp()).status, 200);
    const call = await gateway.endOf(id);
    assert.equal(call.end_reason, 'caller-hung-up');
    assert.equal(gateway.endLines(id).length, 1);
    return call;
  }

  it('is offered by the gateway when the phone sends no offer', async () => {
    const id = await dial({}, true);
    assert.equal(whichOf(await phone.listenUntilQuiet()), GREETING);
    await converse(id, HEADS);
    await hungUp(id);
  });

  for (const codec of ['pcmu', 'opus'] as const) {
    it(`survives two percent of loss, jitter and reordering in ${codec}`, async () => {
      const network = { seed: 7, loss: 0.02, jitterMs: 30, delayMs: 20, reorder: 0.01 };
      const id = await dial({ codec, network });
      assert.equal(whichOf(await phone.listenUntilQuiet()), GREETING);
      await converse(id, HEADS);
      const call = await hungUp(id);
      assert.ok((phone.relay?.dropped ?? 0) > 0, 'the relay dropped packets');
      assert.ok((call.media?.packets_lost ?? 0) > 0, 'and the gateway saw it');
      assert.ok((call.media?.frames_concealed ?? 0) > 0, 'and concealed it');
      assert.equal(call.media?.packets_from_strangers, 0);
    });
  }

  const HOLDS = [
    ['a=sendonly', 'recvonly', (sdp: string) => sdp.replace('a=sendrecv', 'a=sendonly')],
    ['a=inactive', 'inactive', (sdp: string) => sdp.replace('a=sendrecv', 'a=inactive')],
    ['c=0.0.0.0', null, (sdp: string) => sdp.replace(/^c=.*$/m, 'c=IN IP4 0.0.0.0')],
  ] as const;
  for (const [name, answered, edit] of HOLDS) {
    it(`rests during a hold by ${name}, for longer than the media timeout`, async () => {
      const id = await dial();
      await greeted(id);

      const held = await phone.reoffer('sendrecv', edit);
      assert.equal(held.status, 200);
      if (answered !== null) assert.match(held.body, new RegExp(`^a=${answered}`, 'm'));
      phone.media.mute();
      // What was on its way may still come.
      await delay(200);
      const before = phone.media.arrivals.length;
      await delay(RTP_TIMEOUT_SECONDS * 2500);
      assert.equal(phone.media.arrivals.length - before, 0, 'packets during the hold');
      assert.equal((await gateway.call(id)).end_reason, null);

      phone.media.unmute();
      assert.equal((await phone.reoffer()).status, 200);
      await converse(id, HEADS);
      await hungUp(id);
    });
  }

  it('changes its codec and its port in mid-call', async () => {
    const id = await dial({ codec: 'pcmu' });
    await greeted(id);
    const toOpus = await phone.moveTo('opus');
    assert.match(toOpus.body, /^a=rtpmap:\d+ opus\/48000\/2/m);
    await converse(id, HEADS);
    const toPcma = await phone.moveTo('pcma');
    assert.match(toPcma.body, /^m=audio \d+ RTP\/AVP 8 /m);
    await converse(id, TAILS);
    const call = await hungUp(id);
    assert.equal(call.media?.codec, 'pcma');
  });

  it('goes from PCMA to G.722, Opus and PCMU, and both hear each other after each', async () => {
    const id = await dial({ codec: 'pcma' });
    await greeted(id);
    const again = 'Clink. Heads, I promise I looked.';
    for (const [codec, line, expected] of [
      ['g722', /^m=audio \d+ RTP\/AVP 9 101\r$/m, HEADS],
      ['opus', /^a=rtpmap:\d+ opus\/48000\/2/m, TAILS],
      ['pcmu', /^m=audio \d+ RTP\/AVP 0 101\r$/m, again],
    ] as const) {
      assert.match((await phone.moveTo(codec)).body, line);
      await phone.say('flip a coin', 'slt');
      const heard = await phone.listenUntilQuiet();
      const [question, answer] = (await gateway.call(id)).transcript?.slice(-2) ?? [];
      assert.deepEqual([question?.text, answer?.text], ['flip a coin', expected], codec);
      assert.equal(transcriber.whichOf([...DECOYS, again], heard), expected, codec);
    }
    const call = await hungUp(id);
    assert.equal(call.media?.codec, 'pcmu');
    assert.equal(call.media?.packets_malformed, 0);
  });

  it('follows the phone to another port', async () => {
    const id = await dial();
    await greeted(id);
    const port = phone.media.port;
    assert.equal((await phone.moveTo('pcmu')).status, 200);
    assert.notEqual(phone.media.port, port);
    await converse(id, HEADS);
    const call = await hungUp(id);
    assert.equal(call.media?.packets_from_strangers, 0);
  });

  it('keeps what it had when a re-INVITE offers nothing that it knows', async () => {
    const id = await dial();
    await greeted(id);
    const refused = await phone.reoffer('sendrecv', (sdp) =>
      sdp.replace('RTP/AVP 0 101', 'RTP/AVP 18').replace('rtpmap:0 PCMU', 'rtpmap:18 G729'),
    );
    assert.equal(refused.status, 488);
    await converse(id, HEADS);
    await hungUp(id);
  });

  it('ends the call when no packet comes any more', async () => {
    const id = await dial();
    await greeted(id);
    phone.media.mute();
    await phone.sip.nextRequest('BYE');
    const call = await gateway.endOf(id);
    assert.equal(call.end_reason, 'media-timeout');
    assert.equal(call.blame, 'caller');
    assert.equal(gateway.endLines(id).length, 1);
  });
});

/** Real time that must pass with nothing happening: the one thing that has no event. */
function delay(ms: number): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, ms));
}
