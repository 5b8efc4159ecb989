import { availableParallelism } from 'node:os';
import { Admission } from './call/admission.ts';
import { type AgentDirectory, type CallObserver, CallService } from './call/call-service.ts';
import type { CallJournal } from './call/journal.ts';
import type { Config } from './config.ts';
import { TEMPLATES } from './dialogue/templates/templates.ts';
import type { Part } from './lifecycle.ts';
import type { AgentSnapshot } from './model/agent.ts';
import { asAgentId } from './model/ids.ts';
import { reportEndedCall } from './observability/call-ended.ts';
import type { Logger } from './observability/logger.ts';
import { createMetrics, type Metrics } from './observability/metrics.ts';
import { SipPart } from './sip-part.ts';
import type { StoredAgent } from './storage/agent-repository.ts';
import { type Bootstrapped, bootstrap } from './storage/bootstrap.ts';
import { openStorage, type Storage } from './storage/storage.ts';
import { VoicePool } from './voice/voice-pool.ts';
import type { VoiceWorkerData } from './voice/worker-thread.ts';

/** What the banner says, known once everything runs. */
export interface GatewayAddresses {
  readonly httpUrl: string;
  /** Where SIP is answered, as `host:port`. */
  readonly sip: string;
  readonly adminKey: string | null;
  readonly adminKeyFile: string | null;
}

/** Agents whose greeting is rendered at start; more wait for their first call. */
const WARM_AGENTS_MAX = 50;

/**
 * The whole daemon: builds every part and joins them. Parts start in the order of `parts` and
 * stop in reverse, so that new calls are refused first, live ones can still say goodbye, and
 * `/health` answers until nearly the end.
 */
export class Gateway {
  readonly metrics: Metrics = createMetrics({ withProcess: true });
  readonly admission: Admission;
  readonly pool: VoicePool;
  readonly sip: SipPart;
  readonly #config: Config;
  readonly #log: Logger;
  #storage: Storage | null = null;
  #calls: CallService | null = null;
  #bootstrapped: Bootstrapped = { adminKey: null, adminKeyFile: null };

