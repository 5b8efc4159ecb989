import assert from 'node:assert/strict';
import { MediaEngine } from '../../../src/media/media-engine.ts';
import { MediaError } from '../../../src/media/media-error.ts';
import { parseRtcpCompound, serializeRtcpCompound } from '../../../src/media/rtp/rtcp-packet.ts';
import type { RtpLeg } from '../../../src/media/rtp-leg.ts';
import type { CodecName, RtpParameters } from '../../../src/model/media.ts';
import { amplitudeAt, concat, tone, toneSnrDb } from '../../support/audio.ts';
import { LossyRelay } from '../../support/lossy-relay.ts';
import { TestPhone } from '../../support/test-phone.ts';

const PORTS = { min: 42000, max: 42399 };

function parametersFor(phone: TestPhone, changes: Partial<RtpParameters> = {}): RtpParameters {
  return {
    codec: phone.codec.name,
    payloadType: phone.codec.payloadType,
    ptimeMs: 20,
    telephoneEventPayloadType: phone.telephoneEventPayloadType,
    telephoneEventClockRateHz: phone.telephoneEventClockRateHz,
    comfortNoisePayloadType: null,
    opusUseDtx: false,
    opusUseFec: false,
    remoteAddress: phone.address,
    remotePort: phone.port,
    rtcpMux: true,
    remoteRtcpPort: phone.port,
    direction: 'sendrecv',
    srtp: null,
    ...changes,
  };
}

/** Keeps what a leg hears. */
function record(leg: RtpLeg): { samples(): Int16Array; digits(): string } {
  const frames: Int16Array[] = [];
  let digits = '';
  leg.source.onFrame(({ samples }) => frames.push(samples.slice()));
  leg.source.onDigit((digit) => {
    digits += digit;
  });
  return { samples: () => concat(frames), digits: () => digits };
}

/** The loudest stretch of `ms`, by a tone's amplitude, cut from its middle. */
function loudStretch(pcm: Int16Array, rate: number, frequency: number, ms: number): Int16Array {
  const length = (rate * ms) / 1000;
  let best = { at: 0, amplitude: -1 };
  for (let at = 0; at + length <= pcm.length; at += rate / 50) {
    const amplitude = amplitudeAt(frequency, pcm.subarray(at, at + length), rate);
    if (amplitude > best.amplitude) best = { at, amplitude };
  }
  return pcm.slice(best.at, best.at + length);
}

