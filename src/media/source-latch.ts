import { sequenceDistance } from './rtp/rtp-packet.ts';

/** Within this time of the first packet, the signaled address still takes over from another. */
const SETTLE_MS = 3000;
/** The latched source must have been silent this long before another may continue its stream. */
const SILENT_MS = 500;
/** So many packets must continue the stream in order before the leg follows them. */
const EVIDENCE_PACKETS = 3;
/** With known places to hear from, an unknown one must go on alone for so long to be believed. */
const UNKNOWN_WAIT_MS = 1000;
const UNKNOWN_PACKETS = 25;
/** A longer gap ends its run. */
const UNKNOWN_GAP_MS = 200;
/** After a re-INVITE, only the old and the new address may speak for this long. */
const HANDOVER_MS = 1000;
/** How far ahead of the last sequence number a continued stream may be: 10 s. */
const CONTINUATION_MAX = 500;

/** How well a source is known. */
const UNKNOWN = 0;
const KNOWN = 1;
const SIGNALED = 2;

/**
 * Decides whose packets a leg believes (symmetric RTP, RFC 4961). Owns no clock.
 *
 * Best known is the signaled address; then its host, and the host that signaling came from: a
 * phone behind a NAT shares that with it. With those to wait for, anybody else is unknown.
 *
 *     open ──valid packet from elsewhere──▶ provisional ──3 s──▶ latched
 *      └────valid packet from the signaled address──────────────▲  │
 *      ▲                 (also from provisional)                   │
 *      └──────────────── signaled address changed ─────────────────┘
 *
 * An unknown place is taken only when nobody better spoke for a second, and gives way to one at any
 * time. Once latched, a stranger gets nothing in. A NAT that rebinds in mid-call is followed only
 * when the old source is silent and three packets in a row continue its SSRC and sequence,
 * which nobody off the path can guess.
 */
export class SourceLatch {
  #signaledAddress = '';
  #signaledPort = 0;
  /** Host that signaling came from; empty: nobody told. */
  #signalingAddress = '';
  readonly #isStrict: boolean;
  /** How well the latched source is known: see `#rankOf`. */
  #rank = 0;
  #unknownAddress = '';
  #unknownPort = 0;
  #unknownSsrc = -1;
  #unknownSinceMs = 0;
  #unknownLastMs = 0;
  #unknownSequence = 0;
  #unknownPackets = 0;
  #address = '';
  #port = 0;
  #isSettled = false;
  /** The source believed before the signaled address changed. */
  #previousAddress = '';
  #previousPort = 0;
  #handoverSinceMs = -1;
  #provisionalSinceMs = 0;
  #ssrc = -1;
  #lastSequence = 0;
  #lastPacketAtMs = 0;
  #candidateAddress = '';
  #candidatePort = 0;
  #candidateSequence = 0;
  #candidatePackets = 0;

  /** Packets refused. */
  strangerCount = 0;

  /** `isStrict`: with known places to hear from, unknown ones are never believed. */
  constructor({ isStrict = false }: { readonly isStrict?: boolean } = {}) {
    this.#isStrict = isStrict;
  }

  /** Where to send: the latched source, else the signaled address. */
  get address(): string {
    return this.#address === '' ? this.#signaledAddress : this.#address;
  }

  get port(): number {
    return this.#address === '' ? this.#signaledPort : this.#port;
  }

  get isLatched(): boolean {
    return this.#address !== '';
  }

