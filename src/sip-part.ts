import { randomBytes } from 'node:crypto';
import { readFileSync } from 'node:fs';
import type { Config } from './config.ts';
import { isOriginAllowed, type Upgrade } from './http/upgrades.ts';
import type { Part } from './lifecycle.ts';
import type { Logger } from './observability/logger.ts';
import { connectSipEngine, type SipSignaling } from './signaling/sip-engine-client.ts';
import type { SipInvite } from './signaling/sip-leg.ts';
import type { MediaPlace } from './signaling/trunk/doctor/patient.ts';
import type { Trunk } from './signaling/trunk/trunk.ts';
import { sourceFilter } from './signaling/trunk/trunk-book.ts';
import { TrunkService } from './signaling/trunk/trunk-service.ts';
import type { WebSocketAuthorizer } from './signaling/web-socket-authorizer.ts';
import { type RunningSipEngine, startSipEngine } from './sip-engine/sip-engine.ts';
import {
  DEFAULT_GUARD_LIMITS,
  type GuardAlarm,
  type GuardLimits,
} from './sip-engine/guard/source-guard.ts';
import {
  refuseUpgrade,
  type WebSocketAcceptorOptions,
} from './sip-engine/transport/web-socket-acceptor.ts';
import type { TlsPeer } from './sip-engine/transport/tls-peer.ts';
import type { Place } from './sip-engine/transport/transport.ts';
import { WebSocketRelay } from './sip-engine/transport/web-socket-relay.ts';

export interface SipPartOptions {
  readonly config: Config['sip'];
  readonly trunks: readonly Trunk[];
  readonly log: Logger;
  /** Who may sign in by WebSocket; left out: nobody. */
  readonly webSockets?: WebSocketAuthorizer;
  readonly onInvite: (invite: SipInvite) => void;
  /** Where our audio is reached. */
  readonly media: () => MediaPlace;
  /** Where our own pages are: they may open WebSockets. */
  readonly publicUrl: () => string;
}

const CONNECT_TIMEOUT_MS = 10_000;

/**
 * SIP: the embedded engine or a drachtio-server, and our connection to it. An embedded engine
 * that is lost is started again; a drachtio-server is connected to again when it is back. The
 * trunks speak over that connection, and say whom the engine hears.
 */
export class SipPart implements Part {
  readonly name = 'sip';
  readonly trunks: TrunkService;
  readonly #options: SipPartOptions;
  /** WebSockets of a drachtio-server. */
  readonly #relay: WebSocketRelay | null;
  #engine: RunningSipEngine | null = null;
  #signaling: SipSignaling | null = null;
  #contacts: readonly string[] = [];
  #port: number;
  #isStopping = false;

  constructor(options: SipPartOptions) {
    this.#options = options;
    this.#port = options.config.port;
    this.#relay = relayOf(options);
    this.trunks = new TrunkService({
      trunks: options.trunks,
      signaling: () => this.#signaling,
      log: options.log,
      sipPort: () => this.#port,
      keepAlive: ({ transport, ...place }, peer) =>
        this.#engine?.keepAlive(transport, transport === 'tls' ? { ...place, peer } : place) ??
        true,
      media: options.media,
    });
  }

  /** Where SIP is answered, as `host:port`. */
  get address(): string {
    const [first] = this.#engine?.listening ?? [];
    if (first !== undefined) return `${first.address}:${first.port}`;
    return this.#contacts[0]?.replace(/^[a-z]+\//, '') ?? '';
  }

  /** The embedded engine; null with drachtio-server. */
  get engine(): RunningSipEngine | null {
    return this.#engine;
  }

  /** What the embedded engine counted since it started, by event; empty with drachtio-server. */
  totals(): Readonly<Record<string, number>> {
    const stats = this.#engine?.stats();
    if (stats === undefined) return {};
    return Object.fromEntries(
      Object.entries(stats).filter(([, value]) => typeof value === 'number'),
    );
  }

  get signaling(): SipSignaling {
    if (this.#signaling === null) throw new TypeError('SIP is not started');
    return this.#signaling;
  }

  get isConnected(): boolean {
    return this.#signaling?.isConnected ?? false;
  }

  async start(): Promise<void> {
    await this.#open();
    await withTimeout(this.signaling.whenConnected(), CONNECT_TIMEOUT_MS);
    this.trunks.start();
  }

  /** Reads the TLS certificate again. Throws when it cannot be used; the former stays then. */
  reloadCertificate(): void {
    const listener = tlsListener(this.#options.config);
    if (listener !== null) this.#engine?.setTlsCertificate(listener.certificate);
  }

  /** An upgrade to SIP over WebSocket: for the embedded engine, or passed on to drachtio-server. */
  takeWebSocket({ client, ...upgrade }: Upgrade): void {
    const taker = this.#engine ?? this.#relay;
    const { address, isSecure } = client;
    if (taker === null) refuseUpgrade(upgrade.socket, 503);
    else taker.acceptWebSocket({ ...upgrade, clientAddress: address, isSecure });
  }

  drain(): void {
    this.#signaling?.drain();
  }

  async stop(): Promise<void> {
    this.#isStopping = true;
    await this.trunks.stop();
    await this.#signaling?.close();
    await this.#engine?.close();
    this.#relay?.close();
  }

  async #open(): Promise<void> {
    const { config, log, onInvite, webSockets } = this.#options;
    const address =
      config.engine === 'embedded' ? await this.#startEngine() : outside(config.engine);
    this.#signaling = connectSipEngine({
      ...address,
      onInvite,
      ...(webSockets === undefined ? {} : { webSockets }),
      admit: (request) => this.trunks.admit(request),
      contactFor: (trunk, transport) => this.trunks.contactFor(trunk, transport),
      onConnected: (contacts) => {
        this.#contacts = contacts;
        this.trunks.connected();
      },
      onLost: () => {
        if (this.#engine !== null && !this.#isStopping) void this.#restartEngine();
      },
      log,
    });
  }

