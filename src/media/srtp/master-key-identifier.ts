/**
 * The MKI that a sender puts into each packet (RFC 3711 §3.1): before the tag, or with GCM, whose
 * tag belongs to the text, behind everything (RFC 7714 §8.2, §9.2). It is not authenticated and
 * there is one key, so it is merely taken out. Who has said that it sends one and does not is
 * heard all the same.
 */
export class MasterKeyIdentifier {
  readonly #bytes: Buffer;

  constructor(hex: string) {
    this.#bytes = Buffer.from(hex, 'hex');
  }

  /** Calls `open` with the packet as it is without the MKI. @param behind bytes that follow it */
  without<Outcome>(
    packet: Buffer,
    behind: number,
    open: (bare: Buffer) => Outcome | 'unauthenticated',
  ): Outcome | 'unauthenticated' {
    const { length } = this.#bytes;
    const at = packet.length - behind - length;
    const isThere = at >= 0 && packet.subarray(at, at + length).equals(this.#bytes);
    if (!isThere) return open(packet);
    packet.copyWithin(at, at + length);
    const outcome = open(packet.subarray(0, packet.length - length));
    if (outcome === 'unauthenticated') {
      // Another key may fit: the packet is to be as it came.
      packet.copyWithin(at + length, at, at + behind);
      packet.set(this.#bytes, at);
    }
    return outcome;
  }
}
