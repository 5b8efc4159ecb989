import assert from 'node:assert/strict';
import { createSocket } from 'node:dgram';
import { once } from 'node:events';
import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { MediaEngine } from '../../../src/media/media-engine.ts';
import type { RtpLeg } from '../../../src/media/rtp-leg.ts';
import type { RtpParameters, SrtpKeys } from '../../../src/model/media.ts';
import { amplitudeAt, concat, tone, toneSnrDb } from '../../support/audio.ts';
import { Ffmpeg, hasFfmpeg, toPcm } from '../../support/ffmpeg.ts';
import { newSrtpKeys, srtpKeysOf } from '../../support/phone-srtp.ts';
import { temporaryFolder } from '../../support/temporary-folder.ts';
import { TestPhone } from '../../support/test-phone.ts';

const SUITES: readonly SrtpKeys['suite'][] = [
  'AES_CM_128_HMAC_SHA1_80',
  'AES_CM_128_HMAC_SHA1_32',
  'AEAD_AES_128_GCM',
];
const RATE_HZ = 8000;

function parametersFor(
  remotePort: number,
  srtp: RtpParameters['srtp'],
  changes: Partial<RtpParameters> = {},
): RtpParameters {
  return {
    codec: 'pcmu',
    payloadType: 0,
    ptimeMs: 20,
    telephoneEventPayloadType: 101,
    telephoneEventClockRateHz: 8000,
    comfortNoisePayloadType: null,
    opusUseDtx: false,
    opusUseFec: false,
    remoteAddress: '127.0.0.1',
    remotePort,
    rtcpMux: true,
    remoteRtcpPort: remotePort,
    direction: 'sendrecv',
    srtp,
    ...changes,
  };
}

/** What a phone reads of our answer. */
const answerOf = ({ local }: RtpLeg, keys: SrtpKeys): string =>
  `c=IN IP4 ${local.address}\r\nm=audio ${local.port} RTP/SAVP 0\r\n` +
  `a=crypto:1 ${keys.suite} inline:${keys.keySaltBase64}\r\n`;

/** Level of a tone in the loudest 200 ms. */
function loudness(samples: Int16Array, frequencyHz: number): number {
  let loudest = 0;
  for (let at = 0; at + 1600 <= samples.length; at += 160) {
    const level = amplitudeAt(frequencyHz, samples.subarray(at, at + 1600), RATE_HZ);
    loudest = Math.max(loudest, level);
  }
  return loudest;
}

