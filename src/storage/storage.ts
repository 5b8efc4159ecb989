import { existsSync, mkdirSync } from 'node:fs';
import { dirname } from 'node:path';
import knex, { type Knex } from 'knex';
import { randomId } from '../lib/random-id.ts';
import type { SealedBox } from '../lib/sealed-box.ts';
import type { Logger } from '../observability/logger.ts';
import { type AgentRepository, createAgentRepository } from './agent-repository.ts';
import { type AuditRepository, createAuditRepository } from './audit-repository.ts';
import { type ApiKeyRepository, createApiKeyRepository } from './api-key-repository.ts';
import {
  type BillingTermsRepository,
  createBillingTermsRepository,
} from './billing-terms-repository.ts';
import { type CallHoldRepository, createCallHoldRepository } from './call-hold-repository.ts';
import { type CallRepository, createCallRepository } from './call-repository.ts';
import { type ChatMemoryRepository, createChatMemoryRepository } from './chat-memory-repository.ts';
import { type ChatRepository, createChatRepository } from './chat-repository.ts';
import {
  type ClickToCallRepository,
  createClickToCallRepository,
} from './click-to-call-repository.ts';
import { Connection, pragmas } from './connection.ts';
import { createInstanceLease, type InstanceLease } from './instance-lease.ts';
import {
  createInstantLinkRepository,
  type InstantLinkRepository,
} from './instant-link-repository.ts';
import { createLedgerRepository, type LedgerRepository } from './ledger-repository.ts';
import { migrate } from './migrations.ts';
import type { ChargeOf, OrphanedCall } from './orphans.ts';
import { createPublicLinkRepository, type PublicLinkRepository } from './public-link-repository.ts';
import { storageError, type StorageErrorCode } from './storage-error.ts';
import {
  createPhoneNumberRepository,
  type PhoneNumberRepository,
} from './phone-number-repository.ts';
import {
  createPublicAdmissionRepository,
  type PublicAdmissionRepository,
} from './public-admission-repository.ts';
import { openSealedBox } from './sealing-key.ts';
import { createSharedKeyRepository, type SharedKeyRepository } from './shared-key-repository.ts';
import {
  createTransferLegRepository,
  type TransferLegRepository,
} from './transfer-leg-repository.ts';
import { createUsageRepository, type UsageRepository } from './usage-repository.ts';
import { createWebhookRepository, type WebhookRepository } from './webhook-repository.ts';
import {
  createWebhookSecretRepository,
  type WebhookSecretRepository,
} from './webhook-secret-repository.ts';
import { createWebCallRepository, type WebCallRepository } from './web-call-repository.ts';
import { createWorkspaceRepository, type WorkspaceRepository } from './workspace-repository.ts';
import { WriteQueue, type WriteQueueCounters } from './write-queue.ts';

export interface StorageOptions {
  /** Path of the sqlite file; its folder is made. */
  readonly file: string;
  readonly log: Logger;
  readonly nowMs?: () => number;
  readonly busyTimeoutMs?: number;
  /** After so long without a sign of life a process's calls are taken to be dead. */
  readonly leaseMs?: number;
  /** For secrets that must be readable again. Left out: with a key beside the file. */
  readonly sealedBox?: SealedBox;
  /** What the calls of a dead process come to. Left out: nothing. */
  readonly chargeOf?: ChargeOf;
  /** Told of calls that a dead process left, each exactly once over all processes. */
  onOrphanedCalls?(calls: readonly OrphanedCall[]): void;
}

export interface StorageHealth {
  /** Why the last write failed, null when it stood. */
  readonly lastFailure: StorageErrorCode | null;
  readonly waitingWrites: number;
  readonly counters: Readonly<WriteQueueCounters>;
}

/**
 * The database. Writes go through one queue and connection (`WriteQueue`); reads have
 * connections of their own, so none waits behind a disk.
 */
export interface Storage {
  readonly workspaces: WorkspaceRepository;
  readonly agents: AgentRepository;
  readonly calls: CallRepository;
  readonly ledger: LedgerRepository;
  readonly usage: UsageRepository;
  readonly audit: AuditRepository;
  readonly callHolds: CallHoldRepository;
  readonly transferLegs: TransferLegRepository;
  readonly billingTerms: BillingTermsRepository;
  readonly apiKeys: ApiKeyRepository;
  readonly sharedKeys: SharedKeyRepository;
  readonly webCalls: WebCallRepository;
  readonly clickToCall: ClickToCallRepository;
  readonly webhooks: WebhookRepository;
  readonly phoneNumbers: PhoneNumberRepository;
  readonly webhookSecrets: WebhookSecretRepository;
  readonly instantLinks: InstantLinkRepository;
  readonly publicAdmissions: PublicAdmissionRepository;
  readonly publicLinks: PublicLinkRepository;
  readonly chats: ChatRepository;
  readonly chatMemories: ChatMemoryRepository;
  /** For rooms that add writes of their own beside a call's (billing). */
  readonly writes: WriteQueue;
  readonly instanceId: string;
  health(): StorageHealth;
  /** Looks for calls of dead processes now; it happens by itself too. */
  closeOrphans(): Promise<readonly OrphanedCall[]>;
  /** Commits what waits. Idempotent. */
  close(): Promise<void>;
}

const BUSY_TIMEOUT_MS = 5000;
const LEASE_MS = 15_000;
/** A lease survives two renewals that failed. */
const RENEWALS_PER_LEASE = 3;

