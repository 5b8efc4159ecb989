import assert from 'node:assert/strict';
import { packetKind } from '../../../src/media/packet-kind.ts';

describe('telling packets apart by their first bytes (RFC 7983, RFC 5761)', () => {
  for (const [bytes, kind] of [
    [[0x80, 0], 'rtp'],
    [[0x80, 0x80 + 63], 'rtp'],
    [[0x80, 0xc8], 'rtcp'],
    [[0x81, 0xcb], 'rtcp'],
    [[0xbf, 111], 'rtp'],
    [[0, 1], 'stun'],
    [[22, 254], 'dtls'],
    [[64, 0], 'unknown'],
    [[255, 255], 'unknown'],
    [[0x80], 'unknown'],
    [[], 'unknown'],
  ] as const) {
    it(`[${bytes.join(' ')}] is ${kind}`, () => {
      assert.equal(packetKind(Buffer.from(bytes)), kind);
    });
  }
});
