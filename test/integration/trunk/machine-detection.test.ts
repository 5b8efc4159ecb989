import assert from 'node:assert/strict';
import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { tone } from '../../support/audio.ts';
import { type CarrierCall, FakeCarrier } from '../../support/fake-carrier.ts';
import { Gateway } from '../../support/gateway.ts';
import { OpenAiSpeechServer } from '../../support/openai-speech-server.ts';
import { temporaryFolder } from '../../support/temporary-folder.ts';
import { callerSays, hasTestCaller, joined, lineSilence } from '../../support/test-caller.ts';
import { TestPhone } from '../../support/test-phone.ts';
import { Transcriber } from '../../support/transcriber.ts';

const GREETING = 'Hello there, how can I help?';
const MESSAGE = 'Please call us back tomorrow morning.';
const MACHINE =
  'Hi, you have reached Bob and Alice. We are not at home right now. Please leave a message after the tone.';
const BEEP = { frequencyHz: 1000, ms: 400 };

/** Calls whose callee is a person or a machine, by what is said and heard on the line. */
describe('an outbound call that tells machines from people', function () {
  this.timeout(90_000);
  let carrier: FakeCarrier;
  let gateway: Gateway;
  let transcriber: Transcriber;
  let folder: Awaited<ReturnType<typeof temporaryFolder>>;
  let phone: TestPhone;
  let carrierCall: CarrierCall;
  let configFile: string;

  before(async function () {
    if (!hasTestCaller) {
      process.stderr.write('skipped: needs the Debian package flite\n');
      this.skip();
    }
    [carrier, folder] = await Promise.all([FakeCarrier.listen(), temporaryFolder()]);
    configFile = join(folder.path, 'trunkline.yaml');
    await writeFile(
      configFile,
      [
        'trunks:',
        '  - name: north',
        `    hosts: ["127.0.0.1:${carrier.port}"]`,
        '    transport: udp',
        '    outbound_prefixes: ["+34"]',
        '    codecs: [pcmu]',
        '    numbers: { "+34911222333": agt_demo }',
        '',
      ].join('\n'),
    );
    [gateway, transcriber] = await Promise.all([
      Gateway.startByEngine({ env: { TRUNKLINE_CONFIG: configFile } }),
      Transcriber.load(),
    ]);
    await gateway.changeAgent({ greeting_text: GREETING });
  });
  after(async () => {
    await gateway?.stop();
    await carrier?.close();
    await folder?.remove();
    transcriber?.close();
  });
  afterEach(() => phone?.close());

  /** Somebody answers, and says what stands on the line. */
  async function answeredWith(line: Int16Array, detection: Readonly<Record<string, unknown>>) {
    phone = await TestPhone.open({ codec: 'pcmu' });
    const invited = new Promise<CarrierCall>((resolve) => {
      carrier.onInvite = resolve;
    });
    const response = await gateway.api('/v1/calls', {
      method: 'POST',
      headers: { 'content-type': 'application/json' },
      body: JSON.stringify({
        agent_id: 'agt_demo',
        to_number: '+34955666777',
        machine_detection: detection,
      }),
    });
    const { call_id: id } = (await response.json()) as { call_id: string };
    assert.equal(response.status, 201);
    carrierCall = await invited;
    carrierCall.answer(phone.sdp());
    phone.connectTo(carrierCall.invite.body);
    const said = phone.say({ samples: line, sampleRateHz: 8000 });
    return { id, said };
  }

  const heardText = () =>
    transcriber.whichOf([GREETING, MESSAGE, 'Goodbye.'], phone.recording().samples);

  it('greets a person once the short greeting is over', async () => {
    const line = joined(lineSilence(500), callerSays('hello'), lineSilence(500));
    const { id, said } = await answeredWith(line, { policy: 'hang_up' });
    await said;
    await phone.nextSound(10_000);
    await phone.quietFor(1000);
    const live = await gateway.callWhen(id, 'greeted', (_, turns) => turns.length > 0);
    assert.equal(live.transcript?.[0]?.text, GREETING);
    assert.equal((await carrierCall.request('BYE')).status, 200);
    const call = await gateway.endOf(id);
    assert.deepEqual([call.end_reason, call['answered_by']], ['caller-hung-up', 'human']);
    assert.equal(heardText(), GREETING);
  });

  it('hangs up on a machine, and has not said a word', async () => {
    const line = joined(lineSilence(500), callerSays(MACHINE), lineSilence(5000));
    const { id } = await answeredWith(line, { policy: 'hang_up' });
    const events = gateway.api(`/v1/calls/${id}/events`).then((response) => response.text());
    await carrierCall.nextRequest('BYE');
    const call = await gateway.endOf(id);
    assert.deepEqual([call.end_reason, call.blame], ['machine-answered', 'none']);
    assert.match(await events, /^event: answered-by\ndata: .*"answered_by":"machine"/m);
    assert.equal(call['answered_by'], 'machine');
    assert.deepEqual(call.transcript, []);
    assert.equal(phone.arrivals.filter(({ rms }) => rms > 200).length, 0);
  });

  it('leaves its message after the beep, and hangs up', async () => {
    const greeting = joined(lineSilence(500), callerSays(MACHINE), lineSilence(800));
    const beep = tone(BEEP.frequencyHz, 8000, BEEP.ms, 5000);
    const line = joined(greeting, beep, lineSilence(8000));
    const detection = { policy: 'leave_message', message: MESSAGE };
    const { id } = await answeredWith(line, detection);
    const startedAtMs = performance.now();
    await carrierCall.nextRequest('BYE');
    const call = await gateway.endOf(id);
    assert.deepEqual(
      [call.end_reason, call['answered_by']],
      ['machine-answered', 'machine-beep'],
      JSON.stringify(call),
    );
    assert.deepEqual(
      call.transcript?.map(({ role, text }) => [role, text]),
      [['agent', MESSAGE]],
    );
    const first = phone.arrivals.find(({ rms }) => rms > 200) ?? assert.fail('nothing was said');
    const beepEndsAtMs = (greeting.length + beep.length) / 8;
    assert.ok(first.atMs - startedAtMs > beepEndsAtMs - 200, 'not into the greeting');
    assert.equal(heardText(), MESSAGE);
  });

  it('talks to whoever it is when the policy is to go on', async () => {
    const line = joined(lineSilence(500), callerSays(MACHINE), lineSilence(5000));
    const { id } = await answeredWith(line, { policy: 'continue' });
    await gateway.callWhen(id, 'spoken to', (_, turns) =>
      turns.some(({ role }) => role === 'agent'),
    );
    assert.equal((await gateway.api(`/v1/calls/${id}`, { method: 'DELETE' })).status, 204);
    assert.equal((await gateway.endOf(id))['answered_by'], 'machine');
  });

  it('waits no longer than asked when nobody speaks', async () => {
    const { id } = await answeredWith(lineSilence(8000), {
      policy: 'hang_up',
      max_wait_seconds: 1.5,
    });
    await phone.nextSound(8000);
    assert.equal((await gateway.api(`/v1/calls/${id}`, { method: 'DELETE' })).status, 204);
    assert.equal((await gateway.endOf(id))['answered_by'], 'unknown');
  });

  it('refuses a policy that there is not', async () => {
    const response = await gateway.api('/v1/calls', {
      method: 'POST',
      headers: { 'content-type': 'application/json' },
      body: JSON.stringify({
        agent_id: 'agt_demo',
        to_number: '+34955666777',
        machine_detection: { policy: 'shout' },
      }),
    });
    assert.equal(response.status, 400);
    phone = await TestPhone.open({ codec: 'pcmu' });
  });

  describe('by the words that a recognizer over HTTP understands', () => {
    /** Too short to be a monologue. */
    const SHORT = 'Please leave a message.';
    let others: Gateway;
    let server: OpenAiSpeechServer;

    before(async () => {
      others = gateway;
      server = await OpenAiSpeechServer.start();
      gateway = await Gateway.startByEngine({
        env: {
          TRUNKLINE_CONFIG: configFile,
          TRUNKLINE_STT_BASE_URL: server.baseUrl,
          TRUNKLINE_STT_API_KEY: server.apiKey,
        },
      });
      await gateway.changeAgent({ greeting_text: GREETING });
    });
    after(async () => {
      await gateway.stop();
      await server.stop();
      gateway = others;
    });

    it('hangs up on a machine that says a short sentence', async () => {
      server.text = SHORT;
      const line = joined(lineSilence(500), callerSays(SHORT), lineSilence(6000));
      const { id } = await answeredWith(line, { policy: 'hang_up' });
      await carrierCall.nextRequest('BYE');
      const call = await gateway.endOf(id);
      assert.deepEqual([call.end_reason, call['answered_by']], ['machine-answered', 'machine']);
      assert.ok(server.transcriptions.length > 0, 'the recognizer was asked');
      assert.equal(phone.arrivals.filter(({ rms }) => rms > 200).length, 0);
    });

    it('takes the same sound for a person when the words are those of one', async () => {
      server.text = 'Hello, who is speaking?';
      const line = joined(lineSilence(500), callerSays(SHORT), lineSilence(6000));
      const { id } = await answeredWith(line, { policy: 'hang_up' });
      await phone.nextSound(10_000);
      await phone.quietFor(1000);
      assert.equal((await gateway.api(`/v1/calls/${id}`, { method: 'DELETE' })).status, 204);
      assert.equal((await gateway.endOf(id))['answered_by'], 'human');
      assert.equal(heardText(), GREETING);
    });

    it('leaves its whole message after the beep of a machine known by its words', async () => {
      server.text = SHORT;
      const greeting = joined(lineSilence(500), callerSays(SHORT), lineSilence(1500));
      const beep = tone(BEEP.frequencyHz, 8000, BEEP.ms, 5000);
      const line = joined(greeting, beep, lineSilence(8000));
      const { id } = await answeredWith(line, { policy: 'leave_message', message: MESSAGE });
      const startedAtMs = performance.now();
      await carrierCall.nextRequest('BYE');
      const call = await gateway.endOf(id);
      assert.equal(call.end_reason, 'machine-answered', JSON.stringify(call));
      assert.match(String(call['answered_by']), /^machine/);
      const first = phone.arrivals.find(({ rms }) => rms > 200) ?? assert.fail('nothing was said');
      assert.ok(first.atMs - startedAtMs > (greeting.length + beep.length) / 8 - 200);
      assert.equal(heardText(), MESSAGE);
    });

    it('goes by what it hears when the recognizer does not answer', async () => {
      server.misbehaviors.push(...Array.from({ length: 20 }, () => ({ type: 'stall' }) as const));
      const line = joined(lineSilence(500), callerSays(MACHINE), lineSilence(6000));
      const { id } = await answeredWith(line, { policy: 'hang_up' });
      await carrierCall.nextRequest('BYE');
      const call = await gateway.endOf(id);
      assert.deepEqual([call.end_reason, call['answered_by']], ['machine-answered', 'machine']);
    });
  });
});
