import { asCallId, asWorkspaceId, type CallId, type WorkspaceId } from '../model/ids.ts';
import type { Connection } from './connection.ts';
import { isCertainlyDead, ownIdentity } from './process-identity.ts';
import { insertMany, numberOf, textOf } from './rows.ts';
import type { WriteQueue, WriteStatement } from './write-queue.ts';

/** A call that its own process did not end. */
export interface OrphanedCall {
  readonly id: CallId;
  readonly workspaceId: WorkspaceId;
  readonly endedAtMs: number;
}

export interface InstanceLease {
  readonly instanceId: string;
  start(): Promise<void>;
  /** Says that this process lives. */
  renew(): Promise<void>;
  /**
   * Ends the live calls of processes that are gone, as `daemon-crashed`, at the last moment
   * those were known to live. Returns the calls that this very process ended.
   */
  closeOrphans(): Promise<readonly OrphanedCall[]>;
  stop(): Promise<void>;
}

export interface InstanceLeaseOptions {
  readonly instanceId: string;
  readonly writes: WriteQueue;
  readonly connection: Connection;
  readonly nowMs: () => number;
  /** A process of another machine counts as gone when it has not said anything for so long. */
  readonly leaseMs: number;
}

const START: WriteStatement = {
  name: 'instance-start',
  rank: 0,
  sql: insertMany('instances', [
    'id',
    'machine',
    'pid',
    'process_started',
    'started_at_ms',
    'heartbeat_at_ms',
  ]),
};

const RENEW: WriteStatement = {
  name: 'instance-renew',
  rank: 1,
  sql: `UPDATE instances SET heartbeat_at_ms = w.value ->> 1 FROM json_each(?1) AS w
    WHERE instances.id = w.value ->> 0 RETURNING instances.id AS id`,
};

const STOP: WriteStatement = {
  name: 'instance-stop',
  rank: 9,
  sql: `UPDATE instances SET stopped_at_ms = w.value ->> 1 FROM json_each(?1) AS w
    WHERE instances.id = w.value ->> 0 RETURNING instances.id AS id`,
};

const WITH_LIVE_CALLS = `SELECT * FROM instances WHERE id IN
  (SELECT instance_id FROM calls INDEXED BY calls_live WHERE ended_at_ms IS NULL)`;

/** Also the calls' last turn counts as a sign of life. */
const CLOSE: WriteStatement = {
  name: 'orphans-close',
  rank: 5,
  sql: `UPDATE calls SET
      status = CASE WHEN answered_at_ms IS NULL THEN 'failed' ELSE 'completed' END,
      end_reason = 'daemon-crashed',
      ended_at_ms = max(
        w.value ->> 1,
        started_at_ms,
        coalesce(answered_at_ms, 0),
        coalesce((SELECT CAST(max(ended_at_ms) AS INTEGER) FROM turns WHERE call_id = calls.id), 0)
      )
    FROM json_each(?1) AS w
    WHERE calls.instance_id = w.value ->> 0 AND calls.ended_at_ms IS NULL
    RETURNING calls.id AS id, calls.workspace_id AS workspace_id, calls.ended_at_ms AS ended_at_ms`,
};

export function createInstanceLease(options: InstanceLeaseOptions): InstanceLease {
  const { instanceId: id, writes, connection, nowMs, leaseMs } = options;
  const write = async (statement: WriteStatement, row: (string | number)[]) => {
    await writes.write({ statement, id, subject: id, row });
  };

  return {
    instanceId: id,

    async start() {
      const { machine, pid, processStarted } = ownIdentity();
      await write(START, [id, machine, pid, processStarted, nowMs(), nowMs()]);
    },

    renew: () => write(RENEW, [id, nowMs()]),

    async closeOrphans() {
      const instances = await connection.all(WITH_LIVE_CALLS);
      const gone = instances.filter((row) => {
        if (row.id === id) return false;
        if (row.stopped_at_ms !== null) return true;
        if (numberOf(row, 'heartbeat_at_ms') < nowMs() - leaseMs) return true;
        return isCertainlyDead({
          machine: textOf(row, 'machine'),
          pid: numberOf(row, 'pid'),
          processStarted: textOf(row, 'process_started'),
        });
      });
      if (gone.length === 0) return [];
      // One statement, which sees a call that another process has just ended as ended.
      const rows = gone.map((row) => [textOf(row, 'id'), numberOf(row, 'heartbeat_at_ms')]);
      const closed = await connection.all(CLOSE.sql, [JSON.stringify(rows)]);
      return closed.map((row) => ({
        id: asCallId(textOf(row, 'id')),
        workspaceId: asWorkspaceId(textOf(row, 'workspace_id')),
        endedAtMs: numberOf(row, 'ended_at_ms'),
      }));
    },

    stop: () => write(STOP, [id, nowMs()]),
  };
}
