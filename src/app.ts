import { availableParallelism } from 'node:os';
import { relative } from 'node:path';
import { Billing } from './billing-part.ts';
import { BrowserDoors } from './browser-doors.ts';
import { Admission } from './call/admission.ts';
import { AgentsOnCall, DEMO_AGENT_ID, demoAgentOf } from './agents-on-call.ts';
import { journalOf } from './call-journal.ts';
import { CallFeed } from './call/call-feed.ts';
import { allObservers, type CallObserver } from './call/call-observer.ts';
import { CallService } from './call/call-service.ts';
import { CallSimulation } from './call-simulation.ts';
import { ChatPart } from './chat-part.ts';
import { clickToCallDoor } from './click-to-call-door.ts';
import type { Config } from './config.ts';
import { HttpPart } from './http/http-part.ts';
import type { HealthReport } from './http/routes/operations.ts';
import type { Upgrade } from './http/upgrades.ts';
import type { Part } from './lifecycle.ts';
import { SrtpSession } from './media/srtp/srtp-session.ts';
import type { RtpParameters } from './model/media.ts';
import { reportEndedCall } from './observability/call-ended.ts';
import type { Logger } from './observability/logger.ts';
import { createMetrics, type Metrics, type WorkerFigures } from './observability/metrics.ts';
import { observeTurn } from './observability/observe-turn.ts';
import type { MediaPlace } from './signaling/trunk/doctor/patient.ts';
import type { Trunk } from './signaling/trunk/trunk.ts';
import { routesOf } from './routes.ts';
import { SipPart } from './sip-part.ts';
import { type Bootstrapped, bootstrap } from './storage/bootstrap.ts';
import { openSealedBox } from './storage/sealing-key.ts';
import { openStorage, type Storage } from './storage/storage.ts';
import { VoicePool, type VoicePoolOptions } from './voice/voice-pool.ts';
import type { VoiceWorkerData } from './voice/worker-thread.ts';
import { WebhooksPart } from './webhooks-part.ts';

export interface GatewayOptions {
  readonly config: Config;
  readonly log: Logger;
  readonly version: string;
}

/**
 * The whole daemon: builds every part and joins them. Parts start in the order of `parts` and
 * stop in reverse, so that new calls are refused first, live ones can still say goodbye, and
 * `/health` answers until nearly the end.
 */
export class Gateway {
  readonly metrics: Metrics = createMetrics({ withProcess: true });
  readonly admission: Admission;
  readonly agents: AgentsOnCall;
  readonly billing: Billing;
  /** What every live call is doing. */
  readonly feed = new CallFeed({ nowMs: Date.now });
  readonly pool: VoicePool;
  readonly sip: SipPart;
  readonly chat: ChatPart;
  readonly webhooks: WebhooksPart;
  /** Calls of test keys. */
  readonly simulation: CallSimulation;
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
    this.agents = new AgentsOnCall({ config, storage: () => this.storage });
    const storage = () => this.storage;
    this.webhooks = new WebhooksPart({ config: config.webhooks, storage, log });
    const { metrics } = this;
    const capObservers = [this.webhooks.observer];
    this.billing = new Billing({ config, log, metrics, storage, capObservers });
    this.pool = createVoicePool(config, log, {
      onWorkerLost: (worker) => {
        this.metrics.workerCrashed();
        this.#workers.delete(worker);
      },
      onWorkerReport: (worker, report) => this.#workers.set(worker, { worker, ...report }),
    });
    this.doors = new BrowserDoors({
      storage: () => this.storage,
      calls: () => this.calls,
      snapshot: (agent) => this.agents.snapshot(agent),
      log,
    });
    this.sip = new SipPart({
      webSockets: this.doors.signIn,
      config: config.sip,
      trunks: config.trunks,
      log,
      publicUrl: () => this.http.publicUrl,
      media: () => mediaPlaceOf(config, this.pool),
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
      snapshot: (agent) => this.agents.snapshot(agent),
      runTool: (...order) => this.webhooks.runTool(...order),
    });
    this.simulation = this.#createSimulation();
    this.http = this.#createHttp(version);
    this.#observe();
    this.parts = [
      this.#storagePart(),
      this.webhooks,
      this.simulation,
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
      if (this.#calls !== null)
        await this.agents.warm(this.#trunks, (agent) => this.pool.warm(agent));
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
      `  Dial it      sip:demo@${this.sip.address.replace(/^0\.0\.0\.0:/, '127.0.0.1:')}`,
      `  API          ${this.http.publicUrl}/docs`,
    ];
    if (adminKey !== null && adminKeyFile !== null) {
      const near = relative(process.cwd(), adminKeyFile);
      const file = near.startsWith('..') ? adminKeyFile : near;
      lines.push(`  Admin key    ${adminKey}   (also in ${file})`);
    }
    return `${lines.join('\n')}\n`;
  }

  #createSimulation(): CallSimulation {
    return new CallSimulation({
      storage: () => this.storage,
      observer: allObservers([this.feed, this.webhooks.observer]),
      isDraining: () => this.admission.isDraining,
      completionOf: (id) => this.webhooks.completionOf(id),
      log: this.#log,
    });
  }

