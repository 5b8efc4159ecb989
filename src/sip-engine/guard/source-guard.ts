import { type Flow, isWebSocket } from '../transport/transport.ts';
import { AlarmBell } from './alarm-bell.ts';
import { BanList, type BanLimits, type Offence } from './ban-list.ts';
import { networkOf } from './network-of.ts';
import { TokenBuckets } from './token-buckets.ts';

export interface GuardLimits extends BanLimits {
  /** Packets a source may send, each second and at once. */
  readonly packetsPerSecond: number;
  readonly packetsBurst: number;
  /** INVITEs outside a call that a source may send; loopback may send any number. */
  readonly newCallsPerSecond: number;
  /** Sources remembered, of each table. */
  readonly sourcesMax: number;
  /** Event loop later than this: new requests get 503. */
  readonly lagMs: number;
  readonly connectionsMax: number;
  readonly connectionsPerSourceMax: number;
  readonly connectionIdleMs: number;
}

export const DEFAULT_GUARD_LIMITS: GuardLimits = {
  packetsPerSecond: 20_000,
  packetsBurst: 40_000,
  newCallsPerSecond: 100,
  sourcesMax: 10_000,
  banMs: 600_000,
  offencesMax: { flood: 1000, malformed: 50, credentials: 20, scanner: 1, spoofed: 50 },
  lagMs: 500,
  connectionsMax: 2000,
  connectionsPerSourceMax: 500,
  connectionIdleMs: 3_600_000,
};

/** Something that the operator should see: once for a burst, however long. */
export interface GuardAlarm {
  /** `banned`: ignored for a while. `limited`: a trusted source, of which part is dropped. */
  readonly type: 'banned' | 'limited';
  readonly source: string;
  readonly why: Offence;
  /** Alarms left out before this one, because there were too many. */
  readonly silenced: number;
}

export interface SourceGuardOptions {
  readonly limits: GuardLimits;
  /** Who is heard at all, beside loopback. */
  readonly allow: (address: string) => boolean;
  /** Who is never banned, beside loopback: a forged packet must not silence a carrier. */
  readonly trusts?: (address: string) => boolean;
  readonly onAlarm?: (alarm: GuardAlarm) => void;
}

/** Overload is over when the loop has been on time for this long. */
const RECOVERY_MS = 1000;
/** A trusted source that floods is told of once in this time. */
const LIMITED_ALARM_MS = 60_000;
const LIMITED_ALARMS_MAX = 1000;

/** Decides, before a packet is parsed, whether its source is heard at all. Owns no clock. */
export class SourceGuard {
  readonly limits: GuardLimits;
  allow: (address: string) => boolean;
  droppedUnknown = 0;
  droppedRate = 0;
  droppedBanned = 0;
  bans = 0;
  readonly #options: SourceGuardOptions;
  readonly #packets: TokenBuckets;
  readonly #calls: TokenBuckets;
  readonly #bans: BanList;
  readonly #bell = new AlarmBell();
  readonly #limitedAtMs = new Map<string, number>();
  #lateUntilMs = Number.NEGATIVE_INFINITY;

