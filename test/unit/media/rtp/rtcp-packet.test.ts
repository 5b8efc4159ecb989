import assert from 'node:assert/strict';
import {
  parseRtcpCompound,
  type RtcpPacket,
  serializeRtcpCompound,
} from '../../../../src/media/rtp/rtcp-packet.ts';
import { seededRandom } from '../../../support/random.ts';

const REPORT = {
  ssrc: 0x01020304,
  fractionLost: 64,
  cumulativeLost: -5,
  highestSequence: 0x1ffff,
  jitter: 321,
  lastSenderReport: 0xaabbccdd,
  delaySinceLastSenderReport: 65536,
};

const COMPOUND: RtcpPacket[] = [
  {
    type: 'sender-report',
    ssrc: 0xfedcba98,
    ntpSeconds: 0xe0000000,
    ntpFraction: 0x80000000,
    rtpTimestamp: 0xffffffff,
    packetCount: 100,
    octetCount: 16000,
    reports: [REPORT],
  },
  { type: 'source-description', ssrc: 0xfedcba98, cname: 'phone' },
  { type: 'goodbye', ssrcs: [0xfedcba98] },
];

describe('an RTCP compound (RFC 3550 §6.1)', () => {
  it('reads back what was written', () => {
    assert.deepEqual(parseRtcpCompound(serializeRtcpCompound(COMPOUND)), COMPOUND);
  });

  it('writes the report block as the RFC draws it', () => {
    const bytes = serializeRtcpCompound([{ type: 'receiver-report', ssrc: 1, reports: [REPORT] }]);
    const expected =
      '81c90007 00000001 01020304 40fffffb 0001ffff 00000141 aabbccdd 00010000'.replaceAll(' ', '');
    assert.equal(bytes.toString('hex'), expected);
  });

  it('pads every CNAME to a word', () => {
    for (let length = 0; length <= 8; length += 1) {
      const packet: RtcpPacket = {
        type: 'source-description',
        ssrc: 7,
        cname: 'x'.repeat(length),
      };
      const bytes = serializeRtcpCompound([packet]);
      assert.equal(bytes.length % 4, 0);
      assert.deepEqual(parseRtcpCompound(bytes), [packet]);
    }
  });

  it('skips feedback, application and extended reports', () => {
    const feedback = Buffer.from('81ce00020000000100000002', 'hex');
    const compound = Buffer.concat([serializeRtcpCompound(COMPOUND), feedback]);
    assert.deepEqual(parseRtcpCompound(compound), COMPOUND);
  });

  for (const [what, hex] of [
    ['is cut short', '80c80006000000'],
    ['has another version', '40c9000100000001'],
    ['is no RTCP', '8060000100000001'],
    ['claims more words than it has', '80c9000500000001'],
    ['claims more reports than it has', '82c9000100000001'],
    ['is padded before its end', 'a0c90002000000010000000480c9000100000001'],
    ['claims padding of zero bytes', 'a0c900020000000100000000'],
    ['has an item that runs over its end', '81ca0002000000010109414200'],
  ] as const) {
    it(`is refused when it ${what}`, () => {
      assert.equal(parseRtcpCompound(Buffer.from(hex, 'hex')), null);
    });
  }

  it('never throws, whatever the bytes (seeded fuzz)', () => {
    const random = seededRandom(3551);
    const original = serializeRtcpCompound(COMPOUND);
    let accepted = 0;
    for (let round = 0; round < 20_000; round += 1) {
      const packet = Buffer.from(original.subarray(0, Math.ceil(random() * original.length)));
      for (let change = random() * 4; change > 0; change -= 1) {
        packet[Math.floor(random() * packet.length)] = Math.floor(random() * 256);
      }
      if (parseRtcpCompound(packet) !== null) accepted += 1;
    }
    assert.ok(accepted > 100 && accepted < 20_000, `${accepted} accepted`);
  });
});
