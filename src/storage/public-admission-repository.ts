import type { Connection } from './connection.ts';
import { numberOf } from './rows.ts';
import type { WriteQueue, WriteStatement } from './write-queue.ts';

/** One call that wants to come in by a public door. */
export interface AdmissionRequest {
  readonly id: string;
  /** What is counted: an agent, a link, a workspace. */
  readonly subject: string;
  /** Calendar day, `2026-01-31`. */
  readonly day: string;
  readonly concurrentMax: number;
  readonly dailyMax: number;
  readonly atMs: number;
}

export interface AdmissionCounts {
  /** Places held now. */
  readonly live: number;
  /** Calls of the day that connected or may still do so. */
  readonly today: number;
}

export interface PublicAdmissionRepository {
  /** Asks and counts in one step, over all processes: true when there was room. */
  admit(request: AdmissionRequest): Promise<boolean>;
  /** Media flows: from now on the day is charged for good. */
  connected(id: string, atMs: number): Promise<void>;
  /** Gives the place back; the day too, when the call never connected. */
  release(id: string, atMs: number): Promise<void>;
  counts(subject: string, day: string): Promise<AdmissionCounts>;
  /**
   * Gives back the places of processes that are gone: those that stopped, and those of which
   * nothing was heard since `silentSinceMs`. Forgets days before `day`.
   */
  sweep(silentSinceMs: number, day: string, atMs: number): Promise<void>;
}

const CHARGES_DAY = '(connected_at_ms IS NOT NULL OR released_at_ms IS NULL)';

/**
 * Rows of one statement do not see each other, so they are numbered: the n-th that asks for a
 * subject needs room for n. Statements of several processes follow one another in sqlite.
 */
const ADMIT: WriteStatement = {
  name: 'public-admission-admit',
  rank: 1,
  sql: `INSERT INTO public_admissions (id, subject, day, instance_id, admitted_at_ms)
    SELECT id, subject, day, instance_id, at_ms FROM (
      SELECT value ->> 0 AS id, value ->> 1 AS subject, value ->> 2 AS day,
        value ->> 3 AS instance_id, value ->> 4 AS at_ms,
        value ->> 5 AS concurrent_max, value ->> 6 AS daily_max,
        row_number() OVER (PARTITION BY value ->> 1 ORDER BY key) AS nth
      FROM json_each(?1)
    ) AS asked
    WHERE nth + (SELECT count(*) FROM public_admissions AS held
        WHERE held.subject = asked.subject AND held.released_at_ms IS NULL) <= concurrent_max
      AND nth + (SELECT count(*) FROM public_admissions AS held
        WHERE held.subject = asked.subject AND held.day = asked.day AND ${CHARGES_DAY}) <= daily_max
    RETURNING id`,
};

const CONNECTED: WriteStatement = {
  name: 'public-admission-connected',
  rank: 2,
  sql: `UPDATE public_admissions SET connected_at_ms = w.value ->> 1 FROM json_each(?1) AS w
    WHERE public_admissions.id = w.value ->> 0 AND released_at_ms IS NULL
      AND connected_at_ms IS NULL
    RETURNING public_admissions.id AS id`,
};

const RELEASE: WriteStatement = {
  name: 'public-admission-release',
  rank: 3,
  sql: `UPDATE public_admissions SET released_at_ms = w.value ->> 1 FROM json_each(?1) AS w
    WHERE public_admissions.id = w.value ->> 0 AND released_at_ms IS NULL
    RETURNING public_admissions.id AS id`,
};

const RELEASE_GONE: WriteStatement = {
  name: 'public-admission-release-gone',
  rank: 4,
  sql: `UPDATE public_admissions SET released_at_ms = w.value ->> 2 FROM json_each(?1) AS w
    WHERE released_at_ms IS NULL AND instance_id <> w.value ->> 0 AND instance_id IN (
      SELECT instances.id FROM instances
      WHERE stopped_at_ms IS NOT NULL OR heartbeat_at_ms < w.value ->> 1)
    RETURNING public_admissions.id AS id`,
};

const FORGET: WriteStatement = {
  name: 'public-admission-forget',
  rank: 5,
  sql: `DELETE FROM public_admissions WHERE released_at_ms IS NOT NULL
      AND day < (SELECT value ->> 0 FROM json_each(?1))
    RETURNING id`,
};

const COUNTS = `SELECT
    (SELECT count(*) FROM public_admissions WHERE subject = ?1 AND released_at_ms IS NULL) AS live,
    (SELECT count(*) FROM public_admissions
      WHERE subject = ?1 AND day = ?2 AND ${CHARGES_DAY}) AS today`;

export interface PublicAdmissionRepositoryOptions {
  readonly writes: WriteQueue;
  readonly reader: Connection;
  readonly instanceId: string;
}

export function createPublicAdmissionRepository(
  options: PublicAdmissionRepositoryOptions,
): PublicAdmissionRepository {
  const { writes, reader, instanceId } = options;
  const write = async (statement: WriteStatement, id: string, row: (string | number)[]) => {
    const [isTaken = false] = await writes.write({ statement, id, subject: id, row });
    return isTaken;
  };

  return {
    admit: ({ id, subject, day, concurrentMax, dailyMax, atMs }) =>
      write(ADMIT, id, [id, subject, day, instanceId, atMs, concurrentMax, dailyMax]),

    async connected(id, atMs) {
      await write(CONNECTED, id, [id, atMs]);
    },

    async release(id, atMs) {
      await write(RELEASE, id, [id, atMs]);
    },

    async counts(subject, day) {
      const row = await reader.first(COUNTS, [subject, day]);
      if (row === null) throw new TypeError('counts are always one row');
      return { live: numberOf(row, 'live'), today: numberOf(row, 'today') };
    },

    async sweep(silentSinceMs, day, atMs) {
      await writes.write(
        {
          statement: RELEASE_GONE,
          id: instanceId,
          subject: 'sweep',
          row: [instanceId, silentSinceMs, atMs],
        },
        { statement: FORGET, id: instanceId, subject: 'sweep', row: [day] },
      );
    },
  };
}
