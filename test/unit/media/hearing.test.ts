import assert from 'node:assert/strict';
import { G711Decoder } from '../../../src/media/codec/g711-codec.ts';
import { loadOpus } from '../../../src/media/codec/load-opus.ts';
import { Hearing } from '../../../src/media/hearing.ts';
import type { RtpParameters } from '../../../src/model/media.ts';
import { amplitudeAt, concat, rms, tone } from '../../support/audio.ts';
import { encodeMulaw } from '../../support/phone-codec.ts';

const PARAMETERS: RtpParameters = {
  codec: 'pcmu',
  payloadType: 0,
  ptimeMs: 20,
  telephoneEventPayloadType: 101,
  telephoneEventClockRateHz: 8000,
  comfortNoisePayloadType: 13,
  opusUseDtx: false,
  opusUseFec: false,
  remoteAddress: '127.0.0.1',
  remotePort: 4000,
  rtcpMux: true,
  remoteRtcpPort: 4000,
  direction: 'sendrecv',
  srtp: null,
};

class Rig {
  readonly hearing = new Hearing(new G711Decoder('pcmu'), 8000, PARAMETERS);
  readonly frames: Int16Array[] = [];
  readonly times: number[] = [];
  digits = '';

  constructor() {
    this.hearing.onFrame(({ samples }, mediaTimeMs) => {
      this.frames.push(samples.slice());
      this.times.push(mediaTimeMs);
    });
    this.hearing.onDigit((digit) => {
      this.digits += digit;
    });
  }

  packet(
    sequence: number,
    timestamp: number,
    payload: Uint8Array,
    payloadType = 0,
    ssrc = 1,
  ): void {
    const header = {
      payloadType,
      marker: false,
      sequenceNumber: sequence & 0xffff,
      rtpTimestamp: timestamp >>> 0,
      ssrc,
      payloadStart: 0,
      payloadEnd: payload.length,
    };
    this.hearing.onPacket(header, Buffer.from(payload));
  }

  voice(sequence: number, samples: number, ssrc = 1): void {
    const pcm = tone(400, 8000, samples / 8, 8000, sequence * samples);
    this.packet(sequence, sequence * samples, Uint8Array.from(pcm, encodeMulaw), 0, ssrc);
  }
}

