import type { Knex } from 'knex';
import { randomId } from '../lib/random-id.ts';
import type { CallId, WorkspaceId } from '../model/ids.ts';
import { asCallId, asWorkspaceId } from '../model/ids.ts';
import type { Connection, SqlRow } from './connection.ts';
import { nullableNumber, nullableText, numberOf, textOf } from './rows.ts';
import type { Write, WriteQueue, WriteStatement } from './write-queue.ts';

export type DeliveryStatus = 'pending' | 'delivered' | 'failed';

/** An event for an owner's server, to be stored. */
export interface NewEvent {
  readonly eventId: string;
  readonly eventType: string;
  readonly workspaceId: WorkspaceId;
  readonly agentId: string | null;
  readonly callId: CallId | null;
  /** The bytes that are sent and signed. */
  readonly body: string;
  readonly atMs: number;
}

export interface Delivery {
  readonly id: string;
  readonly eventId: string;
  readonly eventType: string;
  readonly redeliveryOf: string | null;
  readonly workspaceId: WorkspaceId;
  readonly agentId: string | null;
  readonly callId: string | null;
  readonly url: string;
  readonly status: DeliveryStatus;
  readonly attempts: number;
  readonly nextAttemptAtMs: number;
  readonly responseCode: number | null;
  readonly responseTimeMs: number | null;
  /** Of the last attempt, and why there is none after it. */
  readonly failure: string | null;
  readonly createdAtMs: number;
  readonly finishedAtMs: number | null;
}

export interface DueDelivery extends Delivery {
  readonly body: string;
}

/** What one attempt came to. */
export interface AttemptResult {
  readonly status: DeliveryStatus;
  readonly responseCode: number | null;
  readonly responseTimeMs: number;
  readonly failure: string | null;
  /** Of a pending one. */
  readonly nextAttemptAtMs: number;
  readonly atMs: number;
}

export interface DeliveryFilter {
  readonly status?: DeliveryStatus;
  readonly eventType?: string;
  readonly callId?: string;
}

export interface DeliveryCursor {
  readonly createdAtMs: number;
  readonly id: string;
}

export interface WebhookRepository {
  /** False when nobody wants it: neither agent nor workspace has an address. */
  enqueue(event: NewEvent): Promise<boolean>;
  /** Of each address the first few that are due, but for those of busy addresses. */
  due(atMs: number, busyUrls: readonly string[], limit: number): Promise<readonly DueDelivery[]>;
  /** True for one caller only; the others find it due again at `untilMs`, should this one die. */
  claim(id: string, atMs: number, untilMs: number): Promise<boolean>;
  finish(id: string, result: AttemptResult): Promise<void>;
  /** Newest first. */
  list(
    workspaceId: WorkspaceId,
    filter: DeliveryFilter,
    limit: number,
    after?: DeliveryCursor,
  ): Promise<readonly Delivery[]>;
  /** The same event once more; null when there is none of that id. */
  redeliver(workspaceId: WorkspaceId, id: string, atMs: number): Promise<Delivery | null>;
  /** Calls of dead processes whose end has not been told. */
  untold(sinceMs: number): Promise<readonly { workspaceId: WorkspaceId; callId: CallId }[]>;
  /** Forgets what was finished before. */
  purge(beforeMs: number): Promise<void>;
}

/** Of one workspace; what comes beyond is not kept. */
export const PENDING_MAX = 10_000;
/** Sent to one address at once. */
export const AT_ONCE_MAX = 4;

const ENQUEUE: WriteStatement = {
  name: 'webhook-enqueue',
  rank: 8,
  sql: `INSERT INTO webhook_deliveries (id, event_id, workspace_id, agent_id, call_id, event_type,
      url, body, status, next_attempt_at_ms, created_at_ms)
    SELECT w.value ->> 0, w.value ->> 1, ws.id, w.value ->> 3, w.value ->> 4, w.value ->> 5,
      coalesce(agents.webhook_url, ws.webhook_url), w.value ->> 6, 'pending',
      w.value ->> 7, w.value ->> 7
    FROM json_each(?1) AS w
      JOIN workspaces AS ws ON ws.id = w.value ->> 2
      LEFT JOIN agents ON agents.id = w.value ->> 3
    WHERE coalesce(agents.webhook_url, ws.webhook_url) IS NOT NULL
      AND (SELECT count(*) FROM webhook_deliveries AS held
        WHERE held.workspace_id = ws.id AND held.status = 'pending') < ${PENDING_MAX}
    ORDER BY w.key
    ON CONFLICT DO NOTHING RETURNING id`,
};

