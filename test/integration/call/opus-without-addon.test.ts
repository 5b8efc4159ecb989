import assert from 'node:assert/strict';
import { CallPhone } from '../../support/call-phone.ts';
import { Gateway } from '../../support/gateway.ts';
import { hasTestCaller } from '../../support/test-caller.ts';
import { Transcriber } from '../../support/transcriber.ts';

const HEADS = 'Clink. It is heads!';
const GREETING = 'Hello there, how can I help?';
const DECOYS = ['Clink. Tails this time!', 'Ask me what I can do.', 'Where would you like to go?'];
const WITHOUT_ADDON = new URL('../../support/without-opus-addon.mjs', import.meta.url).href;

describe('a call in Opus where the addon could not be built', function () {
  this.timeout(90_000);
  let gateway: Gateway;
  let phone: CallPhone;
  let transcriber: Transcriber;

  before(async function () {
    if (!hasTestCaller) this.skip();
    const env = { NODE_OPTIONS: `--import=${WITHOUT_ADDON}` };
    [gateway, transcriber] = await Promise.all([Gateway.start({ env }), Transcriber.load()]);
    await gateway.changeAgent({ greeting_text: GREETING });
  });
  after(async () => {
    phone?.close();
    await gateway?.stop();
    transcriber?.close();
  });

  it('is heard and understood both ways, by WebAssembly, and the log says so', async () => {
    await gateway.line(/the Opus addon did not load: WebAssembly does its work/);
    phone = await CallPhone.open(gateway.sipPort, { codec: 'opus' });
    await phone.call();
    const { call_id: id } = await gateway.nextCall();
    const greeting = await phone.listenUntilQuiet();
    await phone.say('flip a coin', 'slt');
    const reply = await phone.listenUntilQuiet();
    await phone.hangUp();
    const { transcript = [], media } = await gateway.endOf(id);
    assert.deepEqual(
      transcript.map(({ role, text }) => [role, text]),
      [
        ['agent', GREETING],
        ['user', 'flip a coin'],
        ['agent', HEADS],
      ],
    );
    const sentences = [GREETING, HEADS, ...DECOYS];
    assert.equal(transcriber.whichOf(sentences, greeting), GREETING);
    assert.equal(transcriber.whichOf(sentences, reply), HEADS);
    assert.equal(media?.codec, 'opus');
    assert.equal(media.packets_lost, 0);
  });
});