  constructor(config: Config, log: Logger) {
    this.#config = config;
    this.#log = log;
    this.admission = new Admission({ callsMax: config.limits.callsMax });
    this.pool = createVoicePool(config, log, this.metrics);
    this.sip = new SipPart({
      config: config.sip,
      log,
      onInvite: (invite) => {
        if (this.#calls === null) invite.refuse(503, { retryAfterSeconds: 10 });
        else void this.#calls.onInvite(invite);
      },
    });
  }

  /** In the order of their start. */
  get parts(): readonly Part[] {
    return [this.#storagePart(), this.#voicePart(), this.sip, this.#intakePart()];
  }

  /** @throws TypeError before `start` */
  get storage(): Storage {
    if (this.#storage === null) throw new TypeError('storage is not open');
    return this.#storage;
  }

  /** @throws TypeError before `start` */
  get calls(): CallService {
    if (this.#calls === null) throw new TypeError('calls are not taken yet');
    return this.#calls;
  }

  get addresses(): GatewayAddresses {
    return { httpUrl: '', sip: this.sip.address, ...this.#bootstrapped };
  }

  #storagePart(): Part {
    const { databaseFile, dataDir, adminKey } = this.#config;
    return {
      name: 'storage',
      start: async () => {
        const storage = await openStorage({ file: databaseFile, log: this.#log });
        this.#storage = storage;
        const demoAgent = demoAgentOf();
        const nowMs = Date.now();
        this.#bootstrapped = await bootstrap({ storage, demoAgent, adminKey, dataDir, nowMs });
      },
      stop: async () => this.#storage?.close(),
    };
  }

  #voicePart(): Part {
    return {
      name: 'voice',
      start: async () => {
        await this.pool.start();
        this.#calls = this.#createCalls();
        await this.#warmAgents();
      },
      stop: async () => this.pool.stop(),
    };
  }

  /** Has nothing to start: it is last so that it stops first. */
  #intakePart(): Part {
    return {
      name: 'calls',
      start: async () => {},
      stop: async (hurry) => {
        this.admission.drain();
        this.sip.drain();
        await this.calls.idle(hurry);
        await this.calls.hangUpAll('stopped-by-operator');
      },
      waitingFor: () => {
        const live = this.#calls?.liveCount ?? 0;
        return live === 0 ? null : `${live} ${live === 1 ? 'call' : 'calls'} live`;
      },
    };
  }

  #createCalls(): CallService {
    const { storage } = this;
    return new CallService({
      pool: this.pool,
      journal: journalOf(storage),
      log: this.#log,
      nowMs: () => performance.timeOrigin + performance.now(),
      directory: this.#directory(storage),
      admission: this.admission,
      observer: this.#observer(),
    });
  }

  #directory(storage: Storage): AgentDirectory {
    const { numbers } = this.#config;
    return {
      findByDialed: async (user) => {
        const id = numbers.get(user) ?? numbers.get(user.toLowerCase()) ?? user;
        const agent = await storage.agents.findForCall(asAgentId(id));
        return agent === null ? null : this.#snapshot(agent);
      },
    };
  }

  /** An agent with the daemon's providers, as a call will see it. */
  #snapshot(agent: StoredAgent): AgentSnapshot {
    const { stt, llm, tts, limits } = this.#config;
    const timeLimitSeconds = Math.min(agent.timeLimitSeconds, limits.callSecondsMax);
    return { ...agent, timeLimitSeconds, stt, llm, tts };
  }

  async #warmAgents(): Promise<void> {
    const ids = new Set(this.#config.numbers.values());
    for (const id of [...ids].slice(0, WARM_AGENTS_MAX)) {
      const agent = await this.storage.agents.findForCall(asAgentId(id));
      if (agent !== null) this.pool.warm(this.#snapshot(agent));
    }
  }

  #observer(): CallObserver {
    return {
      onStarted: ({ direction, door }) => this.metrics.callStarted(direction, door),
      onEnded: (call, ending, turns) => {
        const { id: callId, ...record } = call;
        reportEndedCall({ ...record, ...ending, callId, turns }, this.#log, this.metrics);
      },
    };
  }
}

function createVoicePool(config: Config, log: Logger, metrics: Metrics): VoicePool {
  const { media } = config;
  const workers = media.workers === 0 ? Math.max(1, availableParallelism() - 1) : media.workers;
  return new VoicePool({
    workers,
    workerData: (index): VoiceWorkerData => ({
      mediaHost: media.host,
      externalAddress: media.externalAddress ?? null,
      ports: media.ports,
      index,
      workers,
      rtpTimeoutMs: media.rtpTimeoutSeconds * 1000,
    }),
    log,
    onWorkerLost: () => metrics.workerCrashed(),
  });
}

/** What storage calls its rows, in the words of the call room. */
function journalOf({ calls }: Storage): CallJournal {
  return {
    started: (call) => calls.create(call),
    answered: async (id, answeredAtMs) => {
      await calls.markAnswered(id, answeredAtMs);
    },
    turn: (id, turn) => calls.appendTurn(id, turn),
    ended: (id, ending) => calls.end(id, ending),
  };
}

function demoAgentOf() {
  const { DEMO } = TEMPLATES;
  return {
    id: asAgentId('agt_demo'),
    displayName: DEMO.displayName,
    isEnabled: true,
    language: DEMO.language,
    systemPrompt: DEMO.systemPrompt,
    greetingText: DEMO.greetingText,
    voice: '',
    phrasebook: DEMO.phrasebook,
    tools: [],
    idle: DEMO.idle,
    timeLimitSeconds: 900,
    concurrentCallsMax: 100,
  };
}
