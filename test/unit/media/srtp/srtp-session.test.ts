import assert from 'node:assert/strict';
import type { SrtpKeys } from '../../../../src/model/media.ts';
import { SrtpReceiver } from '../../../../src/media/srtp/srtp-receiver.ts';
import { SrtpSender } from '../../../../src/media/srtp/srtp-sender.ts';
import { SrtpSession } from '../../../../src/media/srtp/srtp-session.ts';
import { newSrtpKeys, PhoneSrtp } from '../../../support/phone-srtp.ts';
import { seededRandom } from '../../../support/random.ts';

const SUITES: readonly SrtpKeys['suite'][] = [
  'AES_CM_128_HMAC_SHA1_80',
  'AES_CM_128_HMAC_SHA1_32',
  'AEAD_AES_128_GCM',
];

function rtp(sequence: number, { ssrc = 7, payload = 'speech' } = {}): Buffer {
  const packet = Buffer.concat([Buffer.alloc(12), Buffer.from(payload)]);
  packet[0] = 0x80;
  packet.writeUInt16BE(sequence & 0xffff, 2);
  packet.writeUInt32BE((sequence * 160) >>> 0, 4);
  packet.writeUInt32BE(ssrc, 8);
  return packet;
}

function rtcp(ssrc = 7): Buffer {
  const packet = Buffer.alloc(28, 0x55);
  packet.writeUInt32BE(0x80c80006, 0);
  packet.writeUInt32BE(ssrc, 4);
  return packet;
}

const sealed = (sender: SrtpSender, packet: Buffer) => Buffer.from(sender.protectRtp(packet));

for (const suite of SUITES) {
  describe(`SRTP with ${suite}`, () => {
    it('agrees with a telephone that follows the RFC by another way, over two rollovers', () => {
      const keys = newSrtpKeys(suite);
      const [sender, receiver] = [new SrtpSender(keys), new SrtpReceiver(keys)];
      const [speaks, hears] = [new PhoneSrtp(keys), new PhoneSrtp(keys)];
      for (let index = 30_000; index < 30_000 + 140_000; index += index % 20_000 < 50 ? 1 : 250) {
        const packet = rtp(index, { payload: 'x'.repeat(index % 300) });
        assert.deepEqual(hears.unprotect(sealed(sender, packet)), packet);
        const coming = speaks.protect(packet);
        const length = receiver.unprotectRtp(coming);
        assert.equal(length, packet.length);
        assert.deepEqual(coming.subarray(0, packet.length), packet);
      }
    });

    it('takes the MKI out that a telephone puts in, of RTP and RTCP, and misses none', () => {
      const keys = newSrtpKeys(suite);
      const mki = Buffer.from('c0ffee01', 'hex');
      const session = new SrtpSession({
        local: newSrtpKeys(suite),
        remote: { ...keys, mkiHex: mki.toString('hex') },
      });
      const [speaks, sender] = [new PhoneSrtp(keys), new SrtpSender(keys)];
      const withMki = (packet: Buffer, tagBytes: number) => {
        const at = packet.length - (suite === 'AEAD_AES_128_GCM' ? 0 : tagBytes);
        return Buffer.concat([packet.subarray(0, at), mki, packet.subarray(at)]);
      };
      for (let index = 0; index < 40; index += 1) {
        const packet = rtp(index, { payload: 'x'.repeat(index) });
        const protectedOne = speaks.protect(packet);
        const isSent = index % 4 !== 3;
        const tagBytes = suite === 'AES_CM_128_HMAC_SHA1_32' ? 4 : 10;
        const coming = isSent ? withMki(protectedOne, tagBytes) : protectedOne;
        assert.equal(session.unprotectRtp(coming, 0), packet.length);
        assert.deepEqual(coming.subarray(0, packet.length), packet);
      }
      const report = withMki(sender.protectRtcp(rtcp()), 10);
      assert.equal(session.unprotectRtcp(report, 0), rtcp().length);
      assert.deepEqual(report.subarray(0, 28), rtcp());
      const forged = withMki(speaks.protect(rtp(50)), suite.endsWith('_32') ? 4 : 10);
      const before = Buffer.from(forged);
      before[20]! ^= 1;
      const copy = Buffer.from(before);
      assert.equal(session.unprotectRtp(before, 0), -1);
      assert.deepEqual(before, copy, 'what is refused stays as it came');
    });

    it('takes packets out of order around a rollover', () => {
      const keys = newSrtpKeys(suite);
      const sender = new SrtpSender(keys);
      const receiver = new SrtpReceiver(keys);
      const packets = Array.from({ length: 100 }, (_, at) => sealed(sender, rtp(0xffd0 + at)));
      const next = seededRandom(3);
      const shuffled = packets
        .map((packet, at) => ({ packet, at: at + next() * 20 }))
        .sort((a, b) => a.at - b.at);
      for (const { packet } of shuffled)
        assert.equal(typeof receiver.unprotectRtp(packet), 'number');
    });

    it('refuses what has been there before, and what is older than its window', () => {
      const keys = newSrtpKeys(suite);
      const sender = new SrtpSender(keys);
      const receiver = new SrtpReceiver(keys);
      const packets = Array.from({ length: 300 }, (_, at) => sealed(sender, rtp(at)));
      const copies = packets.map((packet) => Buffer.from(packet));
      const held = packets[170]!;
      for (const packet of packets.filter((each) => each !== held)) receiver.unprotectRtp(packet);
      assert.equal(receiver.unprotectRtp(copies[299]!), 'replayed');
      assert.equal(receiver.unprotectRtp(copies[200]!), 'replayed');
      assert.equal(receiver.unprotectRtp(copies[171]!), 'replayed');
      assert.equal(receiver.unprotectRtp(copies[10]!), 'replayed');
      assert.equal(receiver.unprotectRtp(copies[172]!), 'replayed');
      // 129 behind the newest: too old, although it never came.
      assert.equal(receiver.unprotectRtp(held), 'replayed');
    });

    it('takes a late packet that is 127 behind the newest', () => {
      const keys = newSrtpKeys(suite);
      const sender = new SrtpSender(keys);
      const receiver = new SrtpReceiver(keys);
      const packets = Array.from({ length: 128 }, (_, at) => sealed(sender, rtp(at)));
      for (const packet of packets.slice(1)) receiver.unprotectRtp(packet);
      assert.equal(receiver.unprotectRtp(packets[0]!), 18);
    });

    it('is not moved by packets that are not authentic', () => {
      const keys = newSrtpKeys(suite);
      const [sender, receiver] = [new SrtpSender(keys), new SrtpReceiver(keys)];
      const stranger = new SrtpSender(newSrtpKeys(suite));
      receiver.unprotectRtp(sealed(sender, rtp(100)));
      for (let sequence = 0; sequence < 0x10000; sequence += 97) {
        assert.equal(receiver.unprotectRtp(sealed(stranger, rtp(sequence))), 'unauthenticated');
        assert.equal(receiver.unprotectRtp(rtp(sequence)), 'unauthenticated', 'plain RTP');
      }
      assert.equal(receiver.unprotectRtp(sealed(sender, rtp(101))), 18);
    });

    it('opens RTCP once, and none that was changed', () => {
      const keys = newSrtpKeys(suite);
      const [sender, receiver] = [new SrtpSender(keys), new SrtpReceiver(keys)];
      for (let round = 0; round < 200; round += 1) {
        const packet = sender.protectRtcp(rtcp());
        assert.notDeepEqual(packet.subarray(8, 28), rtcp().subarray(8));
        const copy = Buffer.from(packet);
        const forged = Buffer.from(packet);
        forged[round % forged.length]! ^= 1;
        assert.equal(receiver.unprotectRtcp(forged), 'unauthenticated');
        assert.equal(receiver.unprotectRtcp(packet), 28);
        assert.deepEqual(packet.subarray(0, 28), rtcp());
        assert.equal(receiver.unprotectRtcp(copy), 'replayed');
      }
    });

    it('never throws for whatever comes', () => {
      const receiver = new SrtpReceiver(newSrtpKeys(suite));
      const next = seededRandom(11);
      for (let round = 0; round < 5000; round += 1) {
        const length = Math.floor(next() * (round % 10 === 0 ? 1600 : 40));
        const junk = Buffer.from(Array.from({ length }, () => Math.floor(next() * 256)));
        assert.equal(receiver.unprotectRtp(junk), 'unauthenticated');
        assert.equal(receiver.unprotectRtcp(junk), 'unauthenticated');
      }
    });
  });
}