describe('an RTP leg', () => {
  let engine: MediaEngine;
  let phone: TestPhone;
  const errors: unknown[] = [];
  const open: { close(): void }[] = [];

  async function connect(codec: CodecName, opus: 'native' | 'wasm' = 'wasm'): Promise<RtpLeg> {
    engine = await MediaEngine.start({
      bindAddress: '127.0.0.1',
      ports: PORTS,
      portDrainMs: 0,
      opus,
      onError: (error) => errors.push(error),
    });
    phone = await TestPhone.open({ codec });
    const leg = await engine.openLeg();
    await leg.update(parametersFor(phone));
    phone.start(leg.local.address, leg.local.port);
    return leg;
  }

  afterEach(() => {
    engine.close();
    phone.close();
    for (const other of open.splice(0)) other.close();
    assert.deepEqual(errors.splice(0), []);
  });

  const cases = [
    { codec: 'pcmu', opus: 'wasm', snrDb: 30 },
    { codec: 'pcma', opus: 'wasm', snrDb: 30 },
    { codec: 'g722', opus: 'wasm', snrDb: 25 },
    { codec: 'opus', opus: 'native', snrDb: 15 },
    { codec: 'opus', opus: 'wasm', snrDb: 15 },
  ] as const;

  for (const { codec, opus, snrDb } of cases) {
    it(`carries a tone both ways in ${codec} (libopus: ${opus})`, async () => {
      const leg = await connect(codec, opus);
      const heard = record(leg);
      const rate = phone.codec.sampleRateHz;

      leg.sink.write({ samples: tone(700, 24000, 600), sampleRateHz: 24000 });
      leg.sink.flush();
      await phone.say({ samples: tone(500, rate, 600), sampleRateHz: rate });
      await leg.sink.drained();
      await phone.waitFor(({ arrivals }) => arrivals.filter(({ rms }) => rms > 1000).length >= 29);

      const toPhone = loudStretch(phone.recording().samples, rate, 700, 400);
      assert.ok(toneSnrDb(700, toPhone, rate) > snrDb, `${toneSnrDb(700, toPhone, rate)} dB`);
      const toUs = loudStretch(heard.samples(), leg.source.sampleRateHz, 500, 300);
      const toUsDb = toneSnrDb(500, toUs, leg.source.sampleRateHz);
      assert.ok(toUsDb > snrDb, `${toUsDb} dB`);
      assert.ok(leg.sink.playedMs() >= 600 && leg.sink.playedMs() <= 640, `${leg.sink.playedMs()}`);
    });
  }

  it('hears speech through loss, jitter, reordering and duplicates', async () => {
    const leg = await connect('pcmu');
    const relay = await LossyRelay.open({
      seed: 7,
      loss: 0.03,
      duplicate: 0.02,
      reorder: 0.02,
      jitterMs: 25,
      targetAddress: leg.local.address,
      targetPort: leg.local.port,
    });
    open.push(relay);
    await leg.update(parametersFor(phone, { remotePort: relay.gatewaySidePort }));
    phone.start('127.0.0.1', relay.port);
    const heard = record(leg);
    await phone.say({ samples: tone(500, 8000, 3000), sampleRateHz: 8000 });
    await phone.waitFor(({ arrivals }) => arrivals.length > 20);

    const pcm = loudStretch(heard.samples(), 8000, 500, 2000);
    assert.ok(amplitudeAt(500, pcm, 8000) > 5000, `${amplitudeAt(500, pcm, 8000)}`);
    const report = leg.report();
    assert.ok(report.packetsLost > 0 && report.framesConcealed > 0, JSON.stringify(report));
    assert.equal(report.packetsFromStrangers, 0);
  });

  it('hears each key press once and sends its own', async () => {
    const leg = await connect('pcma');
    const heard = record(leg);
    for (const digit of '159*') await phone.press(digit);
    await leg.sink.sendDigits('42#');
    assert.equal(heard.digits(), '159*');
    assert.equal(phone.heardDigits, '42#');
  });

  it('lets nothing in from a stranger once it has latched', async () => {
    const leg = await connect('pcmu');
    const heard = record(leg);
    const stranger = await TestPhone.open({ codec: 'pcmu', packetIntervalMs: 2 });
    open.push(stranger);
    await phone.waitFor(({ arrivals }) => arrivals.length > 5);
    stranger.start(leg.local.address, leg.local.port);
    await stranger.say({ samples: tone(1000, 8000, 4000), sampleRateHz: 8000 });
    await phone.waitFor(({ arrivals }) => arrivals.length > 30);
    assert.ok(leg.report().packetsFromStrangers >= 190);
    assert.equal(amplitudeAt(1000, heard.samples(), 8000) < 5, true);
    assert.equal(stranger.arrivals.length, 0);
  });

  it('runs one RTP clock through speech and silence, with a marker where speech begins', async () => {
    const leg = await connect('pcmu');
    leg.sink.write({ samples: tone(400, 8000, 100), sampleRateHz: 8000 });
    await leg.sink.drained();
    await phone.quietFor(200);
    leg.sink.write({ samples: tone(400, 8000, 100), sampleRateHz: 8000 });
    await leg.sink.drained();
    await phone.quietFor(60);
    for (const [index, arrival] of phone.arrivals.entries()) {
      const before = phone.arrivals[index - 1];
      if (before === undefined) continue;
      assert.equal((arrival.rtpTimestamp - before.rtpTimestamp) >>> 0, 160);
      assert.equal((arrival.sequenceNumber - before.sequenceNumber) & 0xffff, 1);
      assert.equal(arrival.ssrc, before.ssrc);
    }
    const marked = phone.arrivals.filter(({ hasMarker }) => hasMarker);
    assert.equal(marked.length, 2);
    assert.ok(marked.every(({ rms }) => rms > 1000));
  });

  it('sends next to nothing in a pause where DTX was agreed', async () => {
    const leg = await connect('opus');
    await leg.update(parametersFor(phone, { opusUseDtx: true }));
    leg.sink.write({ samples: tone(400, 24000, 200), sampleRateHz: 24000 });
    await leg.sink.drained();
    const sent = leg.report().packetsSent;
    await phone.say({ samples: new Int16Array(16000), sampleRateHz: 16000 });
    const inPause = leg.report().packetsSent - sent;
    assert.ok(inPause >= 1 && inPause <= 6, `${inPause} packets in a second`);
  });

  it('is silent on hold, keeps what it had to say, and hears silence', async () => {
    const leg = await connect('pcmu');
    const heard = record(leg);
    leg.sink.write({ samples: tone(400, 8000, 400), sampleRateHz: 8000 });
    await phone.nextSound();
    await leg.update(parametersFor(phone, { direction: 'inactive' }));
    const { packetsSent } = leg.report();
    const queuedMs = leg.sink.queuedMs();
    const heardBefore = heard.samples().length;
    await phone.say({ samples: tone(700, 8000, 300), sampleRateHz: 8000 });
    assert.equal(leg.report().packetsSent, packetsSent);
    assert.equal(leg.sink.queuedMs(), queuedMs);
    const onHold = heard.samples().subarray(heardBefore);
    assert.ok(onHold.length >= 8 * 240 && amplitudeAt(700, onHold, 8000) < 5);
    await leg.update(parametersFor(phone));
    await leg.sink.drained();
    assert.equal(leg.sink.playedMs(), 400);
  });

  it('changes the codec in mid-sentence and keeps its source and sink', async () => {
    const leg = await connect('pcmu', 'native');
    const heard = record(leg);
    const { source, sink } = leg;
    sink.write({ samples: tone(400, 8000, 600), sampleRateHz: 8000 });
    await phone.nextSound();
    const other = await TestPhone.open({ codec: 'opus' });
    open.push(other);
    await leg.update(parametersFor(other));
    other.start(leg.local.address, leg.local.port);
    assert.equal(leg.source, source);
    assert.equal(leg.sink, sink);
    assert.equal(sink.format, 'opus/48000/2');
    await other.say({ samples: tone(500, 16000, 400), sampleRateHz: 16000 });
    await sink.drained();
    await other.waitFor(({ arrivals }) => arrivals.filter(({ rms }) => rms > 1000).length > 10);
    const toPhone = loudStretch(other.recording().samples, 16000, 400, 200);
    assert.ok(amplitudeAt(400, toPhone, 16000) > 7000);
    assert.equal(source.sampleRateHz, 8000);
    const toUs = loudStretch(heard.samples(), 8000, 500, 200);
    assert.ok(amplitudeAt(500, toUs, 8000) > 6000);
  });

  it('plays keypad tones where telephone-event was not negotiated', async () => {
    const leg = await connect('pcmu');
    await leg.update(parametersFor(phone, { telephoneEventPayloadType: null }));
    await leg.sink.sendDigits('5');
    await phone.waitFor(({ arrivals }) => arrivals.filter(({ rms }) => rms > 1000).length >= 5);
    const pcm = loudStretch(phone.recording().samples, 8000, 770, 80);
    assert.ok(amplitudeAt(770, pcm, 8000) > 4000 && amplitudeAt(1336, pcm, 8000) > 4000);
    assert.equal(phone.heardDigits, '');
  });

  it('says goodbye by RTCP when it closes, and takes reports from the phone alone', async () => {
    const leg = await connect('pcmu');
    await phone.waitFor(({ arrivals }) => arrivals.length > 5);
    const ssrc = phone.arrivals[0]?.ssrc ?? 0;
    const report = {
      ssrc,
      fractionLost: 128,
      cumulativeLost: 3,
      highestSequence: 9,
      jitter: 0,
      lastSenderReport: 0,
      delaySinceLastSenderReport: 0,
    };
    const stranger = await TestPhone.open({ codec: 'pcmu' });
    open.push(stranger);
    stranger.start(leg.local.address, leg.local.port);
    const forged = { ...report, fractionLost: 255 };
    stranger.mute();
    stranger.sendRaw(
      serializeRtcpCompound([{ type: 'receiver-report', ssrc: stranger.ssrc, reports: [forged] }]),
    );
    await phone.waitFor(() => leg.report().packetsFromStrangers > 0);
    assert.equal(leg.report().remoteFractionLost, null);
    phone.sendRaw(
      serializeRtcpCompound([{ type: 'receiver-report', ssrc: phone.ssrc, reports: [report] }]),
    );
    await phone.waitFor(() => leg.report().remoteFractionLost === 0.5);
    leg.close();
    await phone.waitFor(({ rtcpArrivals }) => rtcpArrivals.length > 0);
    const last = parseRtcpCompound(phone.rtcpArrivals.at(-1) ?? Buffer.alloc(0));
    assert.deepEqual(
      last?.map(({ type }) => type),
      ['sender-report', 'source-description', 'goodbye'],
    );
    assert.equal(engine.legCount, 0);
  });

  it('counts what is no RTP and goes on', async () => {
    const leg = await connect('pcmu');
    await phone.waitFor(({ arrivals }) => arrivals.length > 2);
    for (const hex of ['00', '16fefd00', '80', '8005000100000000', '80c800', 'ffffffff']) {
      phone.sendRaw(Buffer.from(hex, 'hex'));
    }
    await phone.waitFor(() => leg.report().packetsMalformed >= 6);
    const { packetsReceived } = leg.report();
    await phone.waitFor(() => leg.report().packetsReceived > packetsReceived);
  });

  it('costs the other legs nothing when a listener throws', async () => {
    const leg = await connect('pcmu');
    leg.source.onFrame(() => {
      throw new Error('a mistake in speech');
    });
    await phone.waitFor(({ arrivals }) => arrivals.length > 5);
    assert.ok(errors.length > 0);
    errors.length = 0;
    leg.close();
    errors.length = 0;
  });
});