describe('an RTP leg with SRTP', () => {
  let engine: MediaEngine;
  let leg: RtpLeg;
  let heard: Int16Array[];
  const errors: unknown[] = [];
  const open: { close(): void }[] = [];

  beforeEach(async () => {
    engine = await MediaEngine.start({
      bindAddress: '127.0.0.1',
      ports: { min: 42_400, max: 42_599 },
      portDrainMs: 0,
      opus: 'none',
      onError: (error) => errors.push(error),
    });
    leg = await engine.openLeg();
    heard = [];
  });
  afterEach(() => {
    engine.close();
    for (const each of open.splice(0)) each.close();
    assert.deepEqual(errors.splice(0), []);
  });

  async function connect(suite: SrtpKeys['suite']) {
    const phone = await TestPhone.open({ codec: 'pcmu', srtp: { suite, protocol: 'RTP/SAVP' } });
    open.push(phone);
    const local = newSrtpKeys(suite);
    const remote = srtpKeysOf(phone.sdp()) ?? assert.fail();
    await leg.update(parametersFor(phone.port, { local, remote }));
    leg.source.onFrame(({ samples }) => heard.push(samples.slice()));
    phone.connectTo(answerOf(leg, local));
    return { phone, local, remote };
  }

  const exchange = async (phone: TestPhone) => {
    leg.sink.write({ samples: tone(700, RATE_HZ, 600), sampleRateHz: RATE_HZ });
    leg.sink.flush();
    const from = phone.arrivals.length;
    await phone.say({ samples: tone(500, RATE_HZ, 600), sampleRateHz: RATE_HZ });
    await leg.sink.drained();
    await phone.waitFor(
      ({ arrivals }) => arrivals.slice(from).filter(({ rms }) => rms > 1000).length >= 25,
    );
  };

  for (const suite of SUITES) {
    it(`carries tones and keys both ways with ${suite}`, async () => {
      const { phone } = await connect(suite);
      let digits = '';
      leg.source.onDigit((digit) => (digits += digit));
      await exchange(phone);
      await phone.press('5');
      await leg.sink.sendDigits('42#');
      await phone.waitFor(({ heardDigits }) => heardDigits === '42#');
      assert.equal(digits, '5');
      assert.ok(loudness(concat(heard), 500) > 7000);
      assert.ok(loudness(phone.recording().samples, 700) > 7000);
      assert.equal(phone.unauthenticCount, 0);
      const report = leg.report();
      assert.equal(report.encryption, suite);
      assert.deepEqual([report.packetsUnauthenticated, report.packetsReplayed], [0, 0]);
    });
  }

  it('lets in nothing without a right tag, and is not drawn away by it', async () => {
    const { phone } = await connect('AES_CM_128_HMAC_SHA1_80');
    await phone.waitFor(() => leg.report().packetsReceived > 5);
    const stranger = await TestPhone.open({ codec: 'pcmu' });
    open.push(stranger);
    stranger.start(leg.local.address, leg.local.port);
    const saying = stranger.say({ samples: tone(900, RATE_HZ, 1000), sampleRateHz: RATE_HZ });
    await exchange(phone);
    await saying;
    assert.ok(loudness(concat(heard), 900) < 100, 'the stranger is not heard');
    assert.equal(stranger.arrivals.length, 0, 'and hears nothing');
    assert.ok(leg.report().packetsUnauthenticated >= 45);
  });

  it('is not latched on a stranger who speaks before the phone', async () => {
    const stranger = await TestPhone.open({ codec: 'pcmu' });
    open.push(stranger);
    const suite = 'AES_CM_128_HMAC_SHA1_80';
    const [local, remote] = [newSrtpKeys(suite), newSrtpKeys(suite)];
    // The phone's description names a place where nobody is.
    await leg.update(parametersFor(9, { local, remote }));
    stranger.start(leg.local.address, leg.local.port);
    await new Promise((resolve) => setTimeout(resolve, 200));
    assert.equal(stranger.arrivals.length, 0);
    assert.ok(leg.report().packetsUnauthenticated >= 5);
  });

  it('takes each packet once', async () => {
    const { phone, remote } = await connect('AEAD_AES_128_GCM');
    await phone.waitFor(() => leg.report().packetsReceived > 5);
    const relay = createSocket('udp4').bind(0, '127.0.0.1');
    open.push(relay);
    await once(relay, 'listening');
    // A second phone with the same key, whose packets are repeated by somebody on the way.
    const copied: Buffer[] = [];
    relay.on('message', (packet) => copied.push(packet));
    const other = await TestPhone.open({
      codec: 'pcmu',
      srtp: { suite: remote.suite, protocol: 'RTP/SAVP' },
    });
    open.push(other);
    other.adoptKeys(remote);
    other.connectTo(
      answerOf(leg, newSrtpKeys(remote.suite)).replace(
        `m=audio ${leg.local.port}`,
        `m=audio ${relay.address().port}`,
      ),
    );
    await new Promise((resolve) => setTimeout(resolve, 200));
    const sent = copied.slice(0, 5);
    for (const round of [0, 1, 2]) {
      for (const packet of sent) relay.send(packet, leg.local.port, leg.local.address);
      await new Promise((resolve) => setTimeout(resolve, 30 + round));
    }
    assert.equal(leg.report().packetsReplayed, 10);
  });

  it('goes on with another key after a re-INVITE, and hears every packet', async () => {
    const { phone, local } = await connect('AES_CM_128_HMAC_SHA1_80');
    await exchange(phone);
    phone.rekey();
    const remote = srtpKeysOf(phone.sdp()) ?? assert.fail();
    const renewed = newSrtpKeys('AES_CM_128_HMAC_SHA1_80');
    await leg.update(parametersFor(phone.port, { local: renewed, remote }));
    phone.connectTo(answerOf(leg, renewed));
    heard.length = 0;
    await exchange(phone);
    assert.ok(loudness(concat(heard), 500) > 7000);
    assert.notEqual(local.keySaltBase64, renewed.keySaltBase64);
    // Ours under the new key may have come before the phone knew it.
    assert.ok(phone.unauthenticCount <= 2, `${phone.unauthenticCount}`);
    assert.equal(leg.report().packetsUnauthenticated, 0);
  });

  it('goes back to plain RTP when an answer says so, and hears only that', async () => {
    const { phone } = await connect('AES_CM_128_HMAC_SHA1_80');
    await exchange(phone);
    await leg.update(parametersFor(phone.port, null));
    phone.connectTo(answerOf(leg, newSrtpKeys('AES_CM_128_HMAC_SHA1_80')).replace(/a=.*/, ''));
    heard.length = 0;
    await exchange(phone);
    assert.ok(loudness(concat(heard), 500) > 7000);
    assert.equal(leg.report().encryption, null);
  });

  describe('and ffmpeg', function () {
    this.timeout(30_000);
    const ffmpegs: Ffmpeg[] = [];
    before(function () {
      if (hasFfmpeg) return;
      process.stderr.write('skipped: needs the Debian package ffmpeg\n');
      this.skip();
    });
    afterEach(async () => {
      for (const ffmpeg of ffmpegs.splice(0)) await ffmpeg.stop();
    });

    for (const suite of SUITES.slice(0, 2)) {
      it(`hears it with ${suite}`, async () => {
        const [local, remote] = [newSrtpKeys(suite), newSrtpKeys(suite)];
        await leg.update(parametersFor(9, { local, remote }, { rtcpMux: false }));
        leg.source.onFrame(({ samples }) => heard.push(samples.slice()));
        const source = 'sine=frequency=500:duration=2:sample_rate=8000';
        const key = remote.keySaltBase64;
        const ffmpeg = new Ffmpeg(
          `-re -f lavfi -i ${source} -af volume=8 -c:a pcm_mulaw -f rtp -srtp_out_suite ${suite} -srtp_out_params ${key} srtp://127.0.0.1:${leg.local.port}?pkt_size=172`.split(
            ' ',
          ),
        );
        ffmpegs.push(ffmpeg);
        await ffmpeg.output();
        await new Promise((resolve) => setTimeout(resolve, 200));
        const samples = concat(heard);
        const at = samples.findIndex((sample) => Math.abs(sample) > 1000) + 4000;
        const snrDb = toneSnrDb(500, samples.subarray(at, at + 4000), RATE_HZ);
        assert.ok(snrDb > 30, `${snrDb} dB`);
        const report = leg.report();
        assert.ok(report.packetsReceived > 80, `${report.packetsReceived}`);
        // RFC 4568 §6.2: RTCP's tag has 80 bits in both suites; ffmpeg's has 32 in the second.
        const reports = suite === 'AES_CM_128_HMAC_SHA1_80' ? 0 : 1;
        assert.equal(report.packetsUnauthenticated, reports);
        assert.equal(report.packetsMalformed, 0);
      });

      it(`is heard by it with ${suite}`, async () => {
        const [local, remote] = [newSrtpKeys(suite), newSrtpKeys(suite)];
        const port = 42_598;
        const folder = await temporaryFolder();
        const description = join(folder.path, 'leg.sdp');
        await writeFile(
          description,
          [
            'v=0',
            'o=- 1 1 IN IP4 127.0.0.1',
            's=-',
            'c=IN IP4 127.0.0.1',
            't=0 0',
            `m=audio ${port} RTP/SAVP 0`,
            `a=crypto:1 ${suite} inline:${local.keySaltBase64}`,
            '',
          ].join('\r\n'),
        );
        const reads = `-protocol_whitelist file,rtp,srtp,udp -i ${description}`;
        const ffmpeg = new Ffmpeg(`${reads} -t 1.5 -f s16le -`.split(' '));
        ffmpegs.push(ffmpeg);
        const recorded = ffmpeg.output();
        await leg.update(parametersFor(port, { local, remote }, { rtcpMux: false }));
        leg.sink.write({ samples: tone(700, RATE_HZ, 8000), sampleRateHz: RATE_HZ });
        leg.sink.flush();
        const samples = toPcm(await recorded);
        await folder.remove();
        const middle = samples.subarray(4000, 8000);
        assert.ok(toneSnrDb(700, middle, RATE_HZ) > 30, `${toneSnrDb(700, middle, RATE_HZ)} dB`);
      });
    }
  });
});
