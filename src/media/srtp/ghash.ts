/** x^128 + x^7 + x^2 + x + 1 in GCM's order of bits. */
const REDUCTION = 0xe1000000;

/** What a byte that is shifted out at the end comes back as, in the first word. Of no key. */
const REDUCED = Int32Array.from({ length: 256 }, (_, byte) => {
  let words: Words = [0, 0, 0, byte];
  for (let bit = 0; bit < 8; bit += 1) words = timesX(words);
  return words[0];
});

type Words = readonly [number, number, number, number];

/** Multiplies by x: one bit to the right, since bit 0 is the leftmost. */
function timesX([a, b, c, d]: Words): Words {
  const carry = (d & 1) !== 0 ? REDUCTION : 0;
  return [(a >>> 1) ^ carry, (b >>> 1) | (a << 31), (c >>> 1) | (b << 31), (d >>> 1) | (c << 31)];
}

/**
 * GHASH (NIST SP 800-38D §6.4) by a table of 256 multiples of the key: a third of the price of
 * node:crypto's GCM, which makes a cipher for each packet. It does not allocate.
 */
export class Ghash {
  /** The key times each byte that may stand first, four words each. */
  readonly #table = new Int32Array(256 * 4);
  readonly #last = new Uint8Array(16);
  readonly #lengths = new DataView(this.#last.buffer);

  /** The four words of the hash so far. */
  readonly value = new Int32Array(4);

  /** `key` is the block of zeros, encrypted. */
  constructor(key: Buffer) {
    let words: Words = [
      key.readInt32BE(0),
      key.readInt32BE(4),
      key.readInt32BE(8),
      key.readInt32BE(12),
    ];
    for (let byte = 0x80; byte > 0; byte >>= 1) {
      this.#table.set(words, byte * 4);
      words = timesX(words);
    }
    for (let byte = 2; byte < 256; byte += 1) {
      const low = byte & -byte;
      if (low === byte) continue;
      for (let word = 0; word < 4; word += 1) {
        const sum = this.#table[low * 4 + word]! ^ this.#table[(byte ^ low) * 4 + word]!;
        this.#table[byte * 4 + word] = sum;
      }
    }
  }

  reset(): void {
    this.value.fill(0);
  }

  /** Takes `bytes[start..end)`, filled up with zeros to whole blocks. */
  update(bytes: Uint8Array, start: number, end: number): void {
    let at = start;
    for (; at + 16 <= end; at += 16) this.#block(bytes, at);
    if (at === end) return;
    this.#last.fill(0);
    for (let index = 0; at + index < end; index += 1) this.#last[index] = bytes[at + index]!;
    this.#block(this.#last, 0);
  }

  /** The lengths in bytes of what was authenticated only, and of what was encrypted too. */
  finish(associatedBytes: number, cipherBytes: number): void {
    this.#last.fill(0);
    this.#lengths.setUint32(4, associatedBytes * 8);
    this.#lengths.setUint32(12, cipherBytes * 8);
    this.#block(this.#last, 0);
  }

  #block(bytes: Uint8Array, at: number): void {
    const table = this.#table;
    const value = this.value;
    let a = 0;
    let b = 0;
    let c = 0;
    let d = 0;
    for (let word = 3; word >= 0; word -= 1) {
      const p = at + word * 4;
      const x =
        value[word]! ^
        ((bytes[p]! << 24) | (bytes[p + 1]! << 16) | (bytes[p + 2]! << 8) | bytes[p + 3]!);
      for (let shift = 0; shift < 32; shift += 8) {
        const entry = ((x >>> shift) & 0xff) << 2;
        const out = d & 0xff;
        d = ((d >>> 8) | (c << 24)) ^ table[entry + 3]!;
        c = ((c >>> 8) | (b << 24)) ^ table[entry + 2]!;
        b = ((b >>> 8) | (a << 24)) ^ table[entry + 1]!;
        a = (a >>> 8) ^ REDUCED[out]! ^ table[entry]!;
      }
    }
    value[0] = a;
    value[1] = b;
    value[2] = c;
    value[3] = d;
  }
}
