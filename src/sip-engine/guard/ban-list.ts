/** What a source may do wrong. */
export type Offence =
  /** Packets, or new calls, beyond its rate. */
  | 'flood'
  /** What is no SIP, or too large. */
  | 'malformed'
  /** A request whose credentials an application refused. */
  | 'credentials'
  /** The name of a program that looks for open doors. */
  | 'scanner'
  /** A request for somebody else's call. */
  | 'spoofed';

export interface BanLimits {
  /** How long a source is ignored; 0: nobody is. */
  readonly banMs: number;
  /** Offences of a kind within a minute that it takes. */
  readonly offencesMax: Readonly<Record<Offence, number>>;
  /** Offenders remembered, and banned ones; the oldest gives way. */
  readonly sourcesMax: number;
}

interface Offender {
  readonly sinceMs: number;
  readonly counts: Partial<Record<Offence, number>>;
}

const WINDOW_MS = 60_000;

/** Who has done too much wrong, and for how long nobody listens to them. Owns no clock. */
export class BanList {
  readonly #limits: BanLimits;
  /** Both in the order of their beginnings. */
  readonly #offenders = new Map<string, Offender>();
  readonly #bannedUntilMs = new Map<string, number>();

  constructor(limits: BanLimits) {
    this.#limits = limits;
  }

  get offenders(): number {
    return this.#offenders.size;
  }

  /** Those banned now, and a few whose time is over and who have not come back. */
  get size(): number {
    return this.#bannedUntilMs.size;
  }

  isBanned(source: string, nowMs: number): boolean {
    if (this.#bannedUntilMs.size === 0) return false;
    const untilMs = this.#bannedUntilMs.get(source);
    if (untilMs === undefined) return false;
    if (nowMs < untilMs) return true;
    this.#bannedUntilMs.delete(source);
    return false;
  }

  /** Counts an offence; true when it was the one too many. */
  note(source: string, offence: Offence, nowMs: number): boolean {
    const { banMs, offencesMax } = this.#limits;
    if (banMs === 0 || this.isBanned(source, nowMs)) return false;
    const offender = this.#offenderOf(source, nowMs);
    const count = (offender.counts[offence] ?? 0) + 1;
    offender.counts[offence] = count;
    if (count < offencesMax[offence]) return false;
    this.#offenders.delete(source);
    makeRoom(this.#bannedUntilMs, this.#limits.sourcesMax);
    this.#bannedUntilMs.set(source, nowMs + banMs);
    return true;
  }

  #offenderOf(source: string, nowMs: number): Offender {
    const known = this.#offenders.get(source);
    if (known !== undefined && nowMs - known.sinceMs < WINDOW_MS) return known;
    this.#offenders.delete(source);
    makeRoom(this.#offenders, this.#limits.sourcesMax);
    const offender: Offender = { sinceMs: nowMs, counts: {} };
    this.#offenders.set(source, offender);
    return offender;
  }
}

function makeRoom(map: Map<string, unknown>, max: number): void {
  const [oldest] = map.keys();
  if (map.size >= max && oldest !== undefined) map.delete(oldest);
}
