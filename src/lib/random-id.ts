import { randomBytes } from 'node:crypto';

const ALPHABET = '0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz';
/** Bytes from here on would make the first letters likelier. */
const UNBIASED_BELOW = 256 - (256 % ALPHABET.length);
const POOL_BYTES = 4096;

let pool = Buffer.alloc(0);
let next = 0;

/** Letters and digits from the system's random source; 5.95 bits each. */
export function randomText(length: number): string {
  let text = '';
  while (text.length < length) {
    if (next >= pool.length) {
      pool = randomBytes(POOL_BYTES);
      next = 0;
    }
    const byte = pool[next] ?? 0;
    // A used byte is never kept: keys are made here too.
    pool[next] = 0;
    next += 1;
    if (byte < UNBIASED_BELOW) text += ALPHABET[byte % ALPHABET.length];
  }
  return text;
}

/** `call_4fYt…`: 16 letters, 95 bits. */
export function randomId(prefix: string): string {
  return `${prefix}_${randomText(16)}`;
}
