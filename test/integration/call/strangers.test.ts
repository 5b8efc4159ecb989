import assert from 'node:assert/strict';
import { createSocket } from 'node:dgram';
import { once } from 'node:events';
import { CallPhone } from '../../support/call-phone.ts';
import { Gateway } from '../../support/gateway.ts';
import { callerSays, hasTestCaller, joined, lineSilence } from '../../support/test-caller.ts';

const delay = (ms: number) => new Promise((resolve) => setTimeout(resolve, ms));

/** A host that sends audio to whatever port it guesses. */
describe('a stranger', function () {
  this.timeout(60_000);
  let gateway: Gateway;

  before(async function () {
    if (!hasTestCaller) {
      process.stderr.write('skipped: needs the Debian package flite\n');
      this.skip();
    }
    gateway = await Gateway.start();
    await gateway.changeAgent({ greeting_text: 'Hello there, how can I help?' });
  });
  after(() => gateway?.stop());

  it('who speaks before a phone behind a NAT, and all the time, gets no packet in', async () => {
    const phone = await CallPhone.open(gateway.sipPort);
    phone.media.mute();
    // An address that nobody can send from; signaling comes from 127.0.0.1, as audio will.
    const sdp = phone.sdp('sendrecv', (text) => text.replace(/^c=.*$/m, 'c=IN IP4 10.255.0.9'));
    const answer = await phone.dial({ sdp });
    assert.equal(answer.status, 200);
    const { call_id: id } = await gateway.nextCall();
    const stranger = createSocket('udp4').bind(0, '127.0.0.2');
    await once(stranger, 'listening');
    let drawn = 0;
    stranger.on('message', () => (drawn += 1));
    const packet = Buffer.alloc(172, 0x20);
    packet.writeUInt16BE(0x8000, 0);
    let sent = 0;
    const flood = setInterval(() => {
      packet.writeUInt16BE(sent, 2);
      packet.writeUInt32BE(sent * 160, 4);
      stranger.send(packet, Number(/^m=audio (\d+)/m.exec(answer.body)?.[1]), '127.0.0.1');
      sent += 1;
    }, 20);
    await delay(400);
    phone.media.unmute();
    await gateway.callWhen(id, 'greeted', (_, turns) => turns.length > 0);
    await phone.play(joined(lineSilence(1000), callerSays('flip a coin', 'slt')));
    const { transcript } = await gateway.callWhen(id, 'asked', (_, turns) => turns.length > 1);
    assert.equal(transcript?.[1]?.text, 'flip a coin');
    await phone.listenUntilQuiet();
    clearInterval(flood);
    await delay(200);
    await phone.hangUp();
    const call = await gateway.endOf(id);
    stranger.close();
    phone.close();
    assert.ok(sent > 100);
    assert.equal(call.media?.packets_from_strangers, sent, 'each of them');
    assert.equal(drawn, 0, 'and nothing was sent there');
  });
});
