import type { CounterKeystream } from './counter-keystream.ts';

/** What RTCP leaves in the clear: the first header and the sender's SSRC. */
export const RTCP_CLEAR_BYTES = 8;
/** The bit beside the SRTCP index that says that the rest is encrypted (RFC 3711 §3.4). */
export const RTCP_ENCRYPTED = 0x80000000;

/** Adds the keystream, from so many bytes after its start. */
export function addKeystream(
  packet: Uint8Array,
  start: number,
  end: number,
  keystream: CounterKeystream,
  skipBytes: number,
): void {
  const { bytes } = keystream;
  const shift = keystream.start + skipBytes - start;
  for (let index = start; index < end; index += 1) packet[index]! ^= bytes[index + shift]!;
}

/** Writes the first bytes of a tag given as words. */
export function writeTag(packet: Uint8Array, at: number, words: Int32Array, bytes: number): void {
  for (let byte = 0; byte < bytes; byte += 1) {
    packet[at + byte] = words[byte >> 2]! >>> (24 - 8 * (byte & 3));
  }
}

/** In a time that does not tell where the tags differ. */
export function isTag(packet: Uint8Array, at: number, words: Int32Array, bytes: number): boolean {
  let difference = 0;
  for (let byte = 0; byte < bytes; byte += 1) {
    difference |= packet[at + byte]! ^ ((words[byte >> 2]! >>> (24 - 8 * (byte & 3))) & 0xff);
  }
  return difference === 0;
}

export function writeUint32(bytes: Uint8Array, at: number, value: number): void {
  bytes[at] = value >>> 24;
  bytes[at + 1] = value >>> 16;
  bytes[at + 2] = value >>> 8;
  bytes[at + 3] = value;
}

export function readUint32(bytes: Uint8Array, at: number): number {
  return (
    ((bytes[at]! << 24) | (bytes[at + 1]! << 16) | (bytes[at + 2]! << 8) | bytes[at + 3]!) >>> 0
  );
}
