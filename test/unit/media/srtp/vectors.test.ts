import assert from 'node:assert/strict';
import { createHmac } from 'node:crypto';
import { AesCmCipher } from '../../../../src/media/srtp/aes-cm-cipher.ts';
import { AES_CM_SHAPE, CounterKeystream } from '../../../../src/media/srtp/counter-keystream.ts';
import { GcmCipher } from '../../../../src/media/srtp/gcm-cipher.ts';
import { HmacSha1 } from '../../../../src/media/srtp/hmac-sha1.ts';
import { deriveKey } from '../../../../src/media/srtp/session-keys.ts';
import { seededRandom } from '../../../support/random.ts';

const hex = (text: string) => Buffer.from(text.replaceAll(' ', ''), 'hex');

describe('key derivation (RFC 3711 B.3)', () => {
  const masterKey = hex('E1F97A0D3E018BE0D64FA32C06DE4139');
  const masterSalt = hex('0EC675AD498AFEEBB6960B3AABE6');
  const derived = (label: number, bytes: number) =>
    deriveKey(masterKey, masterSalt, label, bytes).toString('hex').toUpperCase();

  it('gives the cipher key', () => {
    assert.equal(derived(0, 16), 'C61E7A93744F39EE10734AFE3FF7A087');
  });

  it('gives the cipher salt', () => {
    assert.equal(derived(2, 14), '30CBBC08863D8C85D49DB34A9AE1');
  });

  it('gives the authentication key', () => {
    const expected =
      'CEBE321F6FF7716B6FD4AB49AF256A156D38BAA48F0A0ACF3C34E2359E6CDBCEE049646C43D9327AD175578EF722' +
      '70986371C10C9A369AC2F94A8C5FBCDDDC256D6E919A48B610EF17C2041E474035766B68642C59BBFC2F34DB60DB' +
      'DFB2';
    assert.equal(derived(1, 94), expected);
  });
});

describe('the keystream of AES-CM (RFC 3711 B.2)', () => {
  const key = hex('2B7E151628AED2A6ABF7158809CF4F3C');
  const salt = hex('F0F1F2F3F4F5F6F7F8F9FAFBFCFD');

  it('begins as the RFC says, and goes on so to its 65,282nd block', () => {
    const keystream = new CounterKeystream(key, salt, AES_CM_SHAPE, 1);
    keystream.seek(0, 0, 0, 0xff02);
    const block = (index: number) => {
      const at = keystream.start + index * 16;
      return Buffer.from(keystream.bytes.subarray(at, at + 16))
        .toString('hex')
        .toUpperCase();
    };
    assert.deepEqual([0, 1, 2, 0xfeff, 0xff00, 0xff01].map(block), [
      'E03EAD0935C95E80E166B16DD92B4EB4',
      'D23513162B02D0F72A43A2FE4A5F97AB',
      '41E95B3BB0A2E8DD477901E4FCA894C0',
      'EC8CDF7398607CB0F2D21675EA9EA1E4',
      '362B7C3C6773516318A077D7FC5073AE',
      '6A2CC3787889374FBEB4C81B17BA6C44',
    ]);
  });

  it('is the same in a window, alone, late and after a longer packet', () => {
    const windowed = new CounterKeystream(key, salt, AES_CM_SHAPE);
    const next = seededRandom(5);
    const read = (stream: CounterKeystream, blocks: number) =>
      Buffer.from(stream.bytes.subarray(stream.start, stream.start + blocks * 16));
    for (let round = 0; round < 2000; round += 1) {
      // Around the end of a rollover, in and out of order, short and long packets.
      const index = 3 * 0x10000 - 1000 + round + Math.floor(next() * 40) - 20;
      const blocks = 1 + Math.floor(next() * (round % 50 === 0 ? 90 : 12));
      const at = [Math.floor(index / 0x10000), index % 0x10000] as const;
      windowed.seek(0xdeadbeef, ...at, blocks);
      const alone = new CounterKeystream(key, salt, AES_CM_SHAPE, 1);
      alone.seek(0xdeadbeef, ...at, blocks);
      assert.deepEqual(read(windowed, blocks), read(alone, blocks));
    }
  });
});

describe('HMAC-SHA1', () => {
  it('agrees with node:crypto on every length, with and without a suffix', () => {
    const next = seededRandom(6);
    const bytes = Buffer.from(Array.from({ length: 400 }, () => Math.floor(next() * 256)));
    for (let length = 0; length < 390; length += 1) {
      const key = bytes.subarray(length % 7, (length % 7) + 20);
      const start = length % 9;
      const suffix = length % 2 === 0 ? null : Math.floor(next() * 0x100000000);
      const hmac = new HmacSha1(key);
      hmac.compute(bytes, start, start + length, suffix);
      const expected = createHmac('sha1', key).update(bytes.subarray(start, start + length));
      if (suffix !== null) expected.update(hex(suffix.toString(16).padStart(8, '0')));
      const digest = Buffer.alloc(20);
      hmac.digest.forEach((word, index) => digest.writeInt32BE(word, index * 4));
      assert.deepEqual(digest, expected.digest());
    }
  });
});

