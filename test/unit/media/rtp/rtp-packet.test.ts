import assert from 'node:assert/strict';
import {
  emptyRtpHeader,
  parseRtpPacket,
  RTP_PACKET_BYTES_MAX,
  sequenceDistance,
  timestampDistance,
  writeRtpHeader,
} from '../../../../src/media/rtp/rtp-packet.ts';
import { seededRandom } from '../../../support/random.ts';

function parse(bytes: readonly number[]) {
  const header = emptyRtpHeader();
  return parseRtpPacket(Buffer.from(bytes), header) ? header : null;
}

const FIXED = [0x80, 0xe0, 0x69, 0x8f, 0xd9, 0xc2, 0x93, 0xda, 0x1c, 0x64, 0x27, 0x82];

describe('an RTP packet (RFC 3550 §5.1)', () => {
  it('gives its fixed header and payload', () => {
    assert.deepEqual(parse([...FIXED, 1, 2, 3]), {
      payloadType: 96,
      marker: true,
      sequenceNumber: 27023,
      rtpTimestamp: 3653407706,
      ssrc: 476325762,
      payloadStart: 12,
      payloadEnd: 15,
    });
  });

  it('skips contributing sources', () => {
    const header = parse([0x82, ...FIXED.slice(1), 0, 0, 0, 1, 0, 0, 0, 2, 9]);
    assert.equal(header?.payloadStart, 20);
    assert.equal(header?.payloadEnd, 21);
  });

  it('skips a header extension (RFC 8285 §4.2)', () => {
    const extension = [0xbe, 0xde, 0, 1, 0x50, 0xaa, 0, 0];
    const header = parse([0x90, ...FIXED.slice(1), ...extension, 7, 8]);
    assert.equal(header?.payloadStart, 20);
    assert.equal(header?.payloadEnd, 22);
  });

  it('takes padding off the payload', () => {
    const header = parse([0xa0, ...FIXED.slice(1), 7, 8, 0, 0, 3]);
    assert.equal(header?.payloadEnd, 14);
  });

  for (const [what, bytes] of [
    ['is shorter than a header', FIXED.slice(0, 11)],
    ['has another version', [0x40, ...FIXED.slice(1)]],
    ['claims more sources than it holds', [0x8f, ...FIXED.slice(1), 1, 2, 3]],
    ['ends inside its extension', [0x90, ...FIXED.slice(1), 0xbe, 0xde, 0, 2, 1, 2, 3, 4]],
    ['has no room for an extension header', [0x90, ...FIXED.slice(1), 0xbe]],
    ['claims padding of zero bytes', [0xa0, ...FIXED.slice(1), 1, 0]],
    ['claims more padding than payload', [0xa0, ...FIXED.slice(1), 1, 9]],
    [
      'is longer than any network carries',
      Array.from({ length: RTP_PACKET_BYTES_MAX + 1 }, () => 0x80),
    ],
  ] as const) {
    it(`is refused when it ${what}`, () => assert.equal(parse(bytes), null));
  }

  it('reads back what was written', () => {
    const packet = Buffer.alloc(20, 5);
    writeRtpHeader(packet, 111, true, 65535, 0xfffffff0, 0xdeadbeef);
    const header = emptyRtpHeader();
    assert.ok(parseRtpPacket(packet, header));
    const { payloadType, marker, sequenceNumber, rtpTimestamp, ssrc } = header;
    assert.deepEqual(
      [payloadType, marker, sequenceNumber, rtpTimestamp, ssrc],
      [111, true, 65535, 0xfffffff0, 0xdeadbeef],
    );
  });

  it('never reads past its end, whatever the bytes (seeded fuzz)', () => {
    const random = seededRandom(3550);
    const header = emptyRtpHeader();
    let accepted = 0;
    for (let round = 0; round < 20_000; round += 1) {
      const packet = Buffer.from(
        Array.from({ length: Math.floor(random() * 64) }, () => Math.floor(random() * 256)),
      );
      if (packet.length > 0 && random() < 0.8) packet[0] = 0x80 | (packet[0]! & 0x3f);
      if (!parseRtpPacket(packet, header)) continue;
      accepted += 1;
      assert.ok(header.payloadStart >= 12 && header.payloadStart <= header.payloadEnd);
      assert.ok(header.payloadEnd <= packet.length);
    }
    assert.ok(accepted > 1000, `${accepted} accepted`);
  });
});

describe('sequence and timestamp arithmetic', () => {
  it('goes round (RFC 1982)', () => {
    assert.equal(sequenceDistance(65535, 0), 1);
    assert.equal(sequenceDistance(0, 65535), -1);
    assert.equal(timestampDistance(0xffffffff, 159), 160);
    assert.equal(timestampDistance(159, 0xffffffff), -160);
  });
});
