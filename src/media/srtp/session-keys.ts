import { createCipheriv } from 'node:crypto';
import type { RtpParameters, SrtpKeys } from '../../model/media.ts';
import { MediaError } from '../media-error.ts';

const KEY_BYTES = 16;
const SALT_BYTES_MAX = 14;
const AUTH_KEY_BYTES = 20;

/** Length of the master salt (RFC 4568 §6.2, RFC 7714 §12). */
const SALT_BYTES: Readonly<Record<SrtpKeys['suite'], number>> = {
  AES_CM_128_HMAC_SHA1_80: 14,
  AES_CM_128_HMAC_SHA1_32: 14,
  AEAD_AES_128_GCM: 12,
};

/** Labels of RFC 3711 §4.3.1 and §4.3.2. */
const LABELS = {
  rtp: { encryption: 0, authentication: 1, salt: 2 },
  rtcp: { encryption: 3, authentication: 4, salt: 5 },
} as const;

/** What protects the packets of one kind in one direction. */
export interface SessionKeys {
  readonly encryption: Buffer;
  readonly authentication: Buffer;
  readonly salt: Buffer;
}

/** Session keys of RTP or RTCP, from what `a=crypto` said (RFC 3711 §4.3, never derived anew). */
export function sessionKeys(keys: SrtpKeys, kind: 'rtp' | 'rtcp'): SessionKeys {
  const master = masterOf(keys);
  const saltBytes = SALT_BYTES[keys.suite];
  const key = master.subarray(0, KEY_BYTES);
  const salt = master.subarray(KEY_BYTES);
  const labels = LABELS[kind];
  return {
    encryption: deriveKey(key, salt, labels.encryption, KEY_BYTES),
    authentication: deriveKey(key, salt, labels.authentication, AUTH_KEY_BYTES),
    salt: deriveKey(key, salt, labels.salt, saltBytes),
  };
}

/** @throws MediaError when one of the keys cannot be used */
export function checkSrtpKeys({ local, remote }: NonNullable<RtpParameters['srtp']>): void {
  masterOf(local);
  masterOf(remote);
}

function masterOf({ suite, keySaltBase64 }: SrtpKeys): Buffer {
  const master = Buffer.from(keySaltBase64, 'base64');
  if (master.length === KEY_BYTES + SALT_BYTES[suite]) return master;
  throw new MediaError('MEDIA_SRTP_KEY_INVALID', 'master key and salt are of a wrong length');
}

/** AES-CM as the pseudo-random function (RFC 3711 §4.3.3); a shorter salt ends in zeros. */
export function deriveKey(
  masterKey: Uint8Array,
  masterSalt: Uint8Array,
  label: number,
  bytes: number,
): Buffer {
  const counter = Buffer.alloc(16);
  counter.set(masterSalt.subarray(0, SALT_BYTES_MAX));
  // The label stands above the 48 bits of index, which is 0 without a derivation rate.
  counter[7]! ^= label;
  return createCipheriv('aes-128-ctr', masterKey, counter).update(Buffer.alloc(bytes));
}
