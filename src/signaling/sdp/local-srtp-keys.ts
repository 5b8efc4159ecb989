import { randomBytes } from 'node:crypto';
import type { RtpParameters, SrtpKeys } from '../../model/media.ts';
import { KEY_SALT_BYTES } from './sdes-crypto.ts';

/**
 * Our own SRTP keys on one leg: for each suite the same ones over all offers and answers, until
 * the other side comes with another key. Then it may be another box (a transfer), whose counter
 * begins at zero and could not follow ours: both begin anew.
 */
export class LocalSrtpKeys {
  readonly #keys = new Map<SrtpKeys['suite'], SrtpKeys>();
  #remote: string | null = null;

  of(suite: SrtpKeys['suite']): SrtpKeys {
    const known = this.#keys.get(suite);
    if (known !== undefined) return known;
    const keys = { suite, keySaltBase64: randomBytes(KEY_SALT_BYTES[suite]).toString('base64') };
    this.#keys.set(suite, keys);
    return keys;
  }

  /** True when the other side's key is not the one it had; it is remembered as the present one. */
  isOfAnotherPeer(srtp: RtpParameters['srtp']): boolean {
    if (srtp === null) return false;
    const before = this.#remote;
    this.#remote = `${srtp.remote.suite} ${srtp.remote.keySaltBase64}`;
    return before !== null && before !== this.#remote;
  }

  renew(): void {
    this.#keys.clear();
  }
}