const CLAIM: WriteStatement = {
  name: 'webhook-claim',
  rank: 2,
  sql: `UPDATE webhook_deliveries SET attempts = attempts + 1, next_attempt_at_ms = w.value ->> 2
    FROM json_each(?1) AS w
    WHERE webhook_deliveries.id = w.value ->> 0 AND status = 'pending'
      AND next_attempt_at_ms <= w.value ->> 1
    RETURNING webhook_deliveries.id AS id`,
};

const FINISH: WriteStatement = {
  name: 'webhook-finish',
  rank: 3,
  sql: `UPDATE webhook_deliveries SET status = w.value ->> 1, response_code = w.value ->> 2,
      response_time_ms = w.value ->> 3, failure = w.value ->> 4,
      next_attempt_at_ms = w.value ->> 5, finished_at_ms = w.value ->> 6
    FROM json_each(?1) AS w
    WHERE webhook_deliveries.id = w.value ->> 0 AND status = 'pending'
    RETURNING webhook_deliveries.id AS id`,
};

const REDELIVER: WriteStatement = {
  name: 'webhook-redeliver',
  rank: 4,
  sql: `INSERT INTO webhook_deliveries (id, event_id, redelivery_of, workspace_id, agent_id,
      call_id, event_type, url, body, status, next_attempt_at_ms, created_at_ms)
    SELECT w.value ->> 0, event_id, old.id, workspace_id, agent_id, call_id, event_type, url, body,
      'pending', w.value ->> 3, w.value ->> 3
    FROM json_each(?1) AS w JOIN webhook_deliveries AS old ON old.id = w.value ->> 2
    WHERE workspace_id = w.value ->> 1 RETURNING id`,
};

const PURGE: WriteStatement = {
  name: 'webhook-purge',
  rank: 5,
  sql: `DELETE FROM webhook_deliveries WHERE seq IN (SELECT seq FROM webhook_deliveries
      WHERE finished_at_ms < (SELECT value ->> 0 FROM json_each(?1)) LIMIT 5000) RETURNING id`,
};

/** Events of one call come to one address in their order: one waits for the other. */
const DUE = `SELECT * FROM (
    SELECT one.*, row_number() OVER (PARTITION BY url ORDER BY seq) AS nth
    FROM webhook_deliveries AS one
    WHERE status = 'pending' AND next_attempt_at_ms <= ?1
      AND url NOT IN (SELECT value FROM json_each(?2))
      AND NOT EXISTS (SELECT 1 FROM webhook_deliveries AS earlier
        WHERE earlier.call_id = one.call_id AND earlier.url = one.url
          AND earlier.status = 'pending' AND earlier.seq < one.seq)
  ) WHERE nth <= ${AT_ONCE_MAX} ORDER BY next_attempt_at_ms, seq LIMIT ?3`;

const ONE = 'SELECT * FROM webhook_deliveries WHERE id = ?1';

const UNTOLD = `SELECT calls.id, calls.workspace_id FROM calls
    JOIN workspaces AS ws ON ws.id = calls.workspace_id
    LEFT JOIN agents ON agents.id = calls.agent_id
  WHERE end_reason = 'daemon-crashed' AND ended_at_ms > ?1
    AND coalesce(agents.webhook_url, ws.webhook_url) IS NOT NULL
    AND NOT EXISTS (SELECT 1 FROM webhook_deliveries
      WHERE event_id = 'evt_' || calls.id AND redelivery_of IS NULL)
  LIMIT 500`;

export interface WebhookRepositoryOptions {
  readonly writes: WriteQueue;
  readonly reader: Connection;
  readonly db: Knex;
}

