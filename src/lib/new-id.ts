import { randomBytes } from 'node:crypto';

/** Without vowels and look-alikes: no words, no doubt when read aloud. */
const ALPHABET = '0123456789bcdfghjkmnpqrstvwxyz';
/** 30^20 is about 98 bits. */
const LENGTH = 20;
/** Largest multiple of the alphabet below 256: bytes above it would skew the choice. */
const UNBIASED_MAX = 256 - (256 % ALPHABET.length);

/** A random identifier: `call` gives `call_…` with 20 characters. */
export function newId(prefix: string): string {
  let id = '';
  while (id.length < LENGTH) {
    for (const byte of randomBytes(LENGTH)) {
      if (byte < UNBIASED_MAX && id.length < LENGTH) id += ALPHABET.charAt(byte % ALPHABET.length);
    }
  }
  return `${prefix}_${id}`;
}
