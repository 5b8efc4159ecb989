import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import {
  ALAW_SILENCE,
  ALAW_TO_LINEAR,
  LINEAR_TO_ALAW,
  LINEAR_TO_MULAW,
  MULAW_SILENCE,
  MULAW_TO_LINEAR,
} from '../../../../src/media/codec/g711.ts';
import { G711Decoder, G711Encoder } from '../../../../src/media/codec/g711-codec.ts';
import { decodeAlaw, decodeMulaw, encodeAlaw, encodeMulaw } from '../../../support/phone-codec.ts';

const LAWS = [
  { name: 'µ-law', format: 'mulaw', decode: MULAW_TO_LINEAR, encode: LINEAR_TO_MULAW },
  { name: 'A-law', format: 'alaw', decode: ALAW_TO_LINEAR, encode: LINEAR_TO_ALAW },
] as const;

const EVERY_CODE = Buffer.from(Array.from({ length: 256 }, (_, code) => code));

function ffmpeg(from: readonly string[], to: readonly string[], input: Buffer): Buffer | null {
  const quiet = ['-hide_banner', '-loglevel', 'error'];
  const rate = ['-ar', '8000', '-ac', '1'];
  const run = spawnSync(
    'ffmpeg',
    [...quiet, '-f', ...from, ...rate, '-i', 'pipe:0', '-f', ...to, 'pipe:1'],
    { input },
  );
  return run.error === undefined && run.status === 0 ? run.stdout : null;
}

describe('G.711 tables', () => {
  for (const { name, format, decode, encode } of LAWS) {
    it(`decodes ${name} as ffmpeg does, code by code`, function () {
      const reference = ffmpeg([format], ['s16le'], EVERY_CODE);
      if (reference === null) this.skip();
      const expected = Array.from(EVERY_CODE, (code) => reference.readInt16LE(code * 2));
      assert.deepEqual([...decode], expected);
    });

    it(`gives every ${name} code back after decoding and encoding it`, () => {
      for (const code of EVERY_CODE) {
        // µ-law has two zeros; the negative one comes back as the positive.
        const expected = format === 'mulaw' && code === 0x7f ? 0xff : code;
        assert.equal(encode[decode[code]! & 0xffff], expected);
      }
    });

    it(`encodes every sample to a nearest ${name} value`, () => {
      for (let sample = -32768; sample <= 32767; sample += 1) {
        const error = Math.abs(decode[encode[sample & 0xffff]!]! - sample);
        assert.ok(error <= Math.max(16, Math.abs(sample) / 28 + 8), `${sample}: off by ${error}`);
      }
    });
  }

  it('agree with the intervals of the recommendation, as the test phone computes them', () => {
    for (let sample = -32768; sample <= 32767; sample += 1) {
      assert.equal(LINEAR_TO_ALAW[sample & 0xffff], encodeAlaw(sample), `A-law of ${sample}`);
      if (sample % 4 !== 0 || Math.abs(sample) > 32_000) continue;
      assert.equal(LINEAR_TO_MULAW[sample & 0xffff], encodeMulaw(sample), `µ-law of ${sample}`);
    }
    for (const code of EVERY_CODE) {
      assert.equal(ALAW_TO_LINEAR[code], decodeAlaw(code));
      assert.equal(Math.abs(MULAW_TO_LINEAR[code]! - decodeMulaw(code)), 0);
    }
  });

  it('have a silence code that decodes to nothing audible', () => {
    assert.equal(MULAW_TO_LINEAR[MULAW_SILENCE], 0);
    assert.equal(ALAW_TO_LINEAR[ALAW_SILENCE], 8);
  });
});

describe('the G.711 codec', () => {
  it('decodes packets of any length up to 120 ms and refuses others', () => {
    const decoder = new G711Decoder('pcmu');
    assert.equal(decoder.decode(Buffer.alloc(240, 0xff), 0, 240)?.length, 240);
    assert.equal(decoder.decode(Buffer.alloc(0), 0, 0), null);
    assert.equal(decoder.decode(Buffer.alloc(961), 0, 961), null);
  });

  it('has a frame of silence to send', () => {
    const { silence } = new G711Encoder('pcma');
    assert.equal(silence.length, 160);
    assert.ok(silence.every((code) => code === ALAW_SILENCE));
  });
});
