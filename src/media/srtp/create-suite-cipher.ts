import { assertNever } from '../../lib/assert-never.ts';
import type { SrtpKeys } from '../../model/media.ts';
import { AesCmCipher } from './aes-cm-cipher.ts';
import { GcmCipher } from './gcm-cipher.ts';
import { sessionKeys } from './session-keys.ts';
import type { SuiteCipher } from './suite-cipher.ts';

/** @throws MediaError when the keys are of a wrong length */
export function createSuiteCipher(keys: SrtpKeys): SuiteCipher {
  const rtp = sessionKeys(keys, 'rtp');
  const rtcp = sessionKeys(keys, 'rtcp');
  switch (keys.suite) {
    case 'AEAD_AES_128_GCM':
      return new GcmCipher(rtp, rtcp);
    case 'AES_CM_128_HMAC_SHA1_32':
      return new AesCmCipher(rtp, rtcp, 4);
    case 'AES_CM_128_HMAC_SHA1_80':
      return new AesCmCipher(rtp, rtcp, 10);
    default:
      return assertNever(keys.suite);
  }
}
