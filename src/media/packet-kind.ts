/** What a datagram on a media port is, by its first bytes (RFC 7983 §7, RFC 5761 §4). */
export type PacketKind = 'rtp' | 'rtcp' | 'stun' | 'dtls' | 'unknown';

export function packetKind(packet: Uint8Array): PacketKind {
  if (packet.length < 2) return 'unknown';
  const first = packet[0]!;
  if (first >= 128 && first <= 191) {
    const type = packet[1]!;
    return type >= 192 && type <= 223 ? 'rtcp' : 'rtp';
  }
  if (first >= 20 && first <= 63) return 'dtls';
  return first <= 3 ? 'stun' : 'unknown';
}
