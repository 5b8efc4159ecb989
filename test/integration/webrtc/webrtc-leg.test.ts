import assert from 'node:assert/strict';
import { MediaEngine } from '../../../src/media/media-engine.ts';
import { WebRtcLeg } from '../../../src/media/webrtc/webrtc-leg.ts';
import { WebRtcPort } from '../../../src/media/webrtc/webrtc-port.ts';
import type { WebRtcCloseReason } from '../../../src/media/webrtc/webrtc-transport.ts';
import { freeUdpPort, Signal, WebRtcClient } from '../../support/webrtc-client.ts';

const RATE_HZ = 24000;

function tone(hz: number, ms: number): Int16Array {
  return Int16Array.from({ length: (RATE_HZ * ms) / 1000 }, (_, index) =>
    Math.round(8000 * Math.sin((2 * Math.PI * hz * index) / RATE_HZ)),
  );
}

/** Part of the energy that is at one frequency, 0..1 (Goertzel). */
function share(samples: Int16Array, sampleRateHz: number, hz: number): number {
  const coefficient = 2 * Math.cos((2 * Math.PI * hz) / sampleRateHz);
  let [a, b, energy] = [0, 0, 0];
  for (const sample of samples) {
    [a, b] = [sample + coefficient * a - b, a];
    energy += sample * sample;
  }
  return energy === 0 ? 0 : (2 * (a * a + b * b - coefficient * a * b)) / (samples.length * energy);
}

