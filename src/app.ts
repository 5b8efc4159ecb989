import { availableParallelism } from 'node:os';
import { relative } from 'node:path';
import { BrowserDoors } from './browser-doors.ts';
import { Admission } from './call/admission.ts';
import { type AgentDirectory, CallService, type CallServiceOptions } from './call/call-service.ts';
import type { CallJournal } from './call/journal.ts';
import { ChatPart } from './chat-part.ts';
import type { Config } from './config.ts';
import { chooseLlm, providersFor } from './dialogue/choose-llm.ts';
import { DEMO } from './dialogue/templates/demo.ts';
import { createAuth } from './http/auth.ts';
import { browserRoutes } from './http/browser-routes.ts';
import { chatRoutes } from './http/chat-routes.ts';
import { HttpPart } from './http/http-part.ts';
import { ownerRoutes } from './http/owner-routes.ts';
import { callRoutes } from './http/routes/calls.ts';
import { type HealthReport, operationRoutes } from './http/routes/operations.ts';
import { outboundCallRoutes } from './http/routes/outbound-calls.ts';
import { trunkRoutes } from './http/routes/trunks.ts';
import type { Part } from './lifecycle.ts';
import type { AgentSnapshot } from './model/agent.ts';
import { asAgentId } from './model/ids.ts';
import { reportEndedCall } from './observability/call-ended.ts';
import type { Logger } from './observability/logger.ts';
import { createMetrics, type Metrics, type WorkerFigures } from './observability/metrics.ts';
import { observeTurn } from './observability/observe-turn.ts';
import { agentOf } from './signaling/trunk/trunk-book.ts';
import type { Trunk } from './signaling/trunk/trunk.ts';
import { SipPart } from './sip-part.ts';
import type { NewAgent } from './storage/agent-repository.ts';
import { type Bootstrapped, bootstrap, DEMO_WORKSPACE_ID } from './storage/bootstrap.ts';
import { openStorage, type Storage } from './storage/storage.ts';
import { VoicePool, type VoicePoolOptions } from './voice/voice-pool.ts';
import type { VoiceWorkerData } from './voice/worker-thread.ts';
import { webPages } from './web/web-pages.ts';

export interface GatewayOptions {
  readonly config: Config;
  readonly log: Logger;
  readonly version: string;
}

