import assert from 'node:assert/strict';
import { G722Decoder, G722Encoder } from '../../../../src/media/codec/g722-codec.ts';
import { G722Coder, G722Reader } from '../../../../src/media/codec/g722.ts';
import { concat, rms, tone, toneSnrDb } from '../../../support/audio.ts';
import { Ffmpeg, fromPcm, hasFfmpeg, toPcm } from '../../../support/ffmpeg.ts';
import { seededRandom } from '../../../support/random.ts';

const RATE_HZ = 16_000;
const FRAME = 320;

/** Silence, sweeps, speech-like bursts, noise and clipping: every quantizer gets its turn. */
function variedAudio(seconds: number): Int16Array {
  const next = seededRandom(4);
  return Int16Array.from({ length: seconds * RATE_HZ }, (_, at) => {
    const time = at / RATE_HZ;
    const sweep = Math.sin(2 * Math.PI * (100 + 700 * time) * time);
    const burst = Math.abs(Math.sin(time * 9)) ** 3;
    const part = Math.floor(time) % 5;
    if (part === 0) return 0;
    if (part === 1) return Math.round(12_000 * sweep);
    if (part === 2) return Math.round(burst * (next() * 40_000 - 20_000));
    if (part === 3) return next() < 0.5 ? -32_768 : 32_767;
    return Math.round(9000 * sweep * burst + next() * 200 - 100);
  });
}

function inFrames(pcm: Int16Array, each: (frame: Int16Array) => void): void {
  for (let at = 0; at + FRAME <= pcm.length; at += FRAME) each(pcm.subarray(at, at + FRAME));
}

function coded(pcm: Int16Array): Buffer {
  const coder = new G722Coder();
  const pieces: Buffer[] = [];
  inFrames(pcm, (frame) => {
    const out = Buffer.alloc(FRAME / 2);
    coder.encode(frame, out);
    pieces.push(out);
  });
  return Buffer.concat(pieces);
}

function decoded(bytes: Buffer): Int16Array {
  const reader = new G722Reader();
  const pieces: Int16Array[] = [];
  for (let at = 0; at + 160 <= bytes.length; at += 160) {
    const pcm = new Int16Array(FRAME);
    reader.decode(bytes, at, at + 160, pcm);
    pieces.push(pcm);
  }
  return concat(pieces);
}

const through = (pcm: Int16Array): Int16Array => decoded(coded(pcm));

describe('G.722', () => {
  describe('beside ffmpeg', () => {
    before(function () {
      if (hasFfmpeg) return;
      process.stderr.write('skipped: needs the Debian package ffmpeg\n');
      this.skip();
    });
    const raw = ['-f', 's16le', '-ar', '16000', '-ac', '1', '-i', '-'];

    it('encodes 20 s of anything to the same bits', async () => {
      const pcm = variedAudio(20);
      const theirs = new Ffmpeg([...raw, '-c:a', 'g722', '-f', 'g722', '-'], fromPcm(pcm));
      assert.ok((await theirs.output()).equals(coded(pcm)));
    });

    it('decodes 10 s of speech-like bits, and 2 s of random ones, to the same samples', async () => {
      const next = seededRandom(8);
      const random = Buffer.from(Array.from({ length: 16_000 }, () => Math.floor(next() * 256)));
      const bits = Buffer.concat([coded(variedAudio(10)), random]);
      const theirs = new Ffmpeg(['-f', 'g722', '-i', '-', '-f', 's16le', '-'], bits);
      assert.deepEqual(decoded(bits), toPcm(await theirs.output()));
    });
  });

  for (const [frequencyHz, snrDb] of [
    [300, 30],
    [1000, 30],
    [3000, 25],
    [6000, 15],
  ] as const) {
    it(`carries a tone of ${frequencyHz} Hz, with noise ${snrDb} dB below it`, () => {
      const out = through(tone(frequencyHz, RATE_HZ, 600, 8000));
      const settled = out.subarray(RATE_HZ / 5, RATE_HZ / 2);
      const got = toneSnrDb(frequencyHz, settled, RATE_HZ);
      assert.ok(got > snrDb, `${got.toFixed(1)} dB`);
      assert.ok(Math.abs(rms(settled) / (8000 / Math.SQRT2) - 1) < 0.06);
    });
  }

  it('keeps silence silent, and its silent frame too', () => {
    assert.ok(rms(through(new Int16Array(RATE_HZ))) < 3);
    const decoder = new G722Decoder();
    const silence = Buffer.from(new G722Encoder().silence);
    const speech = coded(tone(500, RATE_HZ, 500, 12_000));
    for (let at = 0; at < speech.length; at += 160) decoder.decode(speech, at, at + 160);
    for (let frame = 0; frame < 20; frame += 1) {
      const pcm = decoder.decode(silence, 0, silence.length) ?? assert.fail();
      // At most a direct current that nobody hears: -60 dB.
      if (frame > 5) assert.ok(rms(pcm) < 40, `frame ${frame}: ${rms(pcm)}`);
    }
  });

  it('begins an utterance after a pause without a click', () => {
    const speech = tone(440, RATE_HZ, 200, 9000);
    const encoder = new G722Encoder();
    // Something that the far side never heard must not be felt.
    encoder.encode(tone(2000, RATE_HZ, 20, 20_000), true);
    const frames: Uint8Array[] = Array.from({ length: 50 }, () => encoder.silence);
    let isFirst = true;
    inFrames(speech, (frame) => {
      frames.push(encoder.encode(frame, isFirst));
      isFirst = false;
    });
    const heard = decoded(Buffer.concat(frames)).subarray(50 * FRAME);
    // The two filters delay by 22 samples.
    const error = (frame: number) => {
      const part = heard.subarray(frame * FRAME + 22, (frame + 1) * FRAME);
      return rms(part.map((sample, at) => sample - speech[frame * FRAME + at]!));
    };
    assert.ok(error(0) < 600, `${error(0)}`);
    for (let frame = 1; frame < 9; frame += 1) assert.ok(error(frame) < 30, `${error(frame)}`);
  });

  it('makes up lost frames, and has forgotten them 40 ms later', () => {
    const bits = coded(tone(400, RATE_HZ, 1000, 8000));
    const [decoder, clean] = [new G722Decoder(), new G722Decoder()];
    for (let frame = 0; frame < 50; frame += 1) {
      const [start, end] = [frame * 160, frame * 160 + 160];
      const isLost = frame === 20 || frame === 35 || frame === 36;
      const right = (clean.decode(bits, start, end) ?? assert.fail()).slice();
      const got = isLost ? decoder.conceal() : (decoder.decode(bits, start, end) ?? assert.fail());
      assert.ok(rms(got) > 2500, `frame ${frame}: ${rms(got)}`);
      const isSettled = frame < 20 || (frame > 23 && frame < 35) || frame > 39;
      if (!isSettled) continue;
      const error = rms(got.map((sample, at) => sample - right[at]!));
      assert.ok(error < 1500, `frame ${frame}: ${error}`);
    }
  });

  it('takes packets of 10 to 120 ms and nothing else', () => {
    const decoder = new G722Decoder();
    const packet = Buffer.alloc(2000, 0xfa);
    for (const bytes of [80, 160, 240, 320, 480, 960]) {
      assert.equal(decoder.decode(packet, 0, bytes)?.length, bytes * 2);
    }
    for (const bytes of [0, 961, 2000]) assert.equal(decoder.decode(packet, 0, bytes), null);
  });
});