describe('hearing', () => {
  it('gives a frame and a media time every tick, from silence on', () => {
    const rig = new Rig();
    for (let tick = 0; tick < 3; tick += 1) rig.hearing.tick(0);
    assert.deepEqual(rig.times, [0, 20, 40]);
    assert.equal(rms(concat(rig.frames)), 0);
  });

  for (const samples of [80, 160, 240, 320, 480]) {
    it(`cuts 20 ms frames from packets of ${samples / 8} ms`, () => {
      const rig = new Rig();
      const count = Math.ceil(3200 / samples);
      for (let tick = 0, sent = 0; tick < 25; tick += 1) {
        while (sent < count && sent * samples <= (tick + 1) * 160) rig.voice((sent += 1), samples);
        rig.hearing.tick(0);
      }
      assert.ok(rig.frames.every((frame) => frame.length === 160));
      const heard = concat(rig.frames.filter((frame) => rms(frame) > 4000));
      assert.ok(heard.length >= 2800, `${heard.length} samples`);
      assert.ok(amplitudeAt(400, heard.subarray(160, 2720), 8000) > 7000);
    });
  }

  it('conceals loss and counts it', () => {
    const rig = new Rig();
    for (let sequence = 1; sequence <= 40; sequence += 1) {
      if (sequence % 10 !== 0) rig.voice(sequence, 160);
      rig.hearing.tick(0);
    }
    const heard = rig.frames.slice(3);
    assert.ok(
      heard.every((frame) => rms(frame) > 2500),
      heard.map(rms).join(' '),
    );
    assert.ok(rig.hearing.framesConcealed >= 3);
  });

  it('plays on when the sender changes its SSRC', () => {
    const rig = new Rig();
    for (let sequence = 1; sequence <= 10; sequence += 1) {
      rig.voice(sequence, 160);
      rig.hearing.tick(0);
    }
    for (let sequence = 30_001; sequence <= 30_010; sequence += 1) {
      rig.voice(sequence, 160, 2);
      rig.hearing.tick(0);
    }
    assert.ok(rig.frames.slice(-8).every((frame) => rms(frame) > 4000));
  });

  it('takes digits from events once, and from INFO only while no event came', () => {
    const rig = new Rig();
    rig.hearing.injectDigit('7');
    for (let sequence = 1; sequence <= 5; sequence += 1) {
      rig.packet(sequence, 1000, Buffer.from([4, 10, 0, sequence * 20]), 101);
      rig.hearing.tick(0);
    }
    rig.hearing.injectDigit('4');
    assert.equal(rig.digits, '74');
    assert.equal(rig.hearing.framesConcealed, 0);
  });

  it('gives silence for comfort noise and for payloads it cannot decode', () => {
    const rig = new Rig();
    for (let sequence = 1; sequence <= 5; sequence += 1) {
      rig.packet(sequence, sequence * 160, Buffer.from([40]), 13);
      rig.hearing.tick(0);
    }
    rig.packet(6, 960, Buffer.alloc(0));
    rig.packet(7, 1120, Buffer.alloc(0));
    for (let tick = 0; tick < 3; tick += 1) rig.hearing.tick(0);
    assert.equal(rms(concat(rig.frames)), 0);
    assert.equal(rig.frames.length, 8);
  });

  it('keeps its rate when a re-INVITE changes the codec', async () => {
    const rig = new Rig();
    const opus = await loadOpus('wasm');
    assert.ok(opus);
    const encoder = await opus.createEncoder(16000);
    const decoder = await opus.createDecoder();
    const parameters = { ...PARAMETERS, codec: 'opus', payloadType: 111 } as const;
    rig.hearing.update(decoder, 48000, parameters);
    for (let n = 0; n < 30; n += 1) {
      const payload = encoder.encode(tone(400, 16000, 20, 8000, n * 320), n === 0);
      rig.packet(n, n * 960, payload, 111, 9);
      rig.hearing.tick(0);
    }
    assert.equal(rig.hearing.sampleRateHz, 8000);
    assert.ok(rig.frames.every((frame) => frame.length === 160));
    const heard = concat(rig.frames.slice(-20));
    assert.ok(Math.abs(amplitudeAt(400, heard, 8000) - 8000) < 900);
    encoder.close();
    decoder.close();
  });

  it('leaves nothing out when the thread was stalled and its packets come all at once', () => {
    const rig = new Rig();
    for (let sequence = 1; sequence <= 10; sequence += 1) {
      rig.voice(sequence, 160);
      rig.hearing.tick(0);
    }
    rig.hearing.tick(25);
    for (let sequence = 11; sequence <= 36; sequence += 1) rig.voice(sequence, 160);
    for (let sequence = 37; sequence <= 56; sequence += 1) {
      rig.hearing.tick(0);
      rig.voice(sequence, 160);
    }
    const loud = rig.frames.filter((frame) => rms(frame) > 4000).length;
    assert.ok(loud >= 52, `${loud} of 56 frames`);
    assert.equal(rig.times.at(-1), 20 * (10 + 26 + 20 - 1));
  });

  it('lets the media clock jump when nothing came during a stall', () => {
    const rig = new Rig();
    for (let sequence = 1; sequence <= 10; sequence += 1) {
      rig.voice(sequence, 160);
      rig.hearing.tick(0);
    }
    rig.hearing.tick(25);
    for (let tick = 0; tick < 20; tick += 1) rig.hearing.tick(0);
    assert.equal(rig.times.at(-1), 20 * (10 + 26 + 20 - 1));
  });

  it('hears a burst whole, and is back in time after a quiet moment', () => {
    const rig = new Rig();
    const silence = new Uint8Array(160).fill(0xff);
    for (let sequence = 1; sequence <= 10; sequence += 1) {
      rig.packet(sequence, sequence * 160, silence);
      rig.hearing.tick(0);
    }
    // The network held up twenty packets, and speech with them.
    for (let tick = 0; tick < 20; tick += 1) rig.hearing.tick(0);
    for (let sequence = 11; sequence <= 30; sequence += 1) rig.voice(sequence, 160);
    let ticks = 30;
    for (let sequence = 31; sequence <= 90; sequence += 1, ticks += 1) {
      rig.packet(sequence, sequence * 160, silence);
      rig.hearing.tick(0);
    }
    const loud = rig.frames.filter((frame) => rms(frame) > 4000).length;
    assert.ok(loud >= 19, `${loud} of 20 frames`);
    assert.equal(rig.times.at(-1), 20 * (ticks - 1));
    const lastLoud = rig.frames.findLastIndex((frame) => rms(frame) > 4000);
    assert.ok(lastLoud <= 30 + 20, `heard at ${lastLoud}`);
  });

  it('shortens its delay in a quiet moment after a burst', () => {
    const rig = new Rig();
    for (let sequence = 1; sequence <= 14; sequence += 1) rig.voice(sequence, 160);
    rig.hearing.tick(0);
    const silence = new Uint8Array(160).fill(0xff);
    for (let sequence = 15; sequence <= 40; sequence += 1) {
      rig.packet(sequence, sequence * 160, silence);
      rig.hearing.tick(0);
    }
    const loud = rig.frames.findLastIndex((frame) => rms(frame) > 4000);
    assert.ok(loud < 14, `last sound in frame ${loud}`);
  });

  describe('at once', () => {
    function rigAtOnce(): Rig {
      const rig = new Rig();
      rig.hearing.hearAtOnce(true);
      return rig;
    }

    it('gives each packet when it comes, and nothing more on the tick', () => {
      const rig = rigAtOnce();
      for (let sequence = 1; sequence <= 20; sequence += 1) {
        rig.voice(sequence, 160);
        rig.hearing.hearArrived();
        assert.equal(rig.frames.length, sequence);
        rig.hearing.tick(0);
        assert.equal(rig.frames.length, sequence);
      }
      assert.ok(rig.frames.every((frame) => rms(frame) > 4000));
      assert.deepEqual(
        rig.times,
        Array.from({ length: 20 }, (_, index) => index * 20),
      );
    });

    for (const samples of [80, 320, 480]) {
      it(`cuts 20 ms frames from packets of ${samples / 8} ms`, () => {
        const rig = rigAtOnce();
        for (let tick = 0, sent = 0; tick < 24; tick += 1) {
          while (sent * samples <= (tick + 1) * 160 - samples) {
            rig.voice((sent += 1), samples);
            rig.hearing.hearArrived();
          }
          rig.hearing.tick(0);
        }
        assert.ok(rig.frames.length >= 23 && rig.frames.length <= 25, `${rig.frames.length}`);
        assert.ok(rig.frames.slice(3).every((frame) => frame.length === 160 && rms(frame) > 4000));
        assert.equal(rig.hearing.framesConcealed, 0);
      });
    }

    it('puts packets in order that overtook each other', () => {
      const rig = rigAtOnce();
      for (const sequence of [1, 2, 4, 3, 5, 7, 8, 6, 9]) {
        rig.voice(sequence, 160);
        rig.hearing.hearArrived();
        rig.hearing.tick(0);
      }
      assert.equal(rig.hearing.framesConcealed, 0);
      assert.ok(amplitudeAt(400, concat(rig.frames), 8000) > 7500);
    });

    it('conceals what is lost, and stays in time', () => {
      const rig = rigAtOnce();
      for (let sequence = 1; sequence <= 100; sequence += 1) {
        if (sequence % 10 !== 5) rig.voice(sequence, 160);
        rig.hearing.hearArrived();
        rig.hearing.tick(0);
      }
      assert.equal(rig.hearing.framesConcealed, 10);
      assert.equal(rig.frames.length, 100);
      assert.ok(rig.frames.every((frame) => rms(frame) > 2500));
    });

    it('waits for packets that are late and misses none of them', () => {
      const rig = rigAtOnce();
      for (let sequence = 1; sequence <= 60; sequence += 3) {
        for (const late of [sequence, sequence + 1, sequence + 2]) rig.voice(late, 160);
        rig.hearing.hearArrived();
        for (let tick = 0; tick < 3; tick += 1) rig.hearing.tick(0);
      }
      assert.equal(rig.hearing.framesConcealed, 0);
      assert.equal(rig.hearing.lateCount, 0);
      assert.equal(rig.frames.length, 60);
    });

    it('goes on with silence while a sender pauses, and gives its next word at once', () => {
      const rig = rigAtOnce();
      for (let sequence = 1; sequence <= 10; sequence += 1) {
        rig.voice(sequence, 160);
        rig.hearing.hearArrived();
        rig.hearing.tick(0);
      }
      for (let tick = 0; tick < 50; tick += 1) rig.hearing.tick(0);
      const before = rig.frames.length;
      assert.ok(before >= 57 && before <= 60, `${before} frames`);
      assert.equal(rms(rig.frames.at(-1) ?? new Int16Array(1)), 0);
      const pcm = tone(400, 8000, 20, 8000, 0);
      rig.packet(11, 61 * 160, Uint8Array.from(pcm, encodeMulaw));
      rig.hearing.hearArrived();
      assert.equal(rig.frames.length, before + 1);
      assert.ok(rms(rig.frames.at(-1) ?? new Int16Array(1)) > 4000);
    });

    it('leaves nothing out when the thread was stalled and its packets come all at once', () => {
      const rig = rigAtOnce();
      for (let sequence = 1; sequence <= 10; sequence += 1) {
        rig.voice(sequence, 160);
        rig.hearing.hearArrived();
        rig.hearing.tick(0);
      }
      rig.hearing.tick(25);
      for (let sequence = 11; sequence <= 36; sequence += 1) rig.voice(sequence, 160);
      for (let sequence = 37; sequence <= 56; sequence += 1) {
        rig.hearing.tick(0);
        rig.voice(sequence, 160);
        rig.hearing.hearArrived();
      }
      const loud = rig.frames.filter((frame) => rms(frame) > 4000).length;
      assert.equal(loud, 56);
      assert.equal(rig.hearing.framesConcealed, 0);
    });

    it('lets the media clock jump when nothing came during a stall', () => {
      const rig = rigAtOnce();
      rig.voice(1, 160);
      rig.hearing.hearArrived();
      rig.hearing.tick(100);
      for (let tick = 0; tick < 20; tick += 1) rig.hearing.tick(0);
      assert.ok(Math.abs((rig.times.at(-1) ?? 0) - 20 * 120) <= 60, `${rig.times.at(-1)} ms`);
    });

    it('plays evenly again when who listened hands the line on', () => {
      const rig = rigAtOnce();
      let sequence = 0;
      const next = (): void => rig.voice((sequence += 1), 160);
      for (let tick = 0; tick < 10; tick += 1) {
        next();
        rig.hearing.hearArrived();
        rig.hearing.tick(0);
      }
      rig.hearing.hearAtOnce(false);
      const before = rig.frames.length;
      for (let tick = 0; tick < 20; tick += 1) {
        // Each second packet comes after the tick that it was due on.
        if (tick % 2 === 0) next();
        rig.hearing.tick(0);
        if (tick % 2 === 0) next();
      }
      assert.equal(rig.frames.length, before + 20);
      assert.ok(rig.frames.slice(before + 3).every((frame) => rms(frame) > 4000));
      assert.equal(rig.hearing.framesConcealed, 0);
    });
  });
});