const DEMO_AGENT_ID = asAgentId('agt_demo');
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
  readonly chat: ChatPart;
  readonly doors: BrowserDoors;
  readonly http: HttpPart;
  /** In the order of their start. */
  readonly parts: readonly Part[];
  readonly #config: Config;
  readonly #log: Logger;
  readonly #workers = new Map<number, WorkerFigures>();
  #storage: Storage | null = null;
  #calls: CallService | null = null;
  #voiceReady: Promise<void> = Promise.resolve();
  /** The settings of the last `reloadTrunks`. */
  #trunks: readonly Trunk[];
  /** One reload at a time, in the order they were asked for. */
  #reloading: Promise<void> = Promise.resolve();
  #bootstrapped: Bootstrapped = { adminKey: null, adminKeyFile: null };

  constructor({ config, log, version }: GatewayOptions) {
    this.#config = config;
    this.#log = log;
    this.#trunks = config.trunks;
    this.admission = new Admission({ callsMax: config.limits.callsMax });
    this.pool = createVoicePool(config, log, {
      onWorkerLost: (worker) => {
        this.metrics.workerCrashed();
        this.#workers.delete(worker);
      },
      onWorkerReport: (worker, report) => this.#workers.set(worker, { worker, ...report }),
    });
    this.sip = new SipPart({
      config: config.sip,
      trunks: config.trunks,
      log,
      onInvite: (invite) => {
        if (this.#calls === null) invite.refuse(503, { retryAfterSeconds: 10 });
        else void this.#calls.onInvite(invite);
      },
    });
    this.chat = new ChatPart({
      config,
      log,
      metrics: this.metrics,
      storage: () => this.storage,
      snapshot: (agent) => this.#snapshot(agent),
    });
    this.doors = new BrowserDoors({
      storage: () => this.storage,
      calls: () => this.calls,
      snapshot: (agent) => this.#snapshot(agent),
      log,
    });
    this.http = this.#createHttp(version);
    this.metrics.observe({
      callsLive: () => this.#calls?.liveCount ?? 0,
      waitingWrites: () => this.#storage?.health().waitingWrites ?? 0,
      sipTransactions: () => this.sip.engine?.stats().serverTransactions ?? 0,
      sipTotals: () => this.sip.totals(),
      workers: () => [...this.#workers.values()],
      trunks: () =>
        this.sip.trunks.views().map(({ registration, ...trunk }) => ({
          ...trunk,
          isRegistered: registration?.isRegistered ?? null,
        })),
    });
    this.parts = [
      this.#storagePart(),
      this.#voicePart(),
      this.chat,
      this.http,
      this.#voiceReadyPart(),
      this.sip,
      this.#intakePart(),
    ];
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

  /** From now on new calls are refused; live ones go on. */
  drain(): void {
    this.admission.drain();
    this.sip.drain();
  }

  /** Other trunks from now on. Those that did not change go on undisturbed, and so do calls. */
  reloadTrunks(trunks: readonly Trunk[]): Promise<void> {
    const reloaded = this.#reloading.then(async () => {
      this.#trunks = trunks;
      await this.sip.trunks.reload(trunks);
      if (this.#calls !== null) await this.#warmAgents();
    });
    this.#reloading = reloaded.catch(() => {});
    return reloaded;
  }

  /** What a person at the terminal is shown once everything runs. */
  banner(): string {
    const { adminKey, adminKeyFile } = this.#bootstrapped;
    const lines = [
      'Trunkline is up',
      `  Talk to it   ${this.http.publicUrl}/try/${DEMO_AGENT_ID}`,
      `  Dial it      sip:demo@${this.sip.address}`,
      `  API          ${this.http.publicUrl}/docs`,
    ];
    if (adminKey !== null && adminKeyFile !== null) {
      lines.push(`  Admin key    ${adminKey}   (also in ${relative(process.cwd(), adminKeyFile)})`);
    }
    return `${lines.join('\n')}\n`;
  }

  #createHttp(version: string): HttpPart {
    const { http } = this.#config;
    const auth = createAuth({
      apiKeys: { verify: (key) => this.storage.apiKeys.verify(key) },
      requestsPerMinute: http.requestsPerMinute,
      operator: DEMO_WORKSPACE_ID,
    });
    return new HttpPart({
      ...http,
      log: this.#log,
      metrics: this.metrics,
      version,
      routes: [
        (app) => operationRoutes(app, { metrics: this.metrics, health: () => this.#health() }),
        (app) =>
          callRoutes(app, {
            auth,
            calls: this.storage.calls,
            hangUp: async (workspaceId, id) => {
              const call = this.calls.find(id);
              if (call?.record.workspaceId === workspaceId) await call.hangUp('operator-hung-up');
            },
          }),
        (app) => outboundCallRoutes(app, { auth, dial: (request) => this.calls.dial(request) }),
        (app) => trunkRoutes(app, { auth, trunks: () => this.sip.trunks.views() }),
        browserRoutes({
          auth,
          doors: this.doors,
          pages: webPages(),
          publicUrl: () => this.http.publicUrl,
        }),
        ownerRoutes({
          auth,
          storage: () => this.storage,
          nowMs: Date.now,
          publicUrl: () => this.http.publicUrl,
          aiProviders: providersFor(this.#config.llm),
        }),
        chatRoutes({
          auth,
          chat: this.chat,
          storage: () => this.storage,
          publicUrl: () => this.http.publicUrl,
        }),
      ],
    });
  }

  #health(): HealthReport {
    if (this.admission.isDraining) return { status: 'draining', reasons: ['stopping'] };
    const { lastFailure } = this.storage.health();
    const reasons: string[] = lastFailure === null ? [] : [lastFailure];
    if (!this.sip.isConnected) reasons.push('SIP_ENGINE_LOST');
    return { status: reasons.length === 0 ? 'ok' : 'degraded', reasons };
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
        // The workers load while HTTP is built; nobody can call before SIP is up.
        this.#voiceReady = this.pool.start();
        this.#voiceReady.catch(() => {});
        this.#calls = this.#createCalls();
      },
      stop: async () => this.pool.stop(),
    };
  }

  /** Has nothing to stop: the workers belong to the part before. */
  #voiceReadyPart(): Part {
    return {
      name: 'voice workers',
      start: async () => {
        await this.#voiceReady;
        await this.#warmAgents();
      },
      stop: async () => {},
    };
  }

  /** Has nothing to start: it is last so that it stops first. */
  #intakePart(): Part {
    return {
      name: 'calls',
      start: async () => {},
      stop: async (hurry) => {
        this.drain();
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
      trunks: this.sip.trunks,
      admission: this.admission,
      observer: this.#observer(),
    });
  }

  #directory(storage: Storage): AgentDirectory {
    const { numbers } = this.#config;
    return {
      findByDialed: async (user, trunk) => {
        const named = trunk === null ? null : agentOf(trunk, user);
        const id = named ?? numbers.get(user) ?? numbers.get(user.toLowerCase());
        // What a carrier dials is a number, and never the id of somebody's agent.
        if (id === undefined && trunk !== null) return null;
        const agent = await storage.agents.findForCall(asAgentId(id ?? user));
        return agent === null ? null : this.#snapshot(agent);
      },
      findOwned: async (workspaceId, id) => {
        const agent = await storage.agents.find(workspaceId, id);
        return agent === null ? null : this.#snapshot(agent);
      },
    };
  }

  /** An agent with the daemon's providers, as a call will see it. */
  #snapshot(agent: NewAgent): AgentSnapshot {
    const { stt, llm, tts, limits } = this.#config;
    const timeLimitSeconds = Math.min(agent.timeLimitSeconds, limits.callSecondsMax);
    const { aiProvider = null, aiModel = null } = agent;
    const chosen = chooseLlm(llm, { aiProvider, aiModel });
    return { ...agent, timeLimitSeconds, stt, llm: chosen, tts };
  }

  async #warmAgents(): Promise<void> {
    const ids = new Set(this.#config.numbers.values());
    for (const { agent, numbers } of this.#trunks) {
      for (const id of [...numbers.values(), agent]) if (id !== null) ids.add(id);
    }
    for (const id of [...ids].slice(0, WARM_AGENTS_MAX)) {
      const agent = await this.storage.agents.findForCall(asAgentId(id));
      if (agent !== null) this.pool.warm(this.#snapshot(agent));
    }
  }

  #observer(): CallServiceOptions['observer'] {
    return {
      onStarted: ({ direction, door }) => this.metrics.callStarted(direction, door),
      onTurn: (call, turn) => observeTurn(turn, call.record.answeredAtMs, this.metrics),
      onEnded: (call, ending, turns) => {
        const { id: callId, ...record } = call;
        reportEndedCall({ ...record, ...ending, callId, turns }, this.#log, this.metrics);
      },
    };
  }
}

