import { chmodSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { asWorkspaceId, type WorkspaceId } from '../model/ids.ts';
import type { NewAgent } from './agent-repository.ts';
import { type ApiKey, newApiKey } from './api-key-repository.ts';
import type { Storage } from './storage.ts';

/** The first workspace. Its type is `demo`: calls are real and cost nothing. */
export const DEMO_WORKSPACE_ID: WorkspaceId = asWorkspaceId('ws_demo');

const ADMIN_LABEL = 'admin';

export interface BootstrapOptions {
  readonly storage: Storage;
  /** The agent of the first workspace; stored at the first start only. */
  readonly demoAgent: Omit<NewAgent, 'workspaceId'>;
  /** From the settings; null: kept in `admin.key` in the data folder, made when needed. */
  readonly adminKey: string | null;
  readonly dataDir: string;
  readonly nowMs: number;
}

export interface Bootstrapped {
  /** To be shown on the terminal, never logged; null when it was made elsewhere and is unknown. */
  readonly adminKey: string | null;
  /** Where the key lies, null when the settings gave it. */
  readonly adminKeyFile: string | null;
}

/** Makes sure that there is a workspace, an agent in it and a key. Every start may call it. */
export async function bootstrap(options: BootstrapOptions): Promise<Bootstrapped> {
  const { storage, demoAgent, nowMs } = options;
  const workspaceId = DEMO_WORKSPACE_ID;
  const isFirst = await storage.workspaces.create(
    { id: workspaceId, name: 'Demo', type: 'demo' },
    nowMs,
  );
  if (isFirst) await storage.agents.create({ ...demoAgent, workspaceId }, nowMs);
  return options.adminKey === null
    ? ensureKeyFile(options)
    : ensureConfiguredKey(options, options.adminKey);
}

/** A key of the settings replaces the one before it: so a lost key is replaced too. */
async function ensureConfiguredKey(
  options: BootstrapOptions,
  adminKey: string,
): Promise<Bootstrapped> {
  const { storage, nowMs } = options;
  const { id: currentId } =
    (await storage.apiKeys.verify(adminKey)) ?? (await addAdminKey(storage, adminKey, nowMs));
  for (const { id, label } of await storage.apiKeys.listActive(DEMO_WORKSPACE_ID)) {
    if (label === ADMIN_LABEL && id !== currentId) {
      await storage.apiKeys.revoke(DEMO_WORKSPACE_ID, id, nowMs);
    }
  }
  return { adminKey, adminKeyFile: null };
}

async function ensureKeyFile({ storage, dataDir, nowMs }: BootstrapOptions): Promise<Bootstrapped> {
  const adminKeyFile = join(dataDir, 'admin.key');
  const kept = readKey(adminKeyFile);
  if (kept !== null) {
    if ((await storage.apiKeys.verify(kept)) === null) await addAdminKey(storage, kept, nowMs);
    return { adminKey: kept, adminKeyFile };
  }
  const keys = await storage.apiKeys.listActive(DEMO_WORKSPACE_ID);
  // Whoever took the file away has the key.
  if (keys.some(({ label }) => label === ADMIN_LABEL))
    return { adminKey: null, adminKeyFile: null };
  const made = newApiKey('live');
  // The file first: a key that only the database knows would be lost.
  writeFileSync(adminKeyFile, `${made}\n`, { mode: 0o600, flag: 'wx' });
  await addAdminKey(storage, made, nowMs);
  return { adminKey: made, adminKeyFile };
}

function addAdminKey(storage: Storage, key: string, nowMs: number): Promise<ApiKey> {
  const owner = { workspaceId: DEMO_WORKSPACE_ID, label: ADMIN_LABEL, scopes: ['*'] } as const;
  return storage.apiKeys.create(key, owner, nowMs);
}

function readKey(file: string): string | null {
  try {
    const text = readFileSync(file, 'utf8').trim();
    chmodSync(file, 0o600);
    return /^pk_(live|test)_[\w-]{24,200}$/.test(text) ? text : null;
  } catch (error) {
    if (error instanceof Error && 'code' in error && error.code === 'ENOENT') return null;
    throw error;
  }
}
