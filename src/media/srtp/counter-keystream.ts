import { type Cipher, createCipheriv } from 'node:crypto';

const BLOCK_BYTES = 16;
/** Packets whose keystream is made in one go: a call of the cipher costs as much as 5 packets of it. */
const WINDOW_PACKETS = 16;
/** A packet this far behind the window came late; one further off begins a new window. */
const LATE_PACKETS = 64;

/** A longer packet's keystream is made alone: nobody's packets may make every window large. */
const WINDOW_BLOCKS_MAX = 32;

/** Where SSRC and packet index stand in the counter block, and its first counter. */
export interface CounterShape {
  readonly ssrcAt: number;
  /** Six bytes: 32 of rollover, 16 of sequence number. */
  readonly indexAt: number;
  readonly firstCounter: number;
}

/** RFC 3711 §4.1.1: (salt << 16) ^ (SSRC << 64) ^ (index << 16), 16 bits of counter. */
export const AES_CM_SHAPE: CounterShape = { ssrcAt: 4, indexAt: 8, firstCounter: 0 };
/** RFC 7714 §8.1 with NIST's counter behind it: block 1 hides the tag, 2 and on the payload. */
export const GCM_SHAPE: CounterShape = { ssrcAt: 2, indexAt: 6, firstCounter: 1 };

/**
 * AES in counter mode for a stream of packets. Their counters are known in advance, so the
 * keystream of the next packets is made together, by one cipher that lives as long as the key.
 */
export class CounterKeystream {
  readonly #cipher: Cipher;
  readonly #salt: Uint8Array;
  readonly #shape: CounterShape;
  readonly #packets: number;
  #blocks = 0;
  #counters = Buffer.alloc(0);
  #window: Uint8Array = new Uint8Array(0);
  #ssrc = -1;
  #base = 0;

  /** After `seek`: the keystream of the packet begins here. */
  bytes: Uint8Array = this.#window;
  start = 0;

  /** `packets`: how many are made at once; 1 where packets are rare. */
  constructor(key: Uint8Array, salt: Uint8Array, shape: CounterShape, packets = WINDOW_PACKETS) {
    this.#cipher = createCipheriv('aes-128-ecb', key, null).setAutoPadding(false);
    this.#salt = new Uint8Array(BLOCK_BYTES);
    this.#salt.set(salt);
    this.#shape = shape;
    this.#packets = packets;
  }

  /** One block encrypted by itself. */
  encryptBlock(block: Uint8Array): Buffer {
    return this.#cipher.update(block);
  }

  /** Makes at least `blocks` blocks of that packet's keystream readable. */
  seek(ssrc: number, rollover: number, sequence: number, blocks: number): void {
    const index = rollover * 0x10000 + sequence;
    const ahead = index - this.#base;
    const isSame = ssrc === this.#ssrc && blocks <= this.#blocks;
    if (isSame && ahead >= 0 && ahead < this.#packets) {
      this.bytes = this.#window;
      this.start = ahead * this.#blocks * BLOCK_BYTES;
      return;
    }
    this.start = 0;
    // What comes late must not cost the packets on time their window.
    const isLate = isSame && ahead < 0 && ahead >= -LATE_PACKETS;
    if (isLate || blocks > WINDOW_BLOCKS_MAX) {
      this.bytes = this.#encrypted(Buffer.alloc(blocks * BLOCK_BYTES), ssrc, index, 1);
      return;
    }
    if (blocks > this.#blocks) {
      this.#blocks = blocks;
      this.#counters = Buffer.alloc(this.#packets * blocks * BLOCK_BYTES);
      this.#ssrc = -1;
    }
    this.#window = this.#encrypted(this.#counters, ssrc, index, this.#packets);
    this.#ssrc = ssrc;
    this.#base = index;
    this.bytes = this.#window;
  }

  /** The keystream of so many packets; `counters` is scratch of that size. */
  #encrypted(counters: Buffer, ssrc: number, index: number, packets: number): Buffer {
    const blocks = counters.length / BLOCK_BYTES / packets;
    if (counters !== this.#counters || ssrc !== this.#ssrc) this.#prepare(counters, ssrc, blocks);
    const salt = this.#salt;
    const { indexAt } = this.#shape;
    let at = indexAt;
    for (let packet = 0; packet < packets; packet += 1) {
      const rollover = Math.floor((index + packet) / 0x10000);
      const sequence = (index + packet) % 0x10000;
      const [a, b] = [salt[indexAt]! ^ (rollover >>> 24), salt[indexAt + 1]! ^ (rollover >>> 16)];
      const [c, d] = [salt[indexAt + 2]! ^ (rollover >>> 8), salt[indexAt + 3]! ^ rollover];
      const [e, f] = [salt[indexAt + 4]! ^ (sequence >>> 8), salt[indexAt + 5]! ^ sequence];
      for (let block = 0; block < blocks; block += 1) {
        counters[at] = a;
        counters[at + 1] = b;
        counters[at + 2] = c;
        counters[at + 3] = d;
        counters[at + 4] = e;
        counters[at + 5] = f;
        at += BLOCK_BYTES;
      }
    }
    return this.#cipher.update(counters);
  }

  /** All but the index, which alone changes from one window to the next. */
  #prepare(counters: Buffer, ssrc: number, blocks: number): void {
    const { ssrcAt, firstCounter } = this.#shape;
    for (let at = 0; at < counters.length; at += BLOCK_BYTES) {
      counters.set(this.#salt, at);
      for (let byte = 0; byte < 4; byte += 1)
        counters[at + ssrcAt + byte]! ^= ssrc >>> (24 - 8 * byte);
      const counter = firstCounter + ((at / BLOCK_BYTES) % blocks);
      counters[at + 14] = counter >>> 8;
      counters[at + 15] = counter;
    }
  }
}