/** Opens, migrates, takes a lease and ends the calls of dead processes. Throws `StorageError`. */
export async function openStorage(options: StorageOptions): Promise<Storage> {
  const { file, nowMs = Date.now, busyTimeoutMs = BUSY_TIMEOUT_MS, leaseMs = LEASE_MS } = options;
  makeFolder(dirname(file));
  const opened: Closable[] = [];
  try {
    const writer = await Connection.open(file, { busyTimeoutMs });
    opened.push(writer);
    await migrate(writer);
    const reader = await Connection.open(file, { busyTimeoutMs });
    opened.push(reader);
    const db = openKnex(file, busyTimeoutMs);
    opened.push({ close: () => db.destroy() });

    const writes = new WriteQueue({ connection: writer });
    const instanceId = randomId('ins');
    // Not the writer's connection: there it would be part of whichever transaction is open.
    const lease = createInstanceLease({
      instanceId,
      writes,
      connection: reader,
      nowMs,
      leaseMs,
      chargeOf: options.chargeOf ?? nothing,
    });
    await lease.start();
    const keeper = keepLease(lease, leaseMs, options);
    let box = options.sealedBox ?? null;
    const sealedBox = () => (box ??= openSealedBox(null, dirname(file)));
    await keeper.closeOrphans();

    return {
      workspaces: createWorkspaceRepository(writes, reader),
      agents: createAgentRepository({ writes, reader, db }),
      calls: createCallRepository({ writes, reader, db, instanceId }),
      ledger: createLedgerRepository(reader),
      usage: createUsageRepository(reader),
      audit: createAuditRepository({ writes, reader }),
      callHolds: createCallHoldRepository({ writes, reader, instanceId }),
      transferLegs: createTransferLegRepository(writes, instanceId),
      billingTerms: createBillingTermsRepository(writes, reader),
      apiKeys: createApiKeyRepository(writes, reader, nowMs),
      sharedKeys: createSharedKeyRepository(writes, reader),
      webCalls: createWebCallRepository(writes, reader),
      clickToCall: createClickToCallRepository(writes, reader, sealedBox),
      webhooks: createWebhookRepository({ writes, reader, db }),
      phoneNumbers: createPhoneNumberRepository({ writes, reader, db }),
      webhookSecrets: createWebhookSecretRepository(writes, reader, sealedBox),
      instantLinks: createInstantLinkRepository(writes, reader),
      publicAdmissions: createPublicAdmissionRepository({ writes, reader, instanceId }),
      publicLinks: createPublicLinkRepository(writes, reader),
      chats: createChatRepository(writes, reader),
      chatMemories: createChatMemoryRepository(writes, reader),
      writes,
      instanceId,
      closeOrphans: () => keeper.closeOrphans(),
      health: () => ({
        lastFailure: writes.lastFailure?.code ?? null,
        waitingWrites: writes.waitingWrites,
        counters: writes.counters,
      }),
      close: once(async () => {
        await keeper.stop();
        await writes.close();
        await closeAll(opened);
      }),
    };
  } catch (error) {
    await closeAll(opened);
    throw error;
  }
}

const nothing: ChargeOf = ({ answeredAtMs, endedAtMs }) => ({
  isAnswered: answeredAtMs !== null,
  seconds: answeredAtMs === null ? 0 : Math.max(1, Math.ceil((endedAtMs - answeredAtMs) / 1000)),
  billedSeconds: 0,
  amountMicros: 0,
  listPriceMicros: 0,
  currency: 'USD',
});

function makeFolder(path: string): void {
  if (existsSync(path)) return;
  try {
    mkdirSync(path, { recursive: true, mode: 0o700 });
  } catch (error) {
    throw storageError('STORAGE_UNWRITABLE', error);
  }
}

interface Closable {
  close(): Promise<void>;
}

async function closeAll(opened: readonly Closable[]): Promise<void> {
  for (const one of opened.toReversed()) await one.close();
}

function once(work: () => Promise<void>): () => Promise<void> {
  let done: Promise<void> | null = null;
  return () => (done ??= work());
}

/** One reading connection for the statements that are built from filters. */
function openKnex(file: string, busyTimeoutMs: number): Knex {
  return knex({
    client: 'sqlite3',
    connection: { filename: file },
    useNullAsDefault: true,
    acquireConnectionTimeout: 10_000,
    pool: {
      min: 0,
      max: 1,
      afterCreate: (connection: RawConnection, done: (error: Error | null) => void) => {
        connection.exec(pragmas({ busyTimeoutMs }).join(';'), done);
      },
    },
  });
}

interface RawConnection {
  exec(sql: string, done: (error: Error | null) => void): void;
}

/** Renews the lease and looks for orphans, one after the other, until stopped. */
function keepLease(lease: InstanceLease, leaseMs: number, options: StorageOptions) {
  const { log } = options;
  let work: Promise<unknown> = Promise.resolve();

  const closeOrphans = async () => {
    const closed = await lease.closeOrphans();
    if (closed.length > 0) {
      log.warn({ calls: closed.length }, 'closed calls that a dead process left live');
      options.onOrphanedCalls?.(closed);
    }
    return closed;
  };
  const renew = async () => {
    try {
      await lease.renew();
      await closeOrphans();
    } catch (error) {
      log.error({ err: error }, 'the lease could not be renewed');
    }
  };
  const timer = setInterval(() => {
    work = work.then(renew);
  }, leaseMs / RENEWALS_PER_LEASE);

  return {
    closeOrphans,
    async stop() {
      clearInterval(timer);
      await work;
      await lease
        .stop()
        .catch((error: unknown) => log.warn({ err: error }, 'lease not given back'));
    },
  };
}