describe('a leg whose phone has gone', () => {
  it('says so once, but not on hold', async () => {
    const engine = await MediaEngine.start({
      bindAddress: '127.0.0.1',
      ports: PORTS,
      portDrainMs: 0,
      rtpTimeoutMs: 200,
      opus: 'none',
    });
    const phone = await TestPhone.open({ codec: 'pcmu' });
    const leg = await engine.openLeg();
    let timeouts = 0;
    const timedOut = new Promise<void>((resolve) =>
      leg.onMediaTimedOut(() => {
        timeouts += 1;
        resolve();
      }),
    );
    await leg.update(parametersFor(phone, { direction: 'sendonly' }));
    await phone.waitFor(({ arrivals }) => arrivals.length >= 20);
    assert.equal(timeouts, 0);
    await leg.update(parametersFor(phone));
    await timedOut;
    const { length } = phone.arrivals;
    await phone.waitFor(({ arrivals }) => arrivals.length >= length + 20);
    assert.equal(timeouts, 1);
    leg.close();
    engine.close();
    phone.close();
  });
});

describe('the media engine', () => {
  it('names what it cannot do', async () => {
    const engine = await MediaEngine.start({
      bindAddress: '127.0.0.1',
      ports: { min: PORTS.max + 1, max: PORTS.max + 2 },
      portDrainMs: 0,
      opus: 'none',
    });
    assert.deepEqual(engine.codecs, ['g722', 'pcmu', 'pcma']);
    const phone = await TestPhone.open({ codec: 'opus' });
    const hasCode = (code: string) => (error: unknown) =>
      error instanceof MediaError && error.code === code;
    const leg = await engine.openLeg();
    assert.throws(() => leg.sink, hasCode('MEDIA_LEG_NOT_READY'));
    await assert.rejects(leg.update(parametersFor(phone)), hasCode('MEDIA_CODEC_UNAVAILABLE'));
    const key = { suite: 'AES_CM_128_HMAC_SHA1_80', keySaltBase64: '' } as const;
    const secure = parametersFor(phone, { codec: 'pcmu', srtp: { local: key, remote: key } });
    await assert.rejects(leg.update(secure), hasCode('MEDIA_SRTP_KEY_INVALID'));
    await assert.rejects(engine.openLeg(), hasCode('MEDIA_PORTS_EXHAUSTED'));
    leg.close();
    leg.close();
    await assert.rejects(leg.update(parametersFor(phone)), hasCode('MEDIA_LEG_CLOSED'));
    const again = await engine.openLeg();
    assert.equal(again.local.port, leg.local.port);
    engine.close();
    assert.equal(engine.legCount, 0);
    phone.close();
  });

  it('speaks Opus both ways with either libopus, and says which', async () => {
    const options = { bindAddress: '127.0.0.1', ports: PORTS };
    const wasm = await MediaEngine.start({ ...options, opus: 'wasm' });
    assert.equal(wasm.opusEngine, 'wasm');
    assert.deepEqual(wasm.codecs, ['opus', 'g722', 'pcmu', 'pcma']);
    const auto = await MediaEngine.start(options);
    assert.notEqual(auto.opusEngine, null);
    wasm.close();
    auto.close();
  });
});
