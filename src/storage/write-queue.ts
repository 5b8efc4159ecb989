import type { Connection, SqlValue } from './connection.ts';
import { type StorageError, storageError, toStorageError } from './storage-error.ts';

/** SQL that takes many rows at once: `?1` is a JSON array of rows, each an array of values. */
export interface WriteStatement {
  readonly name: string;
  /** Ends in `RETURNING id`: the rows that took effect. */
  readonly sql: string;
  /** Place in a transaction: what other writes refer to stands lower. */
  readonly rank: number;
}

export interface Write {
  readonly statement: WriteStatement;
  /** What `RETURNING id` says when this write took effect. */
  readonly id: string;
  /** Writes of one subject (a call) take effect in the order they were asked for. */
  readonly subject: string;
  readonly row: readonly (SqlValue | Readonly<Record<string, SqlValue>>)[];
}

export interface WriteQueueOptions {
  readonly connection: Connection;
  /** Waiting writes at most; more are refused with `STORAGE_OVERLOADED`. */
  readonly waitingMax?: number;
  /** Writes in one transaction at most. */
  readonly batchMax?: number;
  /**
   * Transactions begin at least so far apart, so that a busy daemon commits many writes at
   * once. An idle one commits at once.
   */
  readonly spacingMs?: number;
}

export interface WriteQueueCounters {
  commits: number;
  writes: number;
  failures: number;
}

/** Writes that stand or fall together, and who waits for them. */
interface Unit {
  readonly writes: readonly Write[];
  resolve(effects: readonly boolean[]): void;
  reject(error: StorageError): void;
}

type Outcome = readonly boolean[] | StorageError;

/**
 * Group commit. Writes that come while a transaction runs, or shortly after it, share the
 * next one; each caller's promise resolves after COMMIT has reached the disk. One statement
 * carries all rows of its kind, which makes a write cost a tenth of one on its own.
 *
 * A write that the database refuses (a conflict) does not harm its neighbors: the batch is
 * rolled back and done again with each unit in a savepoint. When the disk is full, locked or
 * broken, all units of the batch are refused with that `StorageError` and none stands; the
 * queue stays usable.
 */
export class WriteQueue {
  readonly counters: WriteQueueCounters = { commits: 0, writes: 0, failures: 0 };
  readonly #connection: Connection;
  readonly #waitingMax: number;
  readonly #batchMax: number;
  readonly #spacingMs: number;
  #waiting: Unit[] = [];
  #waitingWrites = 0;
  #lastBeganAtMs = Number.NEGATIVE_INFINITY;
  #timer: NodeJS.Timeout | NodeJS.Immediate | null = null;
  #flushing: Promise<void> | null = null;
  #isClosed = false;
  #lastFailure: StorageError | null = null;

  constructor(options: WriteQueueOptions) {
    this.#connection = options.connection;
    this.#waitingMax = options.waitingMax ?? 20_000;
    this.#batchMax = options.batchMax ?? 512;
    this.#spacingMs = options.spacingMs ?? 4;
  }

  /** Failure of the last transaction, null when it stood. */
  get lastFailure(): StorageError | null {
    return this.#lastFailure;
  }

  get waitingWrites(): number {
    return this.#waitingWrites;
  }

  /**
   * Writes all or none. Resolves once durable, to which of the writes took effect (a
   * conditional update may not). Rejects with `StorageError`.
   */
  write(...writes: readonly Write[]): Promise<readonly boolean[]> {
    if (this.#isClosed) return Promise.reject(storageError('STORAGE_CLOSED'));
    if (this.#waitingWrites + writes.length > this.#waitingMax) {
      return Promise.reject(storageError('STORAGE_OVERLOADED'));
    }
    return new Promise((resolve, reject) => {
      this.#waiting.push({ writes, resolve, reject });
      this.#waitingWrites += writes.length;
      this.#schedule();
    });
  }

  /** Commits what waits, then refuses everything. */
  async close(): Promise<void> {
    this.#isClosed = true;
    while (this.#flushing !== null || this.#waiting.length > 0) {
      await (this.#flushing ?? this.#flush());
    }
    this.#unschedule();
  }

  #schedule(): void {
    if (this.#timer !== null || this.#flushing !== null || this.#waiting.length === 0) return;
    const waitMs = this.#lastBeganAtMs + this.#spacingMs - performance.now();
    const flush = () => void this.#flush();
    this.#timer = waitMs > 0 ? setTimeout(flush, waitMs) : setImmediate(flush);
  }

  #unschedule(): void {
    if (this.#timer === null) return;
    clearTimeout(this.#timer as NodeJS.Timeout);
    clearImmediate(this.#timer as NodeJS.Immediate);
    this.#timer = null;
  }

  #flush(): Promise<void> {
    this.#unschedule();
    this.#lastBeganAtMs = performance.now();
    const batch = this.#takeBatch();
    this.#flushing = this.#commit(batch).finally(() => {
      this.#flushing = null;
      this.#schedule();
    });
    return this.#flushing;
  }

  /**
   * As many waiting units as one transaction can do in the order of ranks. A unit that must
   * wait for the next one holds back later units of its subjects, and no others.
   */
  #takeBatch(): Unit[] {
    const batch = new BatchPlan();
    const taken: Unit[] = [];
    const left: Unit[] = [];
    let size = 0;
    for (const unit of this.#waiting) {
      const hasRoom = taken.length === 0 || size + unit.writes.length <= this.#batchMax;
      if (!hasRoom) batch.hold(unit);
      if (hasRoom && batch.join(unit)) {
        taken.push(unit);
        size += unit.writes.length;
      } else left.push(unit);
    }
    this.#waiting = left;
    this.#waitingWrites -= size;
    return taken;
  }