  async #startEngine() {
    const { config } = this.#options;
    const secret = randomBytes(24).toString('base64url');
    this.#engine = await startSipEngine({
      host: config.host,
      // After a restart the port that phones know, also when it was chosen by the system.
      port: this.#port,
      secret,
      ...(config.externalAddress === undefined ? {} : { externalAddress: config.externalAddress }),
      allowSource: sourceFilter(this.trunks, config.allowedSources),
      prefersTcp: (address) => this.trunks.prefersTcp(address),
      webSockets: webSocketOptions(this.#options),
      tls: { listener: tlsListener(config), findPeer: (place) => this.#tlsPeer(place) },
      timers: { silenceMs: config.noResponseSeconds * 1000 },
      limits: { transactionsMax: config.transactionsMax },
      guard: guardLimits(config),
      trustsSource: (address) => this.trunks.isSource(address),
      onAlarm: (alarm) => this.#warn(alarm),
    });
    this.#port = this.#engine.listening[0]?.port ?? this.#port;
    return { ...this.#engine.admin, secret };
  }

  #tlsPeer(place: Place): TlsPeer | undefined {
    const found = this.trunks.tlsPeer(place);
    if (found === null) return undefined;
    const { caFile, ...peer } = found;
    // Read for each connection, which are few: a file that was replaced counts at once.
    return caFile === null ? peer : { ...peer, ca: readFileSync(caFile, 'utf8') };
  }

  #warn({ type, ...facts }: GuardAlarm): void {
    const { log } = this.#options;
    if (type === 'banned') log.warn(facts, 'a source of SIP is ignored for a while');
    else log.warn(facts, 'a trusted source of SIP sends too much; part of it is dropped');
  }

  /** Its calls have been told already, by the connection that was lost. */
  async #restartEngine(): Promise<void> {
    const { log } = this.#options;
    log.error({}, 'the SIP engine was lost; starting another');
    const [signaling, engine] = [this.#signaling, this.#engine];
    try {
      await signaling?.close();
      await engine?.close();
      await this.#open();
    } catch (error) {
      log.fatal({ err: error }, 'the SIP engine could not be started again');
    }
  }
}

function relayOf(options: SipPartOptions): WebSocketRelay | null {
  const { engine, websocketRelay: target } = options.config;
  if (engine === 'embedded' || target === undefined) return null;
  return new WebSocketRelay({ ...webSocketOptions(options), target });
}

function webSocketOptions({ config, publicUrl }: SipPartOptions): WebSocketAcceptorOptions {
  const origins = config.websocketOrigins;
  return {
    connectionsMax: config.websocketConnectionsMax,
    connectionsPerSourceMax: config.websocketConnectionsPerSourceMax,
    isOriginAllowed: (origin, request) =>
      isOriginAllowed(origin, request, { publicUrl: publicUrl(), origins }),
  };
}

function guardLimits(config: Config['sip']): Partial<GuardLimits> {
  const { packetsPerSecondPerSource: packetsPerSecond } = config;
  return {
    packetsPerSecond,
    packetsBurst: 2 * packetsPerSecond,
    newCallsPerSecond: config.newCallsPerSecondPerSource,
    banMs: config.banSeconds * 1000,
    offencesMax: {
      ...DEFAULT_GUARD_LIMITS.offencesMax,
      malformed: config.banAfterMalformed,
      credentials: config.banAfterWrongPasswords,
    },
  };
}

function tlsListener({ tlsPort: port, tlsCertFile, tlsKeyFile }: Config['sip']) {
  if (port === undefined || tlsCertFile === undefined || tlsKeyFile === undefined) return null;
  const [cert, key] = [tlsCertFile, tlsKeyFile].map((file) => readFileSync(file, 'utf8'));
  return { port, certificate: { cert: cert ?? '', key: key ?? '' } };
}

/** `drachtio://:secret@host:port`; the setting was judged already. */
function outside(engine: string) {
  const url = new URL(engine);
  const port = url.port === '' ? 9022 : Number(url.port);
  return { host: url.hostname, port, secret: decodeURIComponent(url.password) };
}

async function withTimeout(promise: Promise<void>, timeoutMs: number): Promise<void> {
  let timer: NodeJS.Timeout | undefined;
  const late = new Promise<never>((_, reject) => {
    const error = new Error('the SIP engine did not take our connection in time');
    timer = setTimeout(() => reject(error), timeoutMs);
  });
  try {
    await Promise.race([promise, late]);
  } finally {
    clearTimeout(timer);
  }
}