  /** What offer and answer said, and where they came from. The same again changes nothing. */
  signal(address: string, port: number, signalingAddress: string | null = null): void {
    this.#signalingAddress = signalingAddress ?? this.#signalingAddress;
    if (address === this.#signaledAddress && port === this.#signaledPort) return;
    this.#signaledAddress = address;
    this.#signaledPort = port;
    if (this.#address !== '') {
      this.#previousAddress = this.#address;
      this.#previousPort = this.#port;
      this.#handoverSinceMs = -1;
    }
    this.#address = '';
    this.#port = 0;
    this.#isSettled = false;
    this.#candidatePackets = 0;
  }

  /** Whether the packet, well formed and of a negotiated payload type, may come in. */
  accept(address: string, port: number, ssrc: number, sequence: number, nowMs: number): boolean {
    if (port === this.#port && address === this.#address) {
      if (!this.#isSettled && nowMs - this.#provisionalSinceMs > SETTLE_MS) this.#isSettled = true;
      return this.#take(ssrc, sequence, nowMs);
    }
    const rank = this.#rankOf(address, port);
    if (this.#address === '') {
      const isOpen = rank === SIGNALED || !this.#isHandoverClosedTo(address, port, nowMs);
      if (!isOpen || !this.#mayBegin(rank, address, port, ssrc, sequence, nowMs)) {
        this.strangerCount += 1;
        return false;
      }
      this.#provisionalSinceMs = nowMs;
      return this.#latch(address, port, rank, ssrc, sequence, nowMs);
    }
    const isWithinWindow = !this.#isSettled && nowMs - this.#provisionalSinceMs <= SETTLE_MS;
    const wasUnknown = this.#rank === UNKNOWN && this.#signalingAddress !== '';
    if (rank > this.#rank && (isWithinWindow || wasUnknown)) {
      return this.#latch(address, port, rank, ssrc, sequence, nowMs);
    }
    if (this.#continuesStream(address, port, ssrc, sequence, nowMs)) {
      return this.#latch(address, port, SIGNALED, ssrc, sequence, nowMs);
    }
    this.strangerCount += 1;
    return false;
  }

  /**
   * An authenticated packet (SRTP) is the far side's, wherever it comes from: the newest one tells
   * where the far side is now. An older one, held up on its way, is taken and changes nothing.
   */
  follow(address: string, port: number, ssrc: number, sequence: number, nowMs: number): void {
    const isHere = port === this.#port && address === this.#address;
    const isNewest = ssrc !== this.#ssrc || sequenceDistance(this.#lastSequence, sequence) > 0;
    if (isHere || !isNewest) this.#take(ssrc, sequence, nowMs);
    else this.#latch(address, port, SIGNALED, ssrc, sequence, nowMs);
  }

  #rankOf(address: string, port: number): number {
    if (address === this.#signaledAddress && port === this.#signaledPort) return SIGNALED;
    const isKnown = address === this.#signaledAddress || address === this.#signalingAddress;
    return isKnown ? KNOWN : UNKNOWN;
  }

  /** Whether the first source may be this one. */
  #mayBegin(
    rank: number,
    address: string,
    port: number,
    ssrc: number,
    sequence: number,
    nowMs: number,
  ): boolean {
    // Nobody told where signaling comes from: the first is as good as any.
    if (rank !== UNKNOWN || this.#signalingAddress === '') return true;
    if (this.#isStrict) return false;
    const isSame =
      address === this.#unknownAddress && port === this.#unknownPort && ssrc === this.#unknownSsrc;
    const isSilent = nowMs - this.#unknownLastMs > UNKNOWN_GAP_MS;
    if (!isSame && !isSilent && this.#unknownPackets > 0) return false;
    const isNext = isSame && sequenceDistance(this.#unknownSequence, sequence) > 0;
    if (!isNext || isSilent) {
      this.#unknownAddress = address;
      this.#unknownPort = port;
      this.#unknownSsrc = ssrc;
      this.#unknownSinceMs = nowMs;
      this.#unknownPackets = 0;
    }
    this.#unknownLastMs = nowMs;
    this.#unknownSequence = sequence;
    this.#unknownPackets += 1;
    return (
      this.#unknownPackets >= UNKNOWN_PACKETS && nowMs - this.#unknownSinceMs >= UNKNOWN_WAIT_MS
    );
  }

  /** RTCP comes from the host we send to: from its media ports, or with the SSRC of its stream. */
  acceptControl(address: string, port: number, ssrc: number): boolean {
    const isPort = port === this.port || port === this.port + 1;
    if (address === this.address && (isPort || ssrc === this.#ssrc)) return true;
    this.strangerCount += 1;
    return false;
  }

  /** A stranger that waits for a re-INVITE must not be faster than the phone. */
  #isHandoverClosedTo(address: string, port: number, nowMs: number): boolean {
    if (this.#previousAddress === '') return false;
    if (address === this.#previousAddress && port === this.#previousPort) return false;
    if (this.#handoverSinceMs === -1) this.#handoverSinceMs = nowMs;
    return nowMs - this.#handoverSinceMs < HANDOVER_MS;
  }

  #latch(
    address: string,
    port: number,
    rank: number,
    ssrc: number,
    sequence: number,
    nowMs: number,
  ): boolean {
    this.#address = address;
    this.#port = port;
    this.#rank = rank;
    this.#isSettled = rank === SIGNALED;
    this.#unknownPackets = 0;
    this.#candidatePackets = 0;
    this.#ssrc = -1;
    return this.#take(ssrc, sequence, nowMs);
  }

  #take(ssrc: number, sequence: number, nowMs: number): true {
    if (ssrc !== this.#ssrc || sequenceDistance(this.#lastSequence, sequence) > 0) {
      this.#lastSequence = sequence;
    }
    this.#ssrc = ssrc;
    this.#lastPacketAtMs = nowMs;
    return true;
  }

  #continuesStream(
    address: string,
    port: number,
    ssrc: number,
    sequence: number,
    nowMs: number,
  ): boolean {
    if (ssrc !== this.#ssrc || nowMs - this.#lastPacketAtMs < SILENT_MS) return false;
    const ahead = sequenceDistance(this.#lastSequence, sequence);
    if (ahead <= 0 || ahead > CONTINUATION_MAX) return false;
    const isSame = address === this.#candidateAddress && port === this.#candidatePort;
    const isInOrder = sequenceDistance(this.#candidateSequence, sequence) === 1;
    this.#candidatePackets = isSame && isInOrder ? this.#candidatePackets + 1 : 1;
    this.#candidateAddress = address;
    this.#candidatePort = port;
    this.#candidateSequence = sequence;
    return this.#candidatePackets >= EVIDENCE_PACKETS;
  }
}
