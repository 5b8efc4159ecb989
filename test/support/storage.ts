import { join } from 'node:path';
import { NO_CAPS } from '../../src/billing/caps.ts';
import type { AgentSnapshot } from '../../src/model/agent.ts';
import { asAgentId, asCallId, asTurnId, asWorkspaceId } from '../../src/model/ids.ts';
import type { Caps, Rate } from '../../src/model/billing.ts';
import type { TranscriptTurn } from '../../src/model/turn.ts';
import { silentLogger } from '../../src/observability/logger.ts';
import { bootstrap, DEMO_WORKSPACE_ID } from '../../src/storage/bootstrap.ts';
import type { NewCall } from '../../src/storage/call-repository.ts';
import { openStorage, type Storage, type StorageOptions } from '../../src/storage/storage.ts';
import { temporaryFolder } from './temporary-folder.ts';

export const DEMO_AGENT: Omit<AgentSnapshot, 'workspaceId' | 'stt' | 'llm' | 'tts'> = {
  id: asAgentId('agt_demo'),
  displayName: 'Demo',
  isEnabled: true,
  language: 'en',
  systemPrompt: 'You answer the phone.',
  greetingText: 'Hello.',
  voice: '',
  phrasebook: { entries: [], fallbacks: ['Sorry?'] },
  tools: [],
  idle: { afterMs: 8000, prompts: ['Are you there?'] },
  timeLimitSeconds: 300,
  concurrentCallsMax: 10,
};

/** A real database in a folder of its own, with the demo workspace. */
export async function temporaryStorage(options: Partial<StorageOptions> = {}) {
  const folder = await temporaryFolder();
  const file = join(folder.path, 'trunkline.sqlite');
  const storage = await openStorage({ file, log: silentLogger(), ...options });
  const { adminKey } = await bootstrap({
    storage,
    demoAgent: DEMO_AGENT,
    adminKey: null,
    dataDir: folder.path,
    nowMs: 1_700_000_000_000,
  });
  if (adminKey === null) throw new Error('a new database has a new key');
  const remove = async () => {
    await storage.close();
    await folder.remove();
  };
  return { storage, file, folder: folder.path, adminKey, remove };
}

/** A workspace that pays: 6/6 at 0.07 a minute, and a setup fee. */
export const PAYING_WORKSPACE_ID = asWorkspaceId('ws_paying');
export const PAYING_RATE: Rate = {
  direction: 'inbound',
  door: null,
  prefix: '',
  perMinuteMicros: 70_000,
  setupMicros: 1_500,
  firstSeconds: 6,
  nextSeconds: 6,
};

export async function addPayingWorkspace(
  storage: Storage,
  caps: Partial<Caps> = {},
): Promise<void> {
  const id = PAYING_WORKSPACE_ID;
  await storage.workspaces.create({ id, name: 'Paying', type: 'standard' }, 1);
  await storage.billingTerms.setRates(id, { currency: 'EUR', rates: [PAYING_RATE] }, 1);
  await storage.billingTerms.setCaps(id, 'operator', { ...NO_CAPS, ...caps }, 1);
}

export function newCall(id: string, change: Partial<NewCall> = {}): NewCall {
  return {
    id: asCallId(id),
    workspaceId: DEMO_WORKSPACE_ID,
    agentId: DEMO_AGENT.id,
    direction: 'inbound',
    door: 'trunk',
    fromNumber: '+34612345678',
    toNumber: 'demo',
    sipCallId: 'abc@host',
    startedAtMs: 1_700_000_000_000,
    ...change,
  };
}

export function newTurn(index: number, change: Partial<TranscriptTurn> = {}): TranscriptTurn {
  return {
    id: asTurnId(`trn_${index}`),
    index,
    role: index % 2 === 0 ? 'agent' : 'user',
    text: `turn ${index}`,
    generatedText: null,
    isInterrupted: false,
    via: index % 2 === 0 ? null : 'speech',
    startedAtMs: 1_700_000_000_000.25 + index * 1000,
    endedAtMs: 1_700_000_000_900.5 + index * 1000,
    stamps: {
      speechStartedAtMs: null,
      speechEndedAtMs: null,
      speculatedAtMs: null,
      transcriptFinalAtMs: null,
      committedAtMs: 1_700_000_000_100.125,
      llmRequestedAtMs: null,
      llmFirstTokenAtMs: null,
      ttsRequestedAtMs: null,
      ttsFirstAudioAtMs: null,
      playoutStartedAtMs: 1_700_000_000_120.5,
      playoutEndedAtMs: null,
    },
    ...change,
  };
}
