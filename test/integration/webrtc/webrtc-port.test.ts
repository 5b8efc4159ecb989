import assert from 'node:assert/strict';
import { WebRtcPort } from '../../../src/media/webrtc/webrtc-port.ts';
import type { WebRtcTransport } from '../../../src/media/webrtc/webrtc-transport.ts';
import { throwJunkAt } from '../../support/webrtc-junk.ts';
import { freeUdpPort, RecordedEvents, WebRtcClient } from '../../support/webrtc-client.ts';

function rtpPacket(transport: WebRtcTransport, sequence: number, payload: Buffer): Buffer {
  const header = Buffer.alloc(12);
  header[0] = 0x80;
  header[1] = transport.offer.opusPayloadType;
  header.writeUInt16BE(sequence, 2);
  header.writeUInt32BE(sequence * 960, 4);
  header.writeUInt32BE(transport.sender.ssrc, 8);
  return Buffer.concat([header, payload]);
}

describe('a WebRTC port', () => {
  let port: WebRtcPort;
  const clients: WebRtcClient[] = [];

  function client(options?: ConstructorParameters<typeof WebRtcClient>[0]): WebRtcClient {
    const made = new WebRtcClient(options);
    clients.push(made);
    return made;
  }

  function connect(caller: WebRtcClient, events = new RecordedEvents()) {
    const transport = port.accept(caller.offerSdp, events);
    caller.answer(transport.answerSdp);
    return { transport, events };
  }

  async function open(options: Partial<Parameters<typeof WebRtcPort.open>[0]> = {}): Promise<void> {
    const bindAddress = options.bindAddress ?? '127.0.0.1';
    port = WebRtcPort.open({ port: await freeUdpPort(bindAddress), ...options, bindAddress });
  }

  afterEach(() => {
    for (const one of clients.splice(0)) one.close();
    port.close();
  });

  it('carries RTP both ways', async () => {
    await open();
    const caller = client();
    const { transport, events } = connect(caller);
    await Promise.all([caller.opened.happened, events.connected.happened]);
    caller.sendRtp(Buffer.from('from the browser'));
    await events.until(() => events.rtp.length === 1);
    assert.equal(events.rtp[0]?.subarray(12).toString(), 'from the browser');
    assert.equal(transport.sendPacket(rtpPacket(transport, 1, Buffer.from('to it'))), true);
    await caller.received.happened;
    assert.equal(caller.rtp[0]?.subarray(12).toString(), 'to it');
  });

  it('answers within its size, with its own candidates only', async () => {
    await open({ announcedAddresses: ['198.51.100.7', '2001:db8::7'] });
    const transport = port.accept(client({ withEvents: true }).offerSdp, new RecordedEvents());
    assert.ok(transport.answerSdp.length < 4096, `${transport.answerSdp.length} bytes`);
    const candidates = transport.answerSdp.match(/^a=candidate:.*$/gm) ?? [];
    assert.deepEqual(
      candidates.map((line) => line.split(' ')[4]),
      ['198.51.100.7', '2001:db8::7'],
    );
    assert.ok(candidates.every((line) => line.split(' ')[5] === String(port.port)));
  });

  it('carries many browsers on one port', async () => {
    await open();
    const callers = Array.from({ length: 5 }, () => client());
    const legs = callers.map((caller) => connect(caller));
    await Promise.all(legs.map(({ events }) => events.connected.happened));
    await Promise.all(callers.map((caller) => caller.opened.happened));
    callers.forEach((caller, index) => caller.sendRtp(Buffer.from([index])));
    for (const [index, { events }] of legs.entries()) {
      await events.until(() => events.rtp.length === 1);
      assert.equal(events.rtp[0]?.[12], index);
    }
    assert.equal(port.peerCount, 5);
  });

  it('carries messages beside the audio', async () => {
    await open();
    const caller = client({ withEvents: true });
    const { transport, events } = connect(caller);
    await events.messagesOpen.happened;
    assert.equal(transport.sendMessage('{"type":"activity"}'), true);
    assert.equal(await caller.gotMessage.happened, '{"type":"activity"}');
    caller.sendMessage('{"type":"hang-up"}');
    await events.until(() => events.messages.length === 1);
    assert.deepEqual(events.messages, ['{"type":"hang-up"}']);
  });

  it('tells RTCP from RTP', async () => {
    await open();
    const caller = client();
    const { events } = connect(caller);
    await Promise.all([caller.opened.happened, events.connected.happened]);
    const receiverReport = Buffer.from('80c9000100001267', 'hex');
    caller.sendRaw(receiverReport);
    await events.until(() => events.rtcp.length === 1);
    assert.deepEqual(events.rtcp[0], receiverReport);
    assert.equal(events.rtp.length, 0);
  });

  it('works over IPv6', async () => {
    await open({ bindAddress: '::1' });
    const caller = client({ bindAddress: '::1' });
    const { events } = connect(caller);
    await Promise.all([caller.opened.happened, events.connected.happened]);
    assert.match(connect(client()).transport.answerSdp, / ::1 \d+ typ host/);
  });

  it('notices at once when a browser with an events channel goes away', async () => {
    await open();
    const caller = client({ withEvents: true });
    const { events } = connect(caller);
    await events.messagesOpen.happened;
    caller.close();
    assert.equal(await events.closed.happened, 'remote-closed');
    assert.equal(port.peerCount, 0);
  });

  it('gives up a browser that never comes', async () => {
    await open({ connectTimeoutMs: 50, peersMax: 1 });
    const events = new RecordedEvents();
    port.accept(client().offerSdp, events);
    assert.throws(() => port.accept(client().offerSdp, new RecordedEvents()), {
      code: 'MEDIA_PEERS_EXHAUSTED',
      retryable: true,
    });
    assert.equal(await events.closed.happened, 'ice-timeout');
    assert.equal(port.peerCount, 0);
  });

  it('gives up a browser whose certificate is not the one it announced', async () => {
    await open();
    const caller = client();
    const events = new RecordedEvents();
    const forged = caller.offerSdp.replace(/(a=fingerprint:sha-256 )(..)/g, (_, head, byte) => {
      return `${head}${byte === '00' ? '01' : '00'}`;
    });
    const transport = port.accept(forged, events);
    caller.answer(transport.answerSdp);
    assert.equal(await events.closed.happened, 'dtls-failed');
  });

  it('takes a connected browser that falls silent for lost', async () => {
    await open({ silenceTimeoutMs: 100 });
    const { events } = connect(client());
    assert.equal(await events.closed.happened, 'network-lost');
  });

  it('survives a listener that throws, and ends only that browser', async () => {
    await open();
    const events = new RecordedEvents();
    events.onRtp = () => {
      throw new Error('a bug of ours');
    };
    const bad = client();
    connect(bad, events);
    const good = connect(client());
    await Promise.all([bad.opened.happened, good.events.connected.happened]);
    bad.sendRtp(Buffer.from('x'));
    assert.equal(await events.closed.happened, 'internal-error');
    assert.equal(good.transport.isConnected, true);
  });

  it('drops what one browser sends beyond its rate', async () => {
    await open();
    const caller = client();
    const { transport, events } = connect(caller);
    await Promise.all([caller.opened.happened, events.connected.happened]);
    for (let sent = 0; sent < 1000; sent += 1) caller.sendRtp(Buffer.from('flood'));
    await events.until(() => events.rtp.length >= 400);
    caller.sendRaw(Buffer.from('80c9000100001267', 'hex'));
    await new Promise((resolve) => setImmediate(resolve));
    assert.ok(
      events.rtp.length <= 800,
      `${events.rtp.length} packets of 1000 in at most two seconds`,
    );
    assert.ok(transport.refused.packetsOverRate > 0);
  });

  it('keeps live browsers through junk, forged STUN, DTLS and SRTP', async () => {
    await open();
    const caller = client();
    const { transport, events } = connect(caller);
    await Promise.all([caller.opened.happened, events.connected.happened]);
    await throwJunkAt(port.port, transport.answerSdp);
    caller.sendRtp(Buffer.from('still here'));
    await events.until(() => events.rtp.some((packet) => packet.includes('still here')));
    assert.equal(events.rtp.length, 1);
    assert.equal(transport.isConnected, true);
  });

  it('refuses a port that is taken', async () => {
    await open();
    assert.throws(() => WebRtcPort.open({ bindAddress: '127.0.0.1', port: port.port }), {
      code: 'MEDIA_SOCKET_FAILED',
    });
  });

  it('closes every browser with it', async () => {
    await open();
    const { events } = connect(client());
    await events.connected.happened;
    port.close();
    assert.equal(await events.closed.happened, 'closed-by-us');
    assert.throws(() => port.accept(client().offerSdp, events), {
      code: 'MEDIA_WEBRTC_UNAVAILABLE',
    });
  });
});
