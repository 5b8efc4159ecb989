import sqlite3 from 'sqlite3';
import { storageError, toStorageError } from './storage-error.ts';

export type SqlValue = string | number | null;
export type SqlRow = Readonly<Record<string, SqlValue>>;

export interface ConnectionOptions {
  /** How long sqlite waits for another process before it says BUSY. */
  readonly busyTimeoutMs: number;
}

/** Every connection of ours is set up so, knex's too. */
export function pragmas({ busyTimeoutMs }: ConnectionOptions): readonly string[] {
  return [
    `PRAGMA busy_timeout = ${busyTimeoutMs}`,
    'PRAGMA journal_mode = WAL',
    // A commit that returned has reached the disk.
    'PRAGMA synchronous = FULL',
    'PRAGMA foreign_keys = ON',
    // Short-lived sorting stays off the disk.
    'PRAGMA temp_store = MEMORY',
  ];
}

/**
 * One sqlite connection with its prepared statements, as promises. Statements run one after
 * the other, in the order they were asked for.
 */
export class Connection {
  readonly #db: sqlite3.Database;
  readonly #statements = new Map<string, Prepared>();
  #isClosed = false;

  private constructor(db: sqlite3.Database) {
    this.#db = db;
    db.serialize();
  }

  /** Throws `StorageError` when the file cannot be opened or is no database. */
  static async open(file: string, options: ConnectionOptions): Promise<Connection> {
    const db = await new Promise<sqlite3.Database>((resolve, reject) => {
      const opened: sqlite3.Database = new sqlite3.Database(file, (error) => {
        if (error === null) resolve(opened);
        else reject(toStorageError(error));
      });
    });
    const connection = new Connection(db);
    try {
      for (const pragma of pragmas(options)) await connection.exec(pragma);
    } catch (error) {
      await connection.close();
      throw error;
    }
    return connection;
  }

  /** Runs SQL without parameters. */
  exec(sql: string): Promise<void> {
    return new Promise((resolve, reject) => {
      if (this.#isClosed) throw storageError('STORAGE_CLOSED');
      this.#db.exec(sql, (error) => (error === null ? resolve() : reject(toStorageError(error))));
    });
  }

  /** Rows of a statement, which is prepared once: give constant texts only. */
  all(sql: string, values: readonly SqlValue[] = []): Promise<readonly SqlRow[]> {
    return new Promise((resolve, reject) => {
      const { statement, waiting } = this.#prepared(sql);
      waiting.add(reject);
      statement.all<SqlRow>([...values], (error, rows) => {
        waiting.delete(reject);
        if (error === null) resolve(rows);
        else reject(toStorageError(error));
      });
    });
  }

  async first(sql: string, values: readonly SqlValue[] = []): Promise<SqlRow | null> {
    const [row] = await this.all(sql, values);
    return row ?? null;
  }

  async close(): Promise<void> {
    if (this.#isClosed) return;
    this.#isClosed = true;
    const statements = [...this.#statements.values()];
    this.#statements.clear();
    await Promise.all(
      statements.map(
        ({ statement }) => new Promise<void>((done) => statement.finalize(() => done())),
      ),
    );
    await new Promise<void>((resolve, reject) => {
      this.#db.close((error) => (error === null ? resolve() : reject(toStorageError(error))));
    });
  }

  #prepared(sql: string): Prepared {
    if (this.#isClosed) throw storageError('STORAGE_CLOSED');
    const known = this.#statements.get(sql);
    if (known !== undefined) return known;
    // The driver drops what waits for a statement that cannot be prepared, without a word.
    const waiting: Prepared['waiting'] = new Set();
    const statement = this.#db.prepare(sql, (error: Error | null) => {
      if (error === null) return;
      this.#statements.delete(sql);
      for (const reject of waiting) reject(toStorageError(error));
      waiting.clear();
    });
    const prepared = { statement, waiting };
    this.#statements.set(sql, prepared);
    return prepared;
  }
}

interface Prepared {
  readonly statement: sqlite3.Statement;
  /** Those who asked and have no answer yet. */
  readonly waiting: Set<(error: Error) => void>;
}
