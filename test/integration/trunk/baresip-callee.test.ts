import assert from 'node:assert/strict';
import { rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { readWav, writeWav } from '../../support/audio.ts';
import { Baresip, hasBaresip } from '../../support/baresip.ts';
import { toTelephoneRate } from '../../support/call-phone.ts';
import { freeUdpPort } from '../../support/free-port.ts';
import { Gateway } from '../../support/gateway.ts';
import { temporaryFolder } from '../../support/temporary-folder.ts';
import { callerSays, hasTestCaller, joined, lineSilence } from '../../support/test-caller.ts';
import { Transcriber } from '../../support/transcriber.ts';

const GREETING = 'Hello there, how can I help?';
const HEADS = 'Clink. It is heads!';
const TAILS = 'Clink. Tails this time!';
/** baresip hangs up when its speech ends, so it is longer than any test. */
const SPEECH_MS = 40_000;

/** Calls out to a telephone that none of us has written. */
describe('a call out to baresip', function () {
  this.timeout(90_000);
  let gateway: Gateway;
  let transcriber: Transcriber;
  let folder: Awaited<ReturnType<typeof temporaryFolder>>;
  let ports: { readonly plain: number; readonly encrypted: number };
  let baresip: Baresip | undefined;
  const speechFile = join(tmpdir(), `trunkline-baresip-callee-${process.pid}.wav`);

  before(async function () {
    if (!hasBaresip() || !hasTestCaller) {
      process.stderr.write('skipped: needs Debian packages baresip-core and flite\n');
      this.skip();
    }
    folder = await temporaryFolder();
    ports = { plain: await freeUdpPort(), encrypted: await freeUdpPort() };
    const trunk = (name: string, port: number, prefix: string, srtp: string) => [
      `  - name: ${name}`,
      `    hosts: ["127.0.0.1:${port}"]`,
      '    transport: udp',
      `    outbound_prefixes: ["${prefix}"]`,
      '    codecs: [pcmu, pcma]',
      `    srtp: ${srtp}`,
      '    options_seconds: 0',
      '    caller_id_number: "+34911222333"',
    ];
    const file = join(folder.path, 'trunkline.yaml');
    const trunks = [
      ...trunk('plain', ports.plain, '+34', 'off'),
      ...trunk('encrypted', ports.encrypted, '+49', 'required'),
    ];
    await writeFile(file, ['trunks:', ...trunks, ''].join('\n'));
    [gateway, transcriber] = await Promise.all([
      Gateway.startByEngine({ env: { TRUNKLINE_CONFIG: file } }),
      Transcriber.load(),
    ]);
    await gateway.changeAgent({ greeting_text: GREETING });
    const question = joined(lineSilence(5000), callerSays('flip a coin', 'slt'));
    const samples = joined(question, lineSilence(SPEECH_MS - question.length / 8));
    writeWav(speechFile, { samples, sampleRateHz: 8000 });
  });
  after(async () => {
    await gateway?.stop();
    transcriber?.close();
    await folder?.remove();
    await rm(speechFile, { force: true });
  });
  afterEach(async () => {
    await baresip?.stop();
    await baresip?.remove();
    baresip = undefined;
  });

  const start = async (
    options: Omit<Parameters<typeof Baresip.start>[0], 'speechFile' | 'sampleRateHz'>,
  ) => {
    baresip = await Baresip.start({ ...options, speechFile, sampleRateHz: 8000 });
    return baresip;
  };
  const dial = async (to: string): Promise<string> => {
    const response = await gateway.api('/v1/calls', {
      method: 'POST',
      headers: { 'content-type': 'application/json' },
      body: JSON.stringify({ agent_id: 'agt_demo', to_number: to }),
    });
    const call = (await response.json()) as { call_id: string };
    assert.equal(response.status, 201, JSON.stringify(call));
    return call.call_id;
  };

  for (const [what, to, hangsUp] of [
    ['in the clear, and hangs up', '+34955666777', 'gateway'],
    ['encrypted, and is hung up on', '+4930555666', 'baresip'],
  ] as const) {
    it(`talks with it ${what}`, async () => {
      const isPlain = to.startsWith('+34');
      const phone = await start({
        user: to,
        codec: isPlain ? 'PCMU/8000/1' : 'PCMA/8000/1',
        ...(isPlain ? {} : { encryption: 'srtp-mand' as const }),
        sipPort: isPlain ? ports.plain : ports.encrypted,
        answers: true,
      });
      const id = await dial(to);
      await phone.event('CALL_ESTABLISHED');
      const answered = await gateway.callWhen(id, 'answered', (_, turns) => turns.length >= 3);
      assert.equal(answered.transcript?.[1]?.text, 'flip a coin');
      const reply = answered.transcript?.[2];
      const endedAtMs = () => reply?.stamps['playout_ended_at_ms'] ?? 0;
      while (Date.now() < endedAtMs() + 300)
        await new Promise((resolve) => setTimeout(resolve, 50));
      if (hangsUp === 'gateway') await gateway.api(`/v1/calls/${id}`, { method: 'DELETE' });
      else phone.hangUp();
      await phone.event('CALL_CLOSED');
      const call = await gateway.endOf(id);
      assert.equal(call.end_reason, hangsUp === 'gateway' ? 'operator-hung-up' : 'caller-hung-up');
      assert.equal(call.media?.codec, isPlain ? 'pcmu' : 'pcma');
      assert.equal(call.media?.encryption !== null, !isPlain);
      await phone.stop();
      const file = (await phone.recording()) ?? assert.fail('baresip recorded nothing');
      const recording = toTelephoneRate(readWav(file));
      const candidates = [HEADS, TAILS].flatMap((text) => [text, `${GREETING} ${text}`]);
      assert.equal(transcriber.whichOf(candidates, recording), `${GREETING} ${reply?.text}`);
    });
  }

  it('is told that it is busy', async () => {
    const phone = await start({ user: '+34955666777', codec: 'PCMU/8000/1', sipPort: ports.plain });
    const id = await dial('+34955666777');
    await phone.event('CALL_INCOMING');
    phone.hangUp();
    const call = await gateway.endOf(id);
    assert.deepEqual([call.end_reason, call.sip_status], ['callee-busy', 486]);
  });

  it('gives up, and it stops ringing', async () => {
    const phone = await start({ user: '+34955666777', codec: 'PCMU/8000/1', sipPort: ports.plain });
    const id = await dial('+34955666777');
    await phone.event('CALL_INCOMING');
    await gateway.api(`/v1/calls/${id}`, { method: 'DELETE' });
    await phone.event('CALL_CLOSED');
    assert.equal((await gateway.endOf(id)).end_reason, 'operator-hung-up');
  });
});
