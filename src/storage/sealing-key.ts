import { chmodSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { randomBytes } from 'node:crypto';
import { join } from 'node:path';
import { SealedBox } from '../lib/sealed-box.ts';
import { storageError } from './storage-error.ts';

const FILE = 'sealing.key';

/**
 * What secrets are sealed with that must be readable again. The key lies beside the database and
 * not in it, so that a copy of the database alone gives nothing away.
 *
 * @param configured 64 hexadecimal digits of the settings; null: kept in `sealing.key` in the data
 * folder, made when there is none
 */
export function openSealedBox(configured: string | null, dataDir: string): SealedBox {
  const hex = configured ?? readOrMake(join(dataDir, FILE), dataDir);
  if (!/^[0-9a-f]{64}$/i.test(hex)) throw storageError('STORAGE_CORRUPT');
  return new SealedBox(Buffer.from(hex, 'hex'));
}

function readOrMake(file: string, dataDir: string): string {
  try {
    mkdirSync(dataDir, { recursive: true, mode: 0o700 });
    writeFileSync(file, `${randomBytes(32).toString('hex')}\n`, { mode: 0o600, flag: 'wx' });
  } catch (error) {
    const isThere = error instanceof Error && 'code' in error && error.code === 'EEXIST';
    if (!isThere) throw storageError('STORAGE_UNWRITABLE', error);
    chmodSync(file, 0o600);
  }
  return readFileSync(file, 'utf8').trim();
}