describe('a WebRTC leg', () => {
  let engine: MediaEngine;
  let port: WebRtcPort;
  let leg: WebRtcLeg;
  const clients: WebRtcClient[] = [];
  const closed = { signal: new Signal<WebRtcCloseReason>() };
  const messagesOpen = { signal: new Signal<void>() };
  const connected: Signal<void>[] = [];

  function client(options?: ConstructorParameters<typeof WebRtcClient>[0]): WebRtcClient {
    const made = new WebRtcClient(options);
    clients.push(made);
    return made;
  }

  function nextConnection(): Promise<void> {
    const signal = new Signal<void>();
    connected.push(signal);
    return signal.happened;
  }

  async function call(caller: WebRtcClient): Promise<void> {
    leg = await WebRtcLeg.accept(caller.offerSdp, {
      port,
      ...engine.shared,
      resumeWithinMs: 300,
      onError: (error) => assert.fail(String(error)),
      onConnected: () => connected.shift()?.fire(),
      onMessagesOpen: () => messagesOpen.signal.fire(),
      onMessage: () => {},
      onClosed: (reason) => closed.signal.fire(reason),
    });
    const isConnected = nextConnection();
    caller.answer(leg.answerSdp);
    await Promise.all([isConnected, caller.opened.happened]);
  }

  beforeEach(async () => {
    closed.signal = new Signal();
    messagesOpen.signal = new Signal();
    connected.length = 0;
    engine = await MediaEngine.start({ bindAddress: '127.0.0.1', ports: { min: 1, max: 0 } });
    port = WebRtcPort.open({
      bindAddress: '127.0.0.1',
      port: await freeUdpPort(),
      silenceTimeoutMs: 400,
    });
  });

  afterEach(() => {
    leg.close();
    for (const one of clients.splice(0)) one.close();
    port.close();
    engine.close();
  });

  it('is heard, and its pauses are not sent', async () => {
    const caller = client();
    await call(caller);
    leg.sink.write({ samples: tone(440, 400), sampleRateHz: RATE_HZ });
    leg.sink.flush();
    await leg.sink.drained();
    const { decoder } = await engine.shared.codecs.createPair('opus');
    const heard = caller.rtp
      .filter((packet) => packet[1]! % 128 === 111)
      .flatMap((packet) => [...(decoder.decode(packet, 12, packet.length) ?? [])]);
    decoder.close();
    assert.ok(heard.length > 300 * 16, `${heard.length} samples`);
    const middle = Int16Array.from(heard.slice(100 * 16, 300 * 16));
    assert.ok(share(middle, 16000, 440) > 0.95);
    assert.equal(leg.sink.playedMs(), 400);
  });

  it('hears at 16 kHz', async () => {
    const caller = client();
    const heard: number[] = [];
    const enough = new Signal<void>();
    await call(caller);
    leg.source.onFrame((frame) => {
      assert.equal(frame.sampleRateHz, 16000);
      if (frame.samples.some((sample) => Math.abs(sample) > 1000)) heard.push(...frame.samples);
      if (heard.length > 200 * 16) enough.fire();
    });
    const clip = leg.sink.encode({ samples: tone(700, 400), sampleRateHz: RATE_HZ });
    for (const frame of clip.frames) caller.sendRtp(Buffer.from(frame));
    await enough.happened;
    assert.ok(share(Int16Array.from(heard.slice(0, 200 * 16)), 16000, 700) > 0.9);
    assert.equal(leg.report().packetsReceived, 20);
  });

  it('goes on with a new offer after the network was lost', async () => {
    const first = client();
    await call(first);
    leg.sink.write({ samples: tone(440, 100), sampleRateHz: RATE_HZ });
    await leg.sink.drained();
    const second = client();
    const isBack = nextConnection();
    second.answer(leg.resume(second.offerSdp));
    await Promise.all([isBack, second.opened.happened]);
    leg.sink.write({ samples: tone(440, 100), sampleRateHz: RATE_HZ });
    leg.sink.flush();
    await second.received.happened;
    const [packet] = second.rtp;
    assert.equal(packet?.readUInt32BE(8), first.rtp[0]?.readUInt32BE(8), 'the same SSRC goes on');
    assert.equal(port.peerCount, 1);
  });

  it('is held and taken up again over the same connection [RFC 3264 §8.4]', async () => {
    const caller = client();
    await call(caller);
    leg.sink.write({ samples: tone(1000, 400), sampleRateHz: RATE_HZ });
    leg.sink.flush();
    await caller.received.happened;
    const identity = (sdp: string) => sdp.match(/^a=(ice-ufrag|ice-pwd|fingerprint|setup):.*$/gm);
    const first = leg.answerSdp;

    const held = leg.resume(caller.offerSdp.replace(/a=sendrecv/g, 'a=sendonly'));
    assert.match(held, /^a=recvonly\r$/m);
    assert.deepEqual(identity(held), identity(first));
    assert.notEqual(/^o=.*$/m.exec(held)?.[0], /^o=.*$/m.exec(first)?.[0]);
    assert.equal(leg.isOnHold, true);
    const silent = leg.resume(caller.offerSdp.replace(/a=sendrecv/g, 'a=inactive'));
    assert.match(silent, /^a=inactive\r$/m);
    // Nobody is heard, for longer than a silent browser is waited for.
    await new Promise((resolve) => setTimeout(resolve, 700));
    assert.equal(leg.isConnected, true);

    assert.match(leg.resume(caller.offerSdp), /^a=sendrecv\r$/m);
    assert.equal(leg.isOnHold, false);
    const before = caller.rtp.length;
    leg.sink.write({ samples: tone(1000, 400), sampleRateHz: RATE_HZ });
    leg.sink.flush();
    await new Promise<void>((resolve) => {
      const timer = setInterval(() => {
        if (caller.rtp.length < before + 10) return;
        clearInterval(timer);
        resolve();
      }, 20);
    });
  });

  it('ends when a lost network does not come back in time', async () => {
    await call(client());
    assert.equal(await closed.signal.happened, 'network-lost');
    assert.equal(port.peerCount, 0);
    assert.throws(() => leg.resume(client().offerSdp), { code: 'MEDIA_LEG_CLOSED' });
  });

  it('ends at once when the browser hangs up', async () => {
    const caller = client({ withEvents: true });
    await call(caller);
    await messagesOpen.signal.happened;
    caller.close();
    assert.equal(await closed.signal.happened, 'remote-closed');
  });
});