/** For the transaction of what it tells of. Harmless when the event was stored before. */
export function enqueueWrite(event: NewEvent): Write {
  const { eventId, workspaceId, agentId, callId, eventType, body, atMs } = event;
  const id = randomId('del');
  const about = [eventId, workspaceId, agentId, callId, eventType];
  const row = [id, ...about, body, Math.round(atMs)];
  return { statement: ENQUEUE, id, subject: `webhooks ${callId ?? workspaceId}`, row };
}

export function createWebhookRepository(options: WebhookRepositoryOptions): WebhookRepository {
  const { writes, reader, db } = options;
  const write = async (one: Write) => {
    const [isTaken = false] = await writes.write(one);
    return isTaken;
  };

  return {
    enqueue: (event) => write(enqueueWrite(event)),

    async due(atMs, busyUrls, limit) {
      const rows = await reader.all(DUE, [atMs, JSON.stringify(busyUrls), limit]);
      return rows.map((row) => ({ ...toDelivery(row), body: textOf(row, 'body') }));
    },

    claim: (id, atMs, untilMs) =>
      write({ statement: CLAIM, id, subject: id, row: [id, atMs, untilMs] }),

    async finish(id, { status, responseCode, responseTimeMs, failure, nextAttemptAtMs, atMs }) {
      const finishedAtMs = status === 'pending' ? null : atMs;
      const told = [status, responseCode, Math.round(responseTimeMs), failure];
      const row = [id, ...told, Math.round(nextAttemptAtMs), finishedAtMs];
      await write({ statement: FINISH, id, subject: id, row });
    },

    async list(workspaceId, { status, eventType, callId }, limit, after) {
      const query = db<SqlRow, SqlRow[]>('webhook_deliveries')
        .where('workspace_id', workspaceId)
        .orderBy([
          { column: 'created_at_ms', order: 'desc' },
          { column: 'id', order: 'desc' },
        ])
        .limit(limit);
      if (status !== undefined) query.where('status', status);
      if (eventType !== undefined) query.where('event_type', eventType);
      if (callId !== undefined) query.where('call_id', callId);
      if (after !== undefined) {
        query.whereRaw('(created_at_ms, id) < (?, ?)', [after.createdAtMs, after.id]);
      }
      const rows = await query;
      return rows.map(toDelivery);
    },

    async redeliver(workspaceId, oldId, atMs) {
      const id = randomId('del');
      const row = [id, workspaceId, oldId, atMs];
      if (!(await write({ statement: REDELIVER, id, subject: id, row }))) return null;
      const found = await reader.first(ONE, [id]);
      return found === null ? null : toDelivery(found);
    },

    async untold(sinceMs) {
      const rows = await reader.all(UNTOLD, [sinceMs]);
      return rows.map((row) => ({
        callId: asCallId(textOf(row, 'id')),
        workspaceId: asWorkspaceId(textOf(row, 'workspace_id')),
      }));
    },

    async purge(beforeMs) {
      await write({ statement: PURGE, id: 'purge', subject: 'webhook purge', row: [beforeMs] });
    },
  };
}

function toDelivery(row: SqlRow): Delivery {
  return {
    id: textOf(row, 'id'),
    eventId: textOf(row, 'event_id'),
    eventType: textOf(row, 'event_type'),
    redeliveryOf: nullableText(row, 'redelivery_of'),
    workspaceId: asWorkspaceId(textOf(row, 'workspace_id')),
    agentId: nullableText(row, 'agent_id'),
    callId: nullableText(row, 'call_id'),
    url: textOf(row, 'url'),
    status: statusOf(textOf(row, 'status')),
    attempts: numberOf(row, 'attempts'),
    nextAttemptAtMs: numberOf(row, 'next_attempt_at_ms'),
    responseCode: nullableNumber(row, 'response_code'),
    responseTimeMs: nullableNumber(row, 'response_time_ms'),
    failure: nullableText(row, 'failure'),
    createdAtMs: numberOf(row, 'created_at_ms'),
    finishedAtMs: nullableNumber(row, 'finished_at_ms'),
  };
}

function statusOf(text: string): DeliveryStatus {
  return text === 'delivered' || text === 'failed' ? text : 'pending';
}
