import assert from 'node:assert/strict';
import { setFlagsFromString } from 'node:v8';
import { runInNewContext } from 'node:vm';

import * as fc from 'fast-check';

import type { AudioCapabilities } from '../../../../src/signaling/sdp/audio-answer.ts';
import { answerOffer, writeAnswer } from '../../../../src/signaling/sdp/audio-answer.ts';
import { makeOffer, readAnswer } from '../../../../src/signaling/sdp/audio-offer.ts';
import { SdpError } from '../../../../src/signaling/sdp/sdp-error.ts';
import { SdpOrigin } from '../../../../src/signaling/sdp/sdp-origin.ts';
import {
  parseSessionDescription,
  serializeSessionDescription,
} from '../../../../src/signaling/sdp/session-description.ts';
import { OFFERS } from './offers.ts';

const RUNS = { seed: 20_261_122, numRuns: 4_000 };
const LOCAL = { address: '198.51.100.5', port: 40_002 };
const ALL: AudioCapabilities = {
  codecs: ['opus', 'g722', 'pcma', 'pcmu'],
  createSrtpKeys: (suite) => ({ suite, keySaltBase64: 'A'.repeat(40) }),
};
const OFFER = makeOffer(ALL, LOCAL, new SdpOrigin(1));

/** Runs every door of the folder; anything but `SdpError` gets out. */
function throughEveryDoor(text: string): 'taken' | 'refused' {
  try {
    readAnswer(OFFER, text);
  } catch (error) {
    if (!(error instanceof SdpError)) throw error;
  }
  try {
    const answer = writeAnswer(answerOffer(text, ALL), LOCAL, new SdpOrigin(2));
    assert.ok(Buffer.byteLength(answer) < 3_000);
    assert.ok(parseSessionDescription(answer).media.length > 0);
    return 'taken';
  } catch (error) {
    if (error instanceof SdpError) return 'refused';
    throw error;
  }
}

const piece = fc.oneof(
  fc.string({ maxLength: 12 }),
  fc.string({ unit: 'binary', maxLength: 6 }),
  fc.constantFrom(
    '\r\n',
    '\r',
    '=',
    ' ',
    ':',
    '/',
    '0',
    '65536',
    'm=audio 1 RTP/AVP 0\r\n',
    'IN IP6 ::',
  ),
);

/** A device's offer with a few cuts, each filled with something else. */
const mutated = fc
  .record({
    offer: fc.constantFrom(...Object.values(OFFERS)),
    cuts: fc.array(fc.record({ at: fc.nat(999), cut: fc.nat(8), piece }), {
      minLength: 1,
      maxLength: 3,
    }),
  })
  .map(({ offer, cuts }) => {
    let text: string = offer;
    for (const { at, cut, piece: filling } of cuts) {
      const start = Math.floor((at * text.length) / 1_000);
      text = text.slice(0, start) + filling + text.slice(start + cut);
    }
    return text;
  });

describe('session descriptions under fuzz', () => {
  it('of any text throw nothing but SdpError', () => {
    fc.assert(
      fc.property(fc.string({ unit: 'binary', maxLength: 400 }), (text) => {
        throughEveryDoor(text);
      }),
      RUNS,
    );
  });

  it('of damaged offers throw nothing but SdpError, and some are still answered', () => {
    const verdicts = { taken: 0, refused: 0 };
    fc.assert(
      fc.property(mutated, (text) => {
        verdicts[throughEveryDoor(text)] += 1;
      }),
      RUNS,
    );
    assert.ok(verdicts.taken > 100 && verdicts.refused > 100, JSON.stringify(verdicts));
  });

  it('read again what they wrote', () => {
    fc.assert(
      fc.property(mutated, (text) => {
        let once: ReturnType<typeof parseSessionDescription>;
        try {
          once = parseSessionDescription(text);
        } catch {
          return;
        }
        assert.deepEqual(parseSessionDescription(serializeSessionDescription(once)), once);
      }),
      RUNS,
    );
  });

  it('leave nothing behind', () => {
    setFlagsFromString('--expose-gc');
    const gc = runInNewContext('gc') as () => void;
    const samples = fc.sample(mutated, { seed: 7, numRuns: 200 });
    const round = () => samples.forEach((text) => throughEveryDoor(text));
    const heapBytes = () => {
      gc();
      return process.memoryUsage().heapUsed;
    };
    for (let index = 0; index < 10; index += 1) round();
    const before = heapBytes();
    for (let index = 0; index < 20; index += 1) round();
    const grownBytes = heapBytes() - before;
    assert.ok(grownBytes < 1024 * 1024, `grew by ${grownBytes} bytes`);
  });
});
