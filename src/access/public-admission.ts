import { randomId } from '../lib/random-id.ts';
import type { InstantLink } from '../storage/instant-link-repository.ts';
import type { PublicAdmissionRepository } from '../storage/public-admission-repository.ts';
import { dayOf, secondsToMidnight } from './calendar-day.ts';

/** Limits of one agent, over all its public doors together. Calls of its owner do not count. */
export const PUBLIC_CALLS_AT_ONCE_MAX = 10;
export const PUBLIC_CALLS_A_DAY_MAX = 50;

/** Limits of all instant links of a workspace together; each has those of an agent besides. */
export const LINK_CALLS_AT_ONCE_MAX = 50;
export const LINK_CALLS_A_DAY_MAX = 500;

/** A place for one call. Both methods may be called more than once. */
export interface PublicPlace {
  readonly isAdmitted: true;
  /** Media flows: the day is charged for good. */
  connected(): Promise<void>;
  /** The call is over. One that never connected is given back to the day too. */
  release(): Promise<void>;
}

/** Answered as `AGENT_BUSY`. */
export interface PublicRefusal {
  readonly isAdmitted: false;
  readonly limit: 'at-once' | 'a-day';
  readonly retryAfterSeconds: number;
}

export interface PublicAdmissionOptions {
  readonly admissions: PublicAdmissionRepository;
  /** Unix time. */
  readonly nowMs: () => number;
  readonly atOnceMax?: number;
  readonly aDayMax?: number;
}

/** What is counted of an instant link. */
export type LinkToAdmit = Pick<InstantLink, 'id' | 'workspaceId'>;

interface PlaceLimits {
  readonly atOnceMax: number;
  readonly aDayMax: number;
}

const OF_ALL_LINKS: PlaceLimits = {
  atOnceMax: LINK_CALLS_AT_ONCE_MAX,
  aDayMax: LINK_CALLS_A_DAY_MAX,
};
const RETRY_AT_ONCE_SECONDS = 30;
/** After so long without a sign of life a process holds no places any more. */
const SILENCE_MS = 60_000;
const SWEEP_EVERY_MS = 15_000;

/**
 * The gate of every public door. Asking and counting are one statement of the database, so the
 * last place is given once, whichever process asks; counts outlive all of them.
 */
export class PublicAdmission {
  readonly #options: Required<PublicAdmissionOptions>;
  #sweptAtMs = Number.NEGATIVE_INFINITY;

  constructor(options: PublicAdmissionOptions) {
    const limits = { atOnceMax: PUBLIC_CALLS_AT_ONCE_MAX, aDayMax: PUBLIC_CALLS_A_DAY_MAX };
    this.#options = { ...limits, ...options };
  }

  /** @param subject what is counted: an agent's id, or of an instant link the link's */
  async admit(subject: string): Promise<PublicPlace | PublicRefusal> {
    const { atOnceMax, aDayMax } = this.#options;
    return this.#admit(subject, { atOnceMax, aDayMax });
  }

  /** A link counts for itself as an agent does, and with all links of its workspace. */
  async admitByLink({ id, workspaceId }: LinkToAdmit): Promise<PublicPlace | PublicRefusal> {
    const ofWorkspace = await this.#admit(`links:${workspaceId}`, OF_ALL_LINKS);
    if (!ofWorkspace.isAdmitted) return ofWorkspace;
    const own = await this.admit(id);
    if (!own.isAdmitted) {
      await ofWorkspace.release();
      return own;
    }
    const both = [ofWorkspace, own];
    return {
      isAdmitted: true,
      connected: async () => void (await Promise.all(both.map((place) => place.connected()))),
      release: async () => void (await Promise.all(both.map((place) => place.release()))),
    };
  }

  async #admit(subject: string, limits: PlaceLimits): Promise<PublicPlace | PublicRefusal> {
    const { admissions, nowMs } = this.#options;
    const { atOnceMax: concurrentMax, aDayMax: dailyMax } = limits;
    const atMs = nowMs();
    await this.#sweepSometimes(atMs);
    const id = randomId('adm');
    const request = { id, subject, day: dayOf(atMs), atMs };
    if (!(await admissions.admit({ ...request, concurrentMax, dailyMax }))) {
      return this.#refusal(subject, atMs, limits);
    }
    return {
      isAdmitted: true,
      connected: () => admissions.connected(id, nowMs()),
      release: () => admissions.release(id, nowMs()),
    };
  }

  async #refusal(subject: string, atMs: number, { aDayMax }: PlaceLimits): Promise<PublicRefusal> {
    const { today } = await this.#options.admissions.counts(subject, dayOf(atMs));
    return today >= aDayMax
      ? { isAdmitted: false, limit: 'a-day', retryAfterSeconds: secondsToMidnight(atMs) }
      : { isAdmitted: false, limit: 'at-once', retryAfterSeconds: RETRY_AT_ONCE_SECONDS };
  }

  /** Places of a process that died would be held for ever. */
  async #sweepSometimes(atMs: number): Promise<void> {
    if (atMs - this.#sweptAtMs < SWEEP_EVERY_MS) return;
    this.#sweptAtMs = atMs;
    await this.#options.admissions.sweep(atMs - SILENCE_MS, dayOf(atMs), atMs);
  }
}