  #observe(): void {
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
  }

  #createHttp(version: string): HttpPart {
    const { http } = this.#config;
    const routes = routesOf({
      config: this.#config,
      log: this.#log,
      metrics: this.metrics,
      chat: this.chat,
      feed: this.feed,
      doors: this.doors,
      trunks: this.sip.trunks,
      terms: this.billing.terms,
      health: () => this.#health(),
      storage: () => this.storage,
      calls: () => this.calls,
      webhooks: this.webhooks,
      simulation: this.simulation,
      clickToCall: clickToCallDoor({
        simulate: (request) => this.simulation.dial(request),
        storage: () => this.storage,
        calls: () => this.calls,
        hasTrunks: () => this.#trunks.length > 0,
        requestsPerMinute: this.#config.limits.clickToCallPerMinute,
        log: this.#log,
      }),
      publicUrl: () => this.http.publicUrl,
    });
    const upgrades = { '/sip': (upgrade: Upgrade) => this.sip.takeWebSocket(upgrade) };
    const { metrics } = this;
    return new HttpPart({ ...http, log: this.#log, metrics, version, routes, upgrades });
  }

  #health(): HealthReport {
    if (this.admission.isDraining) return { status: 'draining', reasons: ['stopping'] };
    const { lastFailure } = this.storage.health();
    const reasons: string[] = lastFailure === null ? [] : [lastFailure];
    if (!this.sip.isConnected) reasons.push('SIP_ENGINE_LOST');
    return { status: reasons.length === 0 ? 'ok' : 'degraded', reasons };
  }

  #storagePart(): Part {
    const { databaseFile, dataDir, adminKey, sealingKey } = this.#config;
    return {
      name: 'storage',
      start: async () => {
        const storage = await openStorage({
          file: databaseFile,
          log: this.#log,
          sealedBox: openSealedBox(sealingKey, dataDir),
          chargeOf: (call) => this.billing.meter.chargeOf(call),
        });
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
        await this.agents.warm(this.#trunks, (agent) => this.pool.warm(agent));
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
      journal: journalOf(storage, {
        tariffOf: (call) => this.billing.meter.tariffOf(call),
        chargesOf: (call, ending) => [
          ...this.billing.meter.chargesOf(call, ending),
          ...this.webhooks.completionOf(call.id),
        ],
        settled: (call) => this.billing.meter.settled(call),
      }),
      log: this.#log,
      nowMs: () => performance.timeOrigin + performance.now(),
      directory: this.agents,
      trunks: this.sip.trunks,
      browsers: {
        take: (invite) => this.doors.signIn.take(invite),
        bindingsOf: (...whose) => this.doors.signIn.bindingsOf(...whose),
        dial: (...call) => this.sip.signaling.dial(...call),
      },
      admission: this.admission,
      gate: this.billing.meter,
      runTool: (...order) => this.webhooks.runTool(...order),
      observer: allObservers([this.#reporter(), this.feed, this.webhooks.observer]),
    });
  }

  /** Metrics, and the one line of each call in the log. */
  #reporter(): CallObserver {
    return {
      onProgress: ({ direction, door }, { type }) => {
        if (type === 'initiated') this.metrics.callStarted(direction, door);
      },
      onTurn: (call, turn) => observeTurn(turn, call.answeredAtMs, this.metrics),
      onEnded: (call, ending, turns) => {
        const { id: callId, ...record } = call;
        reportEndedCall({ ...record, ...ending, callId, turns }, this.#log, this.metrics);
      },
    };
  }
}

function mediaPlaceOf({ media }: Config, { codecs }: VoicePool): MediaPlace {
  const { host: bindAddress, externalAddress = null, ports } = media;
  const guardPackets = (keys: NonNullable<RtpParameters['srtp']>) => new SrtpSession(keys);
  return { bindAddress, externalAddress, ports, codecs, guardPackets };
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
      hasStrictSources: media.strictSources,
    }),
    log,
    ...listeners,
  });
}
