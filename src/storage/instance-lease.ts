import type { Connection } from './connection.ts';
import { type ChargeOf, closeOrphans, type OrphanedCall } from './orphans.ts';
import { isCertainlyDead, ownIdentity } from './process-identity.ts';
import { insertMany, numberOf, textOf } from './rows.ts';
import { closeOrphanedLegs } from './transfer-leg-repository.ts';
import type { WriteQueue, WriteStatement } from './write-queue.ts';

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
  /** What the calls of a dead process come to. */
  readonly chargeOf: ChargeOf;
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
  (SELECT instance_id FROM calls INDEXED BY calls_live WHERE ended_at_ms IS NULL)
  OR id IN (SELECT instance_id FROM call_holds)
  OR id IN (SELECT instance_id FROM transfer_legs)`;

/** Of a call that began, and died before its first row. Those of others end with their calls. */
const FREE: WriteStatement = {
  name: 'call-holds-free',
  rank: 8,
  sql: `DELETE FROM call_holds
    WHERE instance_id IN (SELECT value ->> 0 FROM json_each(?1)) AND NOT EXISTS
      (SELECT 1 FROM calls WHERE calls.id = call_holds.call_id AND ended_at_ms IS NULL)
    RETURNING call_id AS id`,
};

export function createInstanceLease(options: InstanceLeaseOptions): InstanceLease {
  const { instanceId: id, writes, connection, nowMs, leaseMs } = options;
  const write = async (statement: WriteStatement, row: (string | number)[], subject = id) => {
    await writes.write({ statement, id: subject, subject, row });
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
      const dead = gone.map((row) => ({
        id: textOf(row, 'id'),
        heartbeatAtMs: numberOf(row, 'heartbeat_at_ms'),
      }));
      const closed = await closeOrphans({ writes, connection }, dead, options.chargeOf);
      await closeOrphanedLegs({ writes, connection }, dead, options.chargeOf);
      await Promise.all(dead.map((instance) => write(FREE, [instance.id], instance.id)));
      return closed;
    },

    stop: () => write(STOP, [id, nowMs()]),
  };
}
