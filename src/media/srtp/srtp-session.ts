import type { RtpParameters, SrtpKeys } from '../../model/media.ts';
import { SrtpReceiver, type SrtpRefusal } from './srtp-receiver.ts';
import { SrtpSender } from './srtp-sender.ts';

type Agreed = NonNullable<RtpParameters['srtp']>;

/** After a change of keys, packets under the old one may still be on their way. */
const HANDOVER_MS = 2000;
/** Our keys whose counters are kept: one for each suite, and those before a change of keys. */
const SENDERS_MAX = 8;

interface Receiving {
  readonly keys: SrtpKeys;
  readonly receiver: SrtpReceiver;
}

/**
 * SRTP of one leg over all its offers and answers (RFC 4568). Keys that a re-INVITE repeats go
 * on with their counters; new ones take over at once, the old ones being heard a while longer.
 * Owns no clock.
 */
export class SrtpSession {
  /** By key, oldest first: one that comes back must go on where it was. */
  readonly #senders = new Map<string, SrtpSender>();
  #sender: SrtpSender;
  #receiving: Receiving;
  #previous: Receiving | null = null;
  #previousUntilMs = 0;

  /** Packets whose tag was wrong, or that had none. */
  unauthenticatedCount = 0;
  /** Packets that were right and had been here before, or are too old to tell. */
  replayedCount = 0;

  /** @throws MediaError when a key is of a wrong length */
  constructor({ local, remote }: Agreed) {
    this.#sender = this.#senderFor(local);
    this.#receiving = { keys: remote, receiver: new SrtpReceiver(remote) };
  }

  /** @throws MediaError when a key is of a wrong length; then nothing has changed */
  update({ local, remote }: Agreed, nowMs: number): void {
    const receiving = isSame(remote, this.#receiving.keys)
      ? this.#receiving
      : this.#receivingFor(remote);
    this.#sender = this.#senderFor(local);
    if (receiving === this.#receiving) return;
    this.#previous = this.#receiving;
    this.#previousUntilMs = nowMs + HANDOVER_MS;
    this.#receiving = receiving;
  }

  protectRtp(packet: Buffer): Buffer {
    return this.#sender.protectRtp(packet);
  }

  protectRtcp(packet: Buffer): Buffer {
    return this.#sender.protectRtcp(packet);
  }

  /** Opens the packet in place and gives its plain length; -1 (and counted) when it is refused. */
  unprotectRtp(packet: Buffer, nowMs: number): number {
    let outcome = this.#receiving.receiver.unprotectRtp(packet);
    if (outcome === 'unauthenticated' && this.#hearsPrevious(nowMs)) {
      outcome = this.#previous?.receiver.unprotectRtp(packet) ?? outcome;
    }
    return this.#lengthOf(outcome);
  }

  /** The same for RTCP. */
  unprotectRtcp(packet: Buffer, nowMs: number): number {
    let outcome = this.#receiving.receiver.unprotectRtcp(packet);
    if (outcome === 'unauthenticated' && this.#hearsPrevious(nowMs)) {
      outcome = this.#previous?.receiver.unprotectRtcp(packet) ?? outcome;
    }
    return this.#lengthOf(outcome);
  }

  #hearsPrevious(nowMs: number): boolean {
    return this.#previous !== null && nowMs < this.#previousUntilMs;
  }

  #lengthOf(outcome: number | SrtpRefusal): number {
    if (typeof outcome === 'number') return outcome;
    if (outcome === 'replayed') this.replayedCount += 1;
    else this.unauthenticatedCount += 1;
    return -1;
  }

  #senderFor(keys: SrtpKeys): SrtpSender {
    const name = `${keys.suite} ${keys.keySaltBase64}`;
    const sender = this.#senders.get(name) ?? new SrtpSender(keys);
    this.#senders.set(name, sender);
    const [oldest] = this.#senders.keys();
    if (this.#senders.size > SENDERS_MAX && oldest !== undefined) this.#senders.delete(oldest);
    return sender;
  }

  #receivingFor(keys: SrtpKeys): Receiving {
    const previous = this.#previous;
    if (previous !== null && isSame(keys, previous.keys)) return previous;
    return { keys, receiver: new SrtpReceiver(keys) };
  }
}

function isSame(one: SrtpKeys, other: SrtpKeys): boolean {
  const isSameKey = one.suite === other.suite && one.keySaltBase64 === other.keySaltBase64;
  return isSameKey && one.mkiHex === other.mkiHex;
}
