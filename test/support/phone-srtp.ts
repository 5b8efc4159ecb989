import { createCipheriv, createDecipheriv, createHmac, randomBytes } from 'node:crypto';
import type { SrtpKeys } from '../../src/model/media.ts';

type Suite = SrtpKeys['suite'];

/** Fresh keys as they stand in `a=crypto`. */
export function newSrtpKeys(suite: Suite): SrtpKeys {
  const bytes = suite === 'AEAD_AES_128_GCM' ? 28 : 30;
  return { suite, keySaltBase64: randomBytes(bytes).toString('base64') };
}

const ANY_SUITE = 'AES_CM_128_HMAC_SHA1_(?:80|32)|AEAD_AES_128_GCM';

/** The first `a=crypto:1 AES_CM_128_HMAC_SHA1_80 inline:…` of a description (of that suite). */
export function cryptoLineOf(
  sdp: string,
  suite: string = ANY_SUITE,
): { readonly tag: string; readonly keys: SrtpKeys } | null {
  const pattern = new RegExp(`^a=crypto:(\\d+) (${suite}) inline:([^|\\s]+)`, 'm');
  const [, tag, found, keySaltBase64] = pattern.exec(sdp) ?? [];
  if (tag === undefined || keySaltBase64 === undefined) return null;
  return { tag, keys: { suite: found as Suite, keySaltBase64 } };
}

/** One `a=crypto`, the MKI as a number and its length. */
export function cryptoLine(tag: string, { suite, keySaltBase64 }: SrtpKeys, mki?: Buffer): string {
  const parameters =
    mki === undefined ? '' : `|2^31|${mki.readUIntBE(0, mki.length)}:${mki.length}`;
  return `a=crypto:${tag} ${suite} inline:${keySaltBase64}${parameters}`;
}

/** The first key of a description; null when it has none. */
export const srtpKeysOf = (sdp: string): SrtpKeys | null => cryptoLineOf(sdp)?.keys ?? null;

/**
 * A test telephone's SRTP in one direction: straight from the RFCs with a new cipher for every
 * packet, written apart from the gateway's so that it can contradict it. One SSRC, no replay
 * protection, RTP only.
 */
export class PhoneSrtp {
  readonly #suite: Suite;
  readonly #key: Buffer;
  readonly #salt: Buffer;
  readonly #authKey: Buffer;
  #rollover = 0;
  #last = -1;

  constructor({ suite, keySaltBase64 }: SrtpKeys) {
    const master = Buffer.from(keySaltBase64, 'base64');
    const isGcm = suite === 'AEAD_AES_128_GCM';
    this.#suite = suite;
    this.#key = derive(master, 0, 16);
    this.#authKey = derive(master, 1, 20);
    this.#salt = derive(master, 2, isGcm ? 12 : 14);
  }

  /** @param mki goes before the tag, or behind everything with GCM */
  protect(packet: Buffer, mki: Buffer = Buffer.alloc(0)): Buffer {
    const sequence = this.#advance(packet);
    const [header, payload] = [packet.subarray(0, 12), packet.subarray(12)];
    if (this.#suite === 'AEAD_AES_128_GCM') {
      const cipher = createCipheriv('aes-128-gcm', this.#key, this.#gcmIv(packet, sequence));
      cipher.setAAD(header);
      return Buffer.concat([
        header,
        cipher.update(payload),
        cipher.final(),
        cipher.getAuthTag(),
        mki,
      ]);
    }
    const iv = this.#counterIv(packet, sequence);
    const cipher = createCipheriv('aes-128-ctr', this.#key, iv);
    const sealed = Buffer.concat([header, cipher.update(payload)]);
    return Buffer.concat([sealed, mki, this.#tag(sealed)]);
  }

  /** Null when the tag is wrong. Packets must come in order. */
  unprotect(packet: Buffer): Buffer | null {
    const sequence = this.#advance(packet);
    const header = packet.subarray(0, 12);
    if (this.#suite === 'AEAD_AES_128_GCM') {
      const decipher = createDecipheriv('aes-128-gcm', this.#key, this.#gcmIv(packet, sequence));
      decipher.setAAD(header).setAuthTag(packet.subarray(-16));
      const payload = decipher.update(packet.subarray(12, -16));
      try {
        decipher.final();
      } catch {
        return null;
      }
      return Buffer.concat([header, payload]);
    }
    const sealed = packet.subarray(0, packet.length - this.#tagBytes);
    if (!this.#tag(sealed).equals(packet.subarray(-this.#tagBytes))) return null;
    const iv = this.#counterIv(packet, sequence);
    const payload = createDecipheriv('aes-128-ctr', this.#key, iv).update(sealed.subarray(12));
    return Buffer.concat([header, payload]);
  }

  get #tagBytes(): number {
    return this.#suite === 'AES_CM_128_HMAC_SHA1_32' ? 4 : 10;
  }

  #advance(packet: Buffer): number {
    const sequence = packet.readUInt16BE(2);
    if (this.#last - sequence > 32768) this.#rollover += 1;
    this.#last = sequence;
    return sequence;
  }

  #tag(sealed: Buffer): Buffer {
    const rollover = Buffer.alloc(4);
    rollover.writeUInt32BE(this.#rollover);
    const hmac = createHmac('sha1', this.#authKey).update(sealed).update(rollover);
    return hmac.digest().subarray(0, this.#tagBytes);
  }

  /** RFC 3711 §4.1.1 as one big number. */
  #counterIv(packet: Buffer, sequence: number): Buffer {
    const index = BigInt(this.#rollover) * 65536n + BigInt(sequence);
    const salt = BigInt(`0x${this.#salt.toString('hex')}`);
    const iv = (salt << 16n) ^ (BigInt(packet.readUInt32BE(8)) << 64n) ^ (index << 16n);
    return Buffer.from(iv.toString(16).padStart(32, '0'), 'hex');
  }

  /** RFC 7714 §8.1. */
  #gcmIv(packet: Buffer, sequence: number): Buffer {
    const clear = Buffer.alloc(12);
    packet.copy(clear, 2, 8, 12);
    clear.writeUInt32BE(this.#rollover, 6);
    clear.writeUInt16BE(sequence, 10);
    return Buffer.from(clear.map((byte, index) => byte ^ this.#salt[index]!));
  }
}

/** RFC 3711 §4.3: the label above 48 bits of zero, added to the salt. */
function derive(master: Buffer, label: number, bytes: number): Buffer {
  const salt = Buffer.concat([master.subarray(16), Buffer.alloc(14)]).subarray(0, 14);
  const x = BigInt(`0x${salt.toString('hex')}`) ^ (BigInt(label) << 48n);
  const iv = Buffer.from((x << 16n).toString(16).padStart(32, '0'), 'hex');
  return createCipheriv('aes-128-ctr', master.subarray(0, 16), iv).update(Buffer.alloc(bytes));
}
