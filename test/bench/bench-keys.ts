import type { SrtpKeys } from '../../src/model/media.ts';

/** The same for every leg, and for both directions: a bench has nothing to hide. */
export function benchKeys(suite: SrtpKeys['suite']): SrtpKeys {
  const bytes = suite === 'AEAD_AES_128_GCM' ? 28 : 30;
  return { suite, keySaltBase64: Buffer.alloc(bytes, 7).toString('base64') };
}
