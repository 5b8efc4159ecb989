import assert from 'node:assert/strict';
import { createEncoder } from 'libopus-wasm';
import type { AudioDecoder } from '../../../../src/media/codec/audio-codec.ts';
import { loadOpus } from '../../../../src/media/codec/load-opus.ts';
import {
  OPUS_SILENCE,
  type OpusCodec,
  opusPacketMs,
} from '../../../../src/media/codec/opus-codec.ts';
import { amplitudeAt, concat, rms, tone, toneSnrDb } from '../../../support/audio.ts';
import { seededRandom } from '../../../support/random.ts';

function decodeAll(decoder: AudioDecoder, packets: readonly Uint8Array[]): Int16Array {
  return concat(
    packets.map((packet) => {
      const bytes = Buffer.from(packet);
      return decoder.decode(bytes, 0, bytes.length)?.slice() ?? new Int16Array(0);
    }),
  );
}

describe('the length of an Opus packet (RFC 6716 §3.1)', () => {
  for (const [hex, ms] of [
    ['b8', 20],
    ['f8fffe', 20],
    ['b9', 40],
    ['bb03', 60],
    ['bb06', 120],
    ['bb07', 0],
    ['bb', 0],
    ['80', 2.5],
    ['18', 60],
    ['60', 10],
    ['', 0],
  ] as const) {
    it(`of ${hex || 'nothing'} is ${ms} ms`, () => {
      const packet = Buffer.from(hex, 'hex');
      assert.equal(opusPacketMs(packet, 0, packet.length), ms);
    });
  }
});

for (const engine of ['native', 'wasm'] as const) {
  describe(`Opus by ${engine}`, () => {
    let opus: OpusCodec;

    before(async function () {
      const loaded = await loadOpus(engine);
      if (loaded === null) {
        // The addon is optional; WebAssembly must always load.
        assert.equal(engine, 'native');
        this.skip();
      }
      opus = loaded;
    });

    for (const rate of [16000, 24000, 48000] as const) {
      it(`carries a tone from ${rate} Hz to 16 kHz`, async () => {
        const encoder = await opus.createEncoder(rate);
        const decoder = await opus.createDecoder();
        const packets = Array.from({ length: 50 }, (_, n) =>
          encoder.encode(tone(440, rate, 20, 8000, (n * rate) / 50), n === 0),
        );
        const pcm = decodeAll(decoder, packets);
        assert.equal(pcm.length, 16000);
        assert.ok(toneSnrDb(440, pcm.subarray(1600), 16000) > 20);
        assert.ok(Math.abs(amplitudeAt(440, pcm.subarray(1600), 16000) - 8000) < 800);
        encoder.close();
        decoder.close();
      });
    }

    it('throws for a frame of a wrong length and lives on', async () => {
      const encoder = await opus.createEncoder(16000);
      for (const length of [0, 1, 319, 321, 640]) {
        assert.throws(() => encoder.encode(new Int16Array(length), false), RangeError);
      }
      assert.ok(encoder.encode(new Int16Array(320), false).length > 0);
      encoder.close();
    });

    it('changes its complexity while it runs', async () => {
      const encoder = await opus.createEncoder(24000);
      for (const complexity of [3, 1, 0, 10]) {
        encoder.setComplexity(complexity);
        assert.ok(encoder.encode(tone(300, 24000, 20), false).length > 10);
      }
      encoder.close();
    });

    it('knows a frame of silence that decodes to silence, even after speech', async () => {
      const encoder = await opus.createEncoder(24000);
      const decoder = await opus.createDecoder();
      const speech = Array.from({ length: 10 }, (_, n) =>
        encoder.encode(tone(300, 24000, 20, 8000, n * 480), n === 0),
      );
      decodeAll(decoder, speech);
      decodeAll(decoder, [OPUS_SILENCE]);
      assert.ok(rms(decodeAll(decoder, [OPUS_SILENCE, OPUS_SILENCE])) < 2);
      encoder.close();
      decoder.close();
    });

    it('recovers at once after silence when the frame is marked as the first', async () => {
      const frame = (n: number) => tone(300, 24000, 20, 8000, n * 480);
      const levelAfterSilence = async (isFirst: boolean): Promise<number> => {
        const encoder = await opus.createEncoder(24000);
        const decoder = await opus.createDecoder();
        const speech = Array.from({ length: 10 }, (_, n) => encoder.encode(frame(n), n === 0));
        decodeAll(decoder, [...speech, OPUS_SILENCE, OPUS_SILENCE, OPUS_SILENCE]);
        const again = [10, 11].map((n) => encoder.encode(frame(n), isFirst && n === 10));
        const pcm = decodeAll(decoder, again);
        encoder.close();
        decoder.close();
        return amplitudeAt(300, pcm.subarray(320), 16000);
      };
      const marked = await levelAfterSilence(true);
      const unmarked = await levelAfterSilence(false);
      assert.ok(Math.abs(marked - 8000) < 800, `marked: ${marked}`);
      assert.ok(unmarked < marked, `unmarked: ${unmarked}`);
    });

    it('conceals exactly one frame', async () => {
      const encoder = await opus.createEncoder(16000);
      const decoder = await opus.createDecoder();
      assert.equal(decoder.conceal(null, 0, 0).length, 320);
      const packets = [0, 1, 2, 3].map((n) =>
        encoder.encode(tone(300, 16000, 20, 8000, n * 320), n === 0),
      );
      decodeAll(decoder, packets);
      const made = decoder.conceal(null, 0, 0);
      assert.equal(made.length, 320);
      assert.ok(rms(made) > 1000, `${rms(made)}`);
      encoder.close();
      decoder.close();
    });

    it('conceals one frame after a packet of three', async () => {
      const decoder = await opus.createDecoder();
      const sixty = await createEncoder({ sampleRate: 16000, channels: 1, frameSize: 960 });
      const packet = Buffer.from(sixty.encode(tone(300, 16000, 60)));
      assert.equal(decoder.decode(packet, 0, packet.length)?.length, 960);
      assert.ok(decoder.conceal(null, 0, 0).length <= 960);
      sixty.free();
      decoder.close();
    });

    it('gives null or PCM, and nothing worse, for any bytes (seeded fuzz)', async () => {
      const decoder = await opus.createDecoder();
      const random = seededRandom(6716);
      for (let round = 0; round < 3000; round += 1) {
        const length = Math.floor(random() * 80);
        const packet = Buffer.from(Array.from({ length }, () => Math.floor(random() * 256)));
        const pcm = decoder.decode(packet, 0, length);
        assert.ok(pcm === null || pcm.length <= 1920);
      }
      decoder.close();
    });
  });
}