describe('AEAD_AES_128_GCM (RFC 7714)', () => {
  const keys = {
    encryption: hex('000102030405060708090a0b0c0d0e0f'),
    authentication: Buffer.alloc(0),
    salt: hex('517569642070726f2071756f'),
  };
  const header = '8040f17b 8041f8d3 5501a0b2';
  const plain = hex(
    `${header} 47616c6c696120657374206f6d6e69732064697669736120696e207061727465732074726573`,
  );
  const sealed = hex(
    `${header} f24de3a3fb34de6cacba861c9d7e4bcabe633bd50d294e6f42a5f47a51c7d19b36de3adf8833` +
      '899d7f27beb16a9152cf765ee4390cce',
  );
  const rtp = { ssrc: 0x5501a0b2, rollover: 0, sequence: 0xf17b };
  const report =
    '4e5450314e545032525450200000042a0000e9304c756e61deadbeefdeadbeefdeadbeefdeadbeefdeadbeef';
  const plainRtcp = hex(`81c8000d 4d617273 ${report}`);
  const sealedRtcp = hex(
    '81c8000d 4d617273 63e94885dcdab67ca727d7662f6b7e997ff5c0f76c06f32dc676a5f1730d6fda4ce09b46' +
      '86303ded0bb9275b c84aa45896cf4d2fc5abf87245d9eade 800005d4',
  );
  const rtcp = { ssrc: 0x4d617273, rollover: 0, sequence: 0x05d4 };

  it('encrypts and tags a packet (§16.1.1)', () => {
    const packet = Buffer.alloc(sealed.length);
    packet.set(plain);
    assert.equal(new GcmCipher(keys, keys).sealRtp(packet, 12, plain.length, rtp), sealed.length);
    assert.deepEqual(packet, sealed);
  });

  it('checks and decrypts it (§16.1.2)', () => {
    const cipher = new GcmCipher(keys, keys);
    const packet = Buffer.from(sealed);
    const end = sealed.length - 16;
    assert.ok(cipher.isAuthenticRtp(packet, 12, end, rtp));
    cipher.openRtp(packet, 12, end, rtp);
    assert.deepEqual(packet.subarray(0, end), plain);
  });

  it('encrypts and tags RTCP (§17.1)', () => {
    const packet = Buffer.alloc(sealedRtcp.length);
    packet.set(plainRtcp);
    new GcmCipher(keys, keys).sealRtcp(packet, plainRtcp.length, rtcp);
    assert.deepEqual(packet, sealedRtcp);
  });

  it('checks and decrypts RTCP (§17.1), and RTCP that is only tagged (§17.3)', () => {
    const tagged = hex(`81c8000d 4d617273 ${report} 841dd9683dd78ec92ae58790125f62b3 000005d4`);
    for (const packet of [Buffer.from(sealedRtcp), tagged]) {
      const cipher = new GcmCipher(keys, keys);
      assert.ok(cipher.isAuthenticRtcp(packet, packet.length, rtcp));
      const end = cipher.openRtcp(packet, packet.length, rtcp);
      assert.deepEqual(packet.subarray(0, end), plainRtcp);
    }
  });

  it('refuses each packet of which one bit was changed', () => {
    const cipher = new GcmCipher(keys, keys);
    for (let bit = 0; bit < sealed.length * 8; bit += 1) {
      const packet = Buffer.from(sealed);
      packet[bit >> 3]! ^= 1 << (bit & 7);
      assert.equal(cipher.isAuthenticRtp(packet, 12, sealed.length - 16, rtp), false);
    }
    for (let bit = 0; bit < sealedRtcp.length * 8; bit += 1) {
      const packet = Buffer.from(sealedRtcp);
      packet[bit >> 3]! ^= 1 << (bit & 7);
      assert.equal(cipher.isAuthenticRtcp(packet, packet.length, rtcp), false);
    }
  });
});

describe('AES_CM_128_HMAC_SHA1', () => {
  const keys = { encryption: Buffer.alloc(16, 1), authentication: Buffer.alloc(20, 2) };
  const both = { ...keys, salt: Buffer.alloc(14, 3) };

  for (const tagBytes of [4, 10] as const) {
    it(`refuses each packet of which one bit was changed, with a tag of ${tagBytes} bytes`, () => {
      const cipher = new AesCmCipher(both, both, tagBytes);
      const stamp = { ssrc: 7, rollover: 1, sequence: 9 };
      const sealed = Buffer.alloc(60 + tagBytes, 0x80);
      assert.equal(cipher.sealRtp(sealed, 12, 60, stamp), 60 + tagBytes);
      assert.ok(cipher.isAuthenticRtp(sealed, 12, 60, stamp));
      assert.equal(cipher.isAuthenticRtp(sealed, 12, 60, { ...stamp, rollover: 0 }), false);
      for (let bit = 0; bit < sealed.length * 8; bit += 1) {
        const packet = Buffer.from(sealed);
        packet[bit >> 3]! ^= 1 << (bit & 7);
        assert.equal(cipher.isAuthenticRtp(packet, 12, 60, stamp), false);
      }
    });
  }
});