function createVoicePool(
  config: Config,
  log: Logger,
  listeners: Pick<VoicePoolOptions, 'onWorkerLost' | 'onWorkerReport'>,
): VoicePool {
  const { media } = config;
  const workers = media.workers === 0 ? Math.max(1, availableParallelism() - 1) : media.workers;
  return new VoicePool({
    workers,
    workerData: (index): VoiceWorkerData => ({
      mediaHost: media.host,
      externalAddress: media.externalAddress ?? null,
      ports: media.ports,
      webRtcPort: media.webrtcPort,
      index,
      workers,
      rtpTimeoutMs: media.rtpTimeoutSeconds * 1000,
    }),
    log,
    ...listeners,
  });
}

/** What storage calls its rows, in the words of the call room. */
function journalOf({ calls }: Storage): CallJournal {
  return {
    started: (call) => calls.create(call),
    ringing: async (id) => {
      await calls.markRinging(id);
    },
    answered: async (id, answeredAtMs) => {
      await calls.markAnswered(id, answeredAtMs);
    },
    turn: (id, turn) => calls.appendTurn(id, turn),
    ended: (id, ending) => calls.end(id, ending),
  };
}

function demoAgentOf() {
  return {
    id: DEMO_AGENT_ID,
    displayName: DEMO.displayName,
    isEnabled: true,
    isShareable: true,
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
