import { randomId } from '../lib/random-id.ts';
import type { PublicAdmissionRepository } from '../storage/public-admission-repository.ts';

/** One call of a day. */
export interface CountedCall {
  /** The call was made: the day is charged for good. */
  keep(): Promise<void>;
  giveBack(): Promise<void>;
}

export interface DailyCallsOptions {
  readonly admissions: Pick<PublicAdmissionRepository, 'admit' | 'connected' | 'release'>;
  /** Unix time. */
  readonly nowMs: () => number;
}

/** Only the day counts here, not how many there are at once. */
const CONCURRENT_MAX = 1_000_000_000;

/** Counts calls of a day in the database, so that no restart and no second process forgets any. */
export class DailyCalls {
  readonly #options: DailyCallsOptions;

  constructor(options: DailyCallsOptions) {
    this.#options = options;
  }

  /** Null when the day is full; without a `dailyMax` nothing is counted. */
  async take(subject: string, day: string, dailyMax: number | null): Promise<CountedCall | null> {
    if (dailyMax === null) return UNCOUNTED;
    const { admissions, nowMs } = this.#options;
    const id = randomId('adm');
    const limits = { concurrentMax: CONCURRENT_MAX, dailyMax };
    if (!(await admissions.admit({ id, subject, day, atMs: nowMs(), ...limits }))) return null;
    return {
      keep: async () => {
        await admissions.connected(id, nowMs());
        await admissions.release(id, nowMs());
      },
      giveBack: () => admissions.release(id, nowMs()),
    };
  }
}

const UNCOUNTED: CountedCall = { keep: async () => {}, giveBack: async () => {} };