describe('in-band FEC of Opus (RFC 6716 §2.1.7)', () => {
  it('restores a lost frame from the next packet, by wasm', async () => {
    const opus = await loadOpus('wasm');
    assert.ok(opus);
    const encoder = await createEncoder({
      sampleRate: 16000,
      channels: 1,
      application: 2048,
      bitrate: 24_000,
      frameSize: 320,
      fec: true,
      packetLossPercent: 20,
    });
    // A chirp: repetition of the past cannot guess it.
    const chirp = Int16Array.from({ length: 16000 }, (_, n) =>
      Math.round(8000 * Math.sin(2 * Math.PI * (200 * (n / 16000) + 400 * (n / 16000) ** 2))),
    );
    const packets = Array.from({ length: 50 }, (_, n) =>
      Buffer.from(encoder.encode(chirp.subarray(n * 320, n * 320 + 320))),
    );
    const errorOf = async (hasNext: boolean): Promise<number> => {
      const whole = await opus.createDecoder();
      const lossy = await opus.createDecoder();
      let error = 0;
      for (const [n, packet] of packets.entries()) {
        const expected = whole.decode(packet, 0, packet.length)?.slice() ?? new Int16Array(320);
        const next = packets[n + 1] ?? null;
        const isLost = n % 7 === 5 && next !== null;
        const got = isLost
          ? lossy.conceal(hasNext ? next : null, 0, next.length).slice()
          : (lossy.decode(packet, 0, packet.length)?.slice() ?? new Int16Array(320));
        if (isLost) error += rms(got.map((sample, at) => (sample - expected[at]!) / 2));
      }
      whole.close();
      lossy.close();
      return error;
    };
    assert.ok((await errorOf(true)) < (await errorOf(false)) / 2);
    encoder.free();
  });
});