describe('SRTP of a leg', () => {
  const suite = 'AES_CM_128_HMAC_SHA1_80';
  const agreed = { local: newSrtpKeys(suite), remote: newSrtpKeys(suite) };

  it('counts packets without a right tag, and replayed ones', () => {
    const session = new SrtpSession(agreed);
    const phone = new SrtpSender(agreed.remote);
    const packet = sealed(phone, rtp(1));
    const copy = Buffer.from(packet);
    assert.equal(session.unprotectRtp(packet, 0), 18);
    assert.equal(session.unprotectRtp(copy, 0), -1);
    assert.equal(session.unprotectRtp(rtp(2), 0), -1);
    assert.deepEqual([session.replayedCount, session.unauthenticatedCount], [1, 1]);
  });

  it('goes on with its counters when an offer repeats the keys', () => {
    const session = new SrtpSession(agreed);
    const phone = new PhoneSrtp(agreed.local);
    for (let index = 0xffff; index < 0x10003; index += 1) {
      session.update({ local: { ...agreed.local }, remote: { ...agreed.remote } }, 0);
      assert.deepEqual(phone.unprotect(session.protectRtp(rtp(index))), rtp(index));
    }
  });

  it('begins anew with a new key, and still hears the old one for two seconds', () => {
    const session = new SrtpSession(agreed);
    const old = new SrtpSender(agreed.remote);
    const remote = newSrtpKeys('AEAD_AES_128_GCM');
    const renewed = new SrtpSender(remote);
    session.unprotectRtp(sealed(old, rtp(1)), 0);
    session.update({ local: agreed.local, remote }, 1000);
    assert.equal(session.unprotectRtp(sealed(old, rtp(2)), 2999), 18);
    assert.equal(session.unprotectRtp(sealed(renewed, rtp(3)), 2999), 18);
    assert.equal(session.unprotectRtp(sealed(old, rtp(4)), 3000), -1);
    assert.equal(session.unprotectRtp(sealed(renewed, rtp(5)), 3000), 18);
  });

  it('never hides two packets behind the same keystream when a key comes back', () => {
    const session = new SrtpSession(agreed);
    const phone = new PhoneSrtp(agreed.local);
    phone.unprotect(session.protectRtp(rtp(0xffff)));
    session.update({ local: newSrtpKeys('AEAD_AES_128_GCM'), remote: agreed.remote }, 0);
    session.protectRtp(rtp(0));
    session.update(agreed, 0);
    assert.deepEqual(phone.unprotect(session.protectRtp(rtp(1))), rtp(1), 'of the next rollover');
  });

  it('refuses keys of a wrong length', () => {
    const short = { suite, keySaltBase64: 'AAAA' } as const;
    assert.throws(() => new SrtpSession({ local: agreed.local, remote: short }), {
      code: 'MEDIA_SRTP_KEY_INVALID',
    });
  });
});
