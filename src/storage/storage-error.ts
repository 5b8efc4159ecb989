import { GatewayError } from '../lib/gateway-error.ts';

/**
 * - `STORAGE_FULL`: no room on the disk. Nothing of the write stands. Retryable.
 * - `STORAGE_BUSY`: another process held the file longer than `busyTimeoutMs`. Retryable.
 * - `STORAGE_CONFLICT`: the row exists, or what it refers to does not.
 * - `STORAGE_CORRUPT`: the file is damaged or no database; needs a person.
 * - `STORAGE_UNWRITABLE`: permissions, or an I/O error.
 * - `STORAGE_OVERLOADED`: more writes wait than may wait. Retryable.
 * - `STORAGE_CLOSED`: used after `close`.
 * - `STORAGE_NEWER`: the file was made by a later version.
 * - `STORAGE_FAILED`: anything else.
 */
export type StorageErrorCode =
  | 'STORAGE_FULL'
  | 'STORAGE_BUSY'
  | 'STORAGE_CONFLICT'
  | 'STORAGE_CORRUPT'
  | 'STORAGE_UNWRITABLE'
  | 'STORAGE_OVERLOADED'
  | 'STORAGE_CLOSED'
  | 'STORAGE_NEWER'
  | 'STORAGE_FAILED';

export class StorageError extends GatewayError<StorageErrorCode> {}

const BY_SQLITE_CODE: Readonly<Record<string, StorageErrorCode>> = {
  SQLITE_FULL: 'STORAGE_FULL',
  SQLITE_BUSY: 'STORAGE_BUSY',
  SQLITE_LOCKED: 'STORAGE_BUSY',
  SQLITE_CONSTRAINT: 'STORAGE_CONFLICT',
  SQLITE_CORRUPT: 'STORAGE_CORRUPT',
  SQLITE_NOTADB: 'STORAGE_CORRUPT',
  SQLITE_READONLY: 'STORAGE_UNWRITABLE',
  SQLITE_CANTOPEN: 'STORAGE_UNWRITABLE',
  SQLITE_PERM: 'STORAGE_UNWRITABLE',
  SQLITE_IOERR: 'STORAGE_UNWRITABLE',
};

const SENTENCES: Readonly<Record<StorageErrorCode, string>> = {
  STORAGE_FULL: 'the disk of the database is full',
  STORAGE_BUSY: 'another process holds the database',
  STORAGE_CONFLICT: 'the row exists, or what it refers to does not',
  STORAGE_CORRUPT: 'the database file is damaged, or no database',
  STORAGE_UNWRITABLE: 'the database cannot be written',
  STORAGE_OVERLOADED: 'too many writes are waiting',
  STORAGE_CLOSED: 'the database is closed',
  STORAGE_NEWER: 'the database was made by a later version',
  STORAGE_FAILED: 'the database refused',
};

const RETRYABLE: readonly StorageErrorCode[] = [
  'STORAGE_FULL',
  'STORAGE_BUSY',
  'STORAGE_OVERLOADED',
];

export function storageError(code: StorageErrorCode, cause?: unknown): StorageError {
  return new StorageError(code, SENTENCES[code], { cause, retryable: RETRYABLE.includes(code) });
}

/** What the driver threw, in our words. */
export function toStorageError(error: unknown): StorageError {
  if (error instanceof StorageError) return error;
  const code = error instanceof Error && 'code' in error ? String(error.code) : '';
  return storageError(BY_SQLITE_CODE[code] ?? 'STORAGE_FAILED', error);
}