  async #commit(batch: readonly Unit[]): Promise<void> {
    let outcomes: readonly Outcome[];
    try {
      outcomes = await this.#together(batch);
      this.#lastFailure = null;
    } catch (error) {
      outcomes = await this.#afterFailure(batch, toStorageError(error));
    }
    this.counters.commits += 1;
    for (const [index, unit] of batch.entries()) {
      const outcome = outcomes[index];
      if (outcome instanceof Error || outcome === undefined) {
        this.counters.failures += 1;
        unit.reject(outcome ?? storageError('STORAGE_FAILED'));
      } else {
        this.counters.writes += unit.writes.length;
        unit.resolve(outcome);
      }
    }
  }

  async #afterFailure(batch: readonly Unit[], error: StorageError): Promise<readonly Outcome[]> {
    const isOneUnitsFault = error.code === 'STORAGE_CONFLICT' || error.code === 'STORAGE_FAILED';
    if (isOneUnitsFault && batch.length > 1) {
      try {
        const outcomes = await this.#oneByOne(batch);
        this.#lastFailure = null;
        return outcomes;
      } catch (second) {
        return this.#refuseAll(batch, toStorageError(second));
      }
    }
    return this.#refuseAll(batch, error);
  }

  #refuseAll(batch: readonly Unit[], error: StorageError): readonly Outcome[] {
    if (error.code !== 'STORAGE_CONFLICT') this.#lastFailure = error;
    return batch.map(() => error);
  }

  async #together(batch: readonly Unit[]): Promise<readonly Outcome[]> {
    const groups = groupByStatement(batch);
    const [only] = groups;
    // A statement alone is its own transaction.
    if (only !== undefined && groups.length === 1) {
      return effectsOf(batch, [await this.#run(only)]);
    }
    return this.#transaction(async () => {
      const taken: Set<string>[] = [];
      for (const group of groups) taken.push(await this.#run(group));
      return effectsOf(batch, taken, groups);
    });
  }

  async #oneByOne(batch: readonly Unit[]): Promise<readonly Outcome[]> {
    return this.#transaction(async () => {
      const outcomes: Outcome[] = [];
      for (const unit of batch) outcomes.push(await this.#inSavepoint(unit));
      return outcomes;
    });
  }

  async #inSavepoint(unit: Unit): Promise<Outcome> {
    await this.#connection.exec('SAVEPOINT unit');
    try {
      const groups = groupByStatement([unit]);
      const taken: Set<string>[] = [];
      for (const group of groups) taken.push(await this.#run(group));
      await this.#connection.exec('RELEASE unit');
      return effectsOf([unit], taken, groups)[0] ?? [];
    } catch (error) {
      await this.#connection.exec('ROLLBACK TO unit; RELEASE unit');
      return toStorageError(error);
    }
  }

  async #transaction<T>(work: () => Promise<T>): Promise<T> {
    await this.#connection.exec('BEGIN IMMEDIATE');
    try {
      const result = await work();
      await this.#connection.exec('COMMIT');
      return result;
    } catch (error) {
      // sqlite may have rolled back by itself (disk full): then this one fails, and says nothing new.
      await this.#connection.exec('ROLLBACK').catch(() => {});
      throw error;
    }
  }

  async #run({ statement, writes }: Group): Promise<Set<string>> {
    const rows = JSON.stringify(writes.map(({ row }) => row));
    const taken = await this.#connection.all(statement.sql, [rows]);
    return new Set(taken.map(({ id }) => String(id)));
  }
}

interface Group {
  readonly statement: WriteStatement;
  readonly writes: Write[];
}

/** What one transaction holds so far: ranks of a subject do not go back, no row comes twice. */
class BatchPlan {
  readonly #rankOf = new Map<string, number>();
  readonly #ids = new Set<string>();
  readonly #heldSubjects = new Set<string>();

  join({ writes }: Pick<Unit, 'writes'>): boolean {
    const fits = writes.every(
      ({ statement, subject, id }) =>
        !this.#heldSubjects.has(subject) &&
        statement.rank >= (this.#rankOf.get(subject) ?? 0) &&
        !this.#ids.has(`${statement.name} ${id}`),
    );
    if (!fits) {
      this.hold({ writes });
      return false;
    }
    for (const { statement, subject, id } of writes) {
      this.#rankOf.set(subject, Math.max(statement.rank, this.#rankOf.get(subject) ?? 0));
      this.#ids.add(`${statement.name} ${id}`);
    }
    return true;
  }

  hold({ writes }: Pick<Unit, 'writes'>): void {
    for (const { subject } of writes) this.#heldSubjects.add(subject);
  }
}

function groupByStatement(batch: readonly Unit[]): Group[] {
  const groups = new Map<string, Group>();
  for (const { writes } of batch) {
    for (const write of writes) {
      const group = groups.get(write.statement.name);
      if (group !== undefined) group.writes.push(write);
      else groups.set(write.statement.name, { statement: write.statement, writes: [write] });
    }
  }
  return [...groups.values()].sort((a, b) => a.statement.rank - b.statement.rank);
}

function effectsOf(
  batch: readonly Unit[],
  taken: readonly ReadonlySet<string>[],
  groups: readonly Group[] = groupByStatement(batch),
): readonly (readonly boolean[])[] {
  const byName = new Map(groups.map(({ statement }, index) => [statement.name, taken[index]]));
  return batch.map(({ writes }) =>
    writes.map(({ statement, id }) => byName.get(statement.name)?.has(id) ?? false),
  );
}