  constructor(options: SourceGuardOptions) {
    const { limits } = options;
    this.#options = options;
    this.limits = limits;
    this.allow = options.allow;
    const keysMax = limits.sourcesMax;
    this.#packets = new TokenBuckets({
      perSecond: limits.packetsPerSecond,
      burst: limits.packetsBurst,
      keysMax,
    });
    const perSecond = limits.newCallsPerSecond;
    this.#calls = new TokenBuckets({ perSecond, burst: 2 * perSecond, keysMax });
    this.#bans = new BanList(limits);
  }

  /** Entries of all tables: what a flood could make grow. */
  get tableSize(): number {
    return this.#packets.size + this.#calls.size + this.#bans.offenders + this.#bans.size;
  }

  get banned(): number {
    return this.#bans.size;
  }

  /** A datagram, or a connection of TCP or TLS. */
  admit(address: string, nowMs: number): boolean {
    if (!isLoopback(address) && !this.allow(address)) {
      this.droppedUnknown += 1;
      return false;
    }
    return this.#take(address, networkOf(address), nowMs);
  }

  /** A message of a connection that stands. */
  admitMessage(flow: Flow, nowMs: number): boolean {
    return this.#take(flow.remote.address, this.#keyOf(flow), nowMs);
  }

  /** A WebSocket: it comes from anywhere. */
  admitWebSocket(address: string, nowMs: number): boolean {
    return this.isTrusted(address) || !this.#bans.isBanned(networkOf(address), nowMs);
  }

  /** An INVITE outside a call. */
  admitCall(flow: Flow, nowMs: number): boolean {
    const isLocal = isLoopback(flow.remote.address) && !isWebSocket(flow.protocol);
    return isLocal || this.#calls.take(this.#keyOf(flow), nowMs);
  }

  /** Loopback and trunks. */
  isTrusted(address: string): boolean {
    return isLoopback(address) || this.#options.trusts?.(address) === true;
  }

  /**
   * Counts what a source did wrong. True when it is banned by that: its connection shall go. A
   * trusted source never is, but for WebSockets, of which one alone is: its proxy stands before all.
   */
  offend(flow: Flow, offence: Offence, nowMs: number): boolean {
    const { address } = flow.remote;
    if (this.isTrusted(address) && !isWebSocket(flow.protocol)) return false;
    if (!this.#bans.note(this.#keyOf(flow), offence, nowMs)) return false;
    this.bans += 1;
    this.#alarm('banned', address, offence, nowMs);
    return true;
  }

  /** A timer fired so late. */
  noteLateness(latenessMs: number, nowMs: number): void {
    if (latenessMs > this.limits.lagMs) this.#lateUntilMs = nowMs + RECOVERY_MS;
  }

  /** Whether the engine should refuse new work. It ends by itself: an idle engine has no timers. */
  isOverloaded(nowMs: number): boolean {
    return nowMs < this.#lateUntilMs;
  }

  /** Whom a flow counts for: a network; of WebSockets behind a proxy each for itself. */
  #keyOf({ protocol, remote: { address, port } }: Flow): string {
    const isProxied = isWebSocket(protocol) && this.isTrusted(address);
    return isProxied ? `${address}|${port}` : networkOf(address);
  }

  #take(address: string, key: string, nowMs: number): boolean {
    if (this.#bans.isBanned(key, nowMs)) {
      this.droppedBanned += 1;
      return false;
    }
    if (this.#packets.take(key, nowMs)) return true;
    this.droppedRate += 1;
    if (this.isTrusted(address)) this.#limited(address, nowMs);
    else if (this.#bans.note(key, 'flood', nowMs)) {
      this.bans += 1;
      this.#alarm('banned', address, 'flood', nowMs);
    }
    return false;
  }

  #limited(address: string, nowMs: number): void {
    const lastMs = this.#limitedAtMs.get(address) ?? Number.NEGATIVE_INFINITY;
    if (nowMs - lastMs < LIMITED_ALARM_MS) return;
    this.#limitedAtMs.delete(address);
    const [oldest] = this.#limitedAtMs.keys();
    if (this.#limitedAtMs.size >= LIMITED_ALARMS_MAX && oldest !== undefined) {
      this.#limitedAtMs.delete(oldest);
    }
    this.#limitedAtMs.set(address, nowMs);
    this.#alarm('limited', address, 'flood', nowMs);
  }

  #alarm(type: GuardAlarm['type'], source: string, why: Offence, nowMs: number): void {
    const silenced = this.#bell.ring(nowMs);
    if (silenced !== null) this.#options.onAlarm?.({ type, source, why, silenced });
  }
}

export function isLoopback(address: string): boolean {
  return address.startsWith('127.') || address === '::1' || address.startsWith('::ffff:127.');
}
