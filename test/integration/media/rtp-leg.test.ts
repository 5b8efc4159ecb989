import assert from 'node:assert/strict';
import { MediaEngine } from '../../../src/media/media-engine.ts';
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
});
