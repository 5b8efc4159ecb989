import type { SrtpKeys } from '../../model/media.ts';
import type { SdpAttribute, SdpMedia } from './session-description.ts';

/** Length of master key and salt (RFC 4568 §6.2, RFC 7714 §14.1). */
export const KEY_SALT_BYTES: Readonly<Record<SrtpKeys['suite'], number>> = {
  AES_CM_128_HMAC_SHA1_80: 30,
  AES_CM_128_HMAC_SHA1_32: 30,
  AEAD_AES_128_GCM: 28,
};

/** Key and salt, perhaps a lifetime, perhaps an MKI and its length. */
const INLINE =
  /^inline:([A-Za-z0-9+/]+={0,2})(?:\|(?:2\^)?[0-9]{1,15})?(?:\|([0-9]{1,39}):([0-9]{1,3}))?$/;
const MKI_BYTES_MAX = 128;

/** A crypto line that may be answered: its tag comes back in the answer. */
export interface SdesCrypto {
  readonly tag: string;
  readonly keys: SrtpKeys;
}

const isSuite = (suite: string): suite is SrtpKeys['suite'] => Object.hasOwn(KEY_SALT_BYTES, suite);

/**
 * Reads one `a=crypto` (RFC 4568 §9.1). Null for what we do not do: unknown suites, several
 * keys, session parameters, keys of a wrong length. A lifetime is read past.
 */
function readCrypto(value: string): SdesCrypto | null {
  const [tag = '', suite = '', parameters = '', ...session] = value.split(/ +/);
  if (!/^[0-9]{1,9}$/.test(tag) || !isSuite(suite) || session.length > 0) return null;
  const match = INLINE.exec(parameters);
  const [, keySaltBase64 = '', mki, mkiBytes] = match ?? [];
  if (Buffer.from(keySaltBase64, 'base64').length !== KEY_SALT_BYTES[suite]) return null;
  if (mki === undefined) return { tag, keys: { suite, keySaltBase64 } };
  const mkiHex = mkiHexOf(mki, Number(mkiBytes));
  return mkiHex === null ? null : { tag, keys: { suite, keySaltBase64, mkiHex } };
}

/** Null: it does not fit its length, or that is none. */
function mkiHexOf(value: string, bytes: number): string | null {
  const hex = BigInt(value).toString(16);
  const isFitting = bytes >= 1 && bytes <= MKI_BYTES_MAX && hex.length <= bytes * 2;
  return isFitting ? hex.padStart(bytes * 2, '0') : null;
}

/** The crypto lines of a section that we could use, in its order. */
export const usableCryptos = (media: SdpMedia): SdesCrypto[] =>
  media.attributes.flatMap(({ name, value }) => {
    const crypto = name === 'crypto' && value !== null ? readCrypto(value) : null;
    return crypto === null ? [] : [crypto];
  });

export const cryptoAttribute = ({ tag, keys }: SdesCrypto): SdpAttribute => ({
  name: 'crypto',
  value: `${tag} ${keys.suite} inline:${keys.keySaltBase64}`,
});
