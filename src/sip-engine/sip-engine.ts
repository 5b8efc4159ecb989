import { performance } from 'node:perf_hooks';
import { type Counters } from './core/counters.ts';
import { DEFAULT_LIMITS, type EngineLimits } from './core/context.ts';
import { EngineCore } from './core/engine-core.ts';
import { AdminServer } from './drachtio/admin-server.ts';
import type { Armour } from './guard/armour.ts';
import type { Offence } from './guard/ban-list.ts';
import {
  type GuardAlarm,
  type GuardLimits,
  DEFAULT_GUARD_LIMITS,
  SourceGuard,
} from './guard/source-guard.ts';
import { HEADER_BYTES_MAX } from './message/parse-message.ts';
import { answerStreamFault } from './transport/stream-fault.ts';
import { DEFAULT_TIMERS, type SipTimers } from './transaction/timers.ts';
import { TimerWheel } from './transaction/timer-wheel.ts';
import { advertiser } from './transport/advertise.ts';
import { createResolver } from './transport/resolver.ts';
import {
  openTcpTransport,
  openTlsTransport,
  type TlsCertificate,
  type TlsTransport,
} from './transport/stream-transport.ts';
import type { FindTlsPeer } from './transport/tls-peer.ts';
import {
  defaultPort,
  type Flow,
  type HostPort,
  isWebSocket,
  type Outbound,
  type Place,
  type Protocol,
  type Transport,
  type TransportEvents,
} from './transport/transport.ts';
import { openUdpTransport } from './transport/udp-transport.ts';
import type {
  WebSocketAcceptorOptions,
  WebSocketHandshake,
} from './transport/web-socket-acceptor.ts';
import { WebSocketTransport } from './transport/web-socket-transport.ts';

export interface SipEngineOptions {
  /** Address to bind; `0.0.0.0` for all. */
  readonly host: string;
  /** UDP and TCP port; 0 takes a free one, the same for both. */
  readonly port: number;
  /** What applications authenticate with. */
  readonly secret: string;
  /** Address to put into Via and Contact, when this machine stands behind a NAT. */
  readonly externalAddress?: string;
  /** Sources beside loopback that are answered at all. Default: none. */
  readonly allowSource?: (address: string) => boolean;
  /** Sources beside loopback that are never banned: the trunks'. Default: none. */
  readonly trustsSource?: (address: string) => boolean;
  /** A source was banned, or a trusted one limited. */
  readonly onAlarm?: (alarm: GuardAlarm) => void;
  /** Destinations whose requests above 1300 octets go by TCP. Default: none. */
  readonly prefersTcp?: (address: string) => boolean;
  readonly tls?: TlsOptions;
  readonly webSockets?: Partial<WebSocketAcceptorOptions>;
  readonly limits?: Partial<EngineLimits>;
  readonly guard?: Partial<GuardLimits>;
  /** For tests that cannot wait 32 s. */
  readonly timers?: Partial<SipTimers>;
}

export interface TlsOptions {
  /** Null: nobody connects to us, but we may connect to others. */
  readonly listener: { readonly port: number; readonly certificate: TlsCertificate } | null;
  /** What is asked of those we connect to. Default: a certificate for the host that was named. */
  readonly findPeer?: FindTlsPeer;
}

export interface ListeningOn {
  readonly protocol: Protocol;
  readonly address: string;
  readonly port: number;
}

/** Present sizes and totals since the start. */
export interface SipEngineStats extends Readonly<Counters> {
  readonly dialogs: number;
  readonly serverTransactions: number;
  readonly clientTransactions: number;
  readonly finishedTransactions: number;
  readonly timers: number;
  readonly webSockets: number;
  /** Sources ignored now. */
  readonly banned: number;
  /** Entries of the tables that a flood could make grow. */
  readonly guardEntries: number;
  readonly isOverloaded: boolean;
}

export interface RunningSipEngine {
  /** Where drachtio-srf connects to. */
  readonly admin: { readonly host: string; readonly port: number };
  readonly listening: readonly ListeningOn[];
  stats(): SipEngineStats;
  /** Takes an upgrade from the HTTP server: SIP over WebSocket (RFC 7118), or a refusal. */
  acceptWebSocket(handshake: WebSocketHandshake): void;
  /** Sends a keep-alive there (CR LF CR LF); false when there is no connection to keep. */
  keepAlive(protocol: 'udp' | 'tcp' | 'tls', place: Place): boolean;
  /** Another certificate for TLS from now on. Throws when it cannot be used; the former stays. */
  setTlsCertificate(certificate: TlsCertificate): void;
  /** Replaces the list of allowed sources while running. */
  setAllowSource(allow: (address: string) => boolean): void;
  /**
   * Closes applications, then transports. Calls that are up get a BYE, whose answer is awaited for
   * a second unless `hurry` aborts. Idempotent.
   */
  close(hurry?: AbortSignal): Promise<void>;
}

/** Starts the embedded engine. Rejects with `SipEngineError` SIP_LISTEN_FAILED. */
export async function startSipEngine(options: SipEngineOptions): Promise<RunningSipEngine> {
  const engine = new Engine(options);
  await engine.start();
  return engine;
}

const BIND_ATTEMPTS_MAX = 20;
const FAREWELL_MS = 1000;
const FAREWELL_POLL_MS = 10;

class Engine implements RunningSipEngine, TransportEvents, Outbound, Armour {
  readonly #options: SipEngineOptions;
  readonly #wheel: TimerWheel;
  readonly #guard: SourceGuard;
  readonly #core: EngineCore;
  readonly #webSockets: WebSocketTransport;
  #transports: Transport[] = [];
  #tls: TlsTransport | undefined;
  #adminServer: AdminServer | undefined;
  #admin = { host: '127.0.0.1', port: 0 };
  #sleep: NodeJS.Timeout | undefined;
  #wakeAtMs = Number.POSITIVE_INFINITY;
  #closing: Promise<void> | undefined;

  constructor(options: SipEngineOptions) {
    this.#options = options;
    this.#wheel = new TimerWheel(performance.now());
    this.#guard = new SourceGuard({
      limits: { ...DEFAULT_GUARD_LIMITS, ...options.guard },
      allow: options.allowSource ?? (() => false),
      ...(options.trustsSource === undefined ? {} : { trusts: options.trustsSource }),
      ...(options.onAlarm === undefined ? {} : { onAlarm: options.onAlarm }),
    });
    this.#core = new EngineCore({
      wheel: this.#wheel,
      timers: { ...DEFAULT_TIMERS, ...options.timers },
      limits: { ...DEFAULT_LIMITS, ...options.limits },
      outbound: this,
      resolver: createResolver(),
      epochMs: Date.now() - performance.now(),
      prefersTcp: options.prefersTcp ?? (() => false),
      armour: this,
    });
    this.#core.isOverloaded = () => this.#guard.isOverloaded(performance.now());
    const { connectionsMax, connectionsPerSourceMax, connectionIdleMs } = this.#guard.limits;
    // Browsers come from anywhere: each request is asked who it is from.
    this.#webSockets = new WebSocketTransport({
      connectionsMax,
      connectionsPerSourceMax,
      isOriginAllowed: () => true,
      isSourceAllowed: (address) => this.#guard.admitWebSocket(address, performance.now()),
      ...options.webSockets,
      idleMs: connectionIdleMs,
      advertise: advertiser(options.externalAddress),
      events: this,
    });
    this.#wheel.onSchedule = (delayMs) => this.#wakeIn(delayMs);
  }

  get admin(): { readonly host: string; readonly port: number } {
    return this.#admin;
  }

  get listening(): readonly ListeningOn[] {
    return this.#transports
      .filter(({ isListening }) => isListening)
      .map(({ protocol, bound }) => ({ protocol, ...bound }));
  }

  async start(): Promise<void> {
    try {
      this.#transports = await this.#openTransports(BIND_ATTEMPTS_MAX);
      this.#tls = await this.#openTls();
      this.#transports.push(this.#tls);
      this.#adminServer = await this.#openAdmin();
    } catch (error) {
      await this.close();
      throw error;
    }
    this.#admin = { host: '127.0.0.1', port: this.#adminServer.address.port };
  }

  stats(): SipEngineStats {
    const { context } = this.#core;
    return {
      ...context.counters,
      droppedUnknownSource: this.#guard.droppedUnknown,
      droppedRateLimited: this.#guard.droppedRate,
      droppedBanned: this.#guard.droppedBanned,
      bans: this.#guard.bans,
      banned: this.#guard.banned,
      guardEntries: this.#guard.tableSize,
      dialogs: context.dialogs.size,
      serverTransactions: context.servers.size,
      clientTransactions: context.clients.size,
      finishedTransactions: context.servers.finishedSize,
      timers: this.#wheel.size,
      webSockets: this.#webSockets.connections,
      isOverloaded: this.#core.isOverloaded(),
    };
  }

  acceptWebSocket(handshake: WebSocketHandshake): void {
    this.#webSockets.accept(handshake);
  }

  keepAlive(protocol: 'udp' | 'tcp' | 'tls', place: Place): boolean {
    const transport = this.#transports.find((each) => each.protocol === protocol);
    return transport?.keepAlive(place) ?? false;
  }

  setTlsCertificate(certificate: TlsCertificate): void {
    this.#tls?.setCertificate(certificate);
  }

  setAllowSource(allow: (address: string) => boolean): void {
    this.#guard.allow = allow;
  }

  close(hurry?: AbortSignal): Promise<void> {
    this.#closing ??= this.#closeAll(hurry);
    return this.#closing;
  }

  async #closeAll(hurry: AbortSignal | undefined): Promise<void> {
    await this.#adminServer?.close();
    await this.#farewells(hurry);
    await this.#webSockets.close();
    await Promise.all(this.#transports.map((transport) => transport.close()));
    clearTimeout(this.#sleep);
    this.#wheel.onSchedule = undefined;
  }

  /** BYE and CANCEL for the applications that just went away. */
  async #farewells(hurry: AbortSignal | undefined): Promise<void> {
    const { clients } = this.#core.context;
    const endMs = performance.now() + FAREWELL_MS;
    const mayWait = (): boolean => performance.now() < endMs && hurry?.aborted !== true;
    do {
      await new Promise<void>((resolve) => setTimeout(resolve, FAREWELL_POLL_MS));
    } while (clients.waitingSize > 0 && mayWait());
  }

  isSourceAllowed(address: string): boolean {
    return this.#guard.admit(address, performance.now());
  }

  isTrusted(address: string): boolean {
    return this.#guard.isTrusted(address);
  }

  mayCall(flow: Flow): boolean {
    return this.#guard.admitCall(flow, performance.now());
  }

  offend(flow: Flow, offence: Offence): void {
    if (this.#guard.offend(flow, offence, performance.now())) flow.destroy?.();
  }

  onPacket(packet: Buffer, flow: Flow): void {
    if (flow.isReliable && !this.#guard.admitMessage(flow, performance.now())) {
      flow.destroy?.();
      return;
    }
    this.#advance();
    this.#core.receive(packet, flow);
  }

  onStreamFault(packet: Buffer, flow: Flow): void {
    answerStreamFault(packet, flow);
    this.#core.malformed(flow, packet.length > HEADER_BYTES_MAX);
  }

  onFlowClosed(flow: Flow): void {
    if (this.#closing !== undefined) return;
    this.#advance();
    this.#core.flowClosed(flow);
  }

  flowTo(protocol: Protocol, place: Place): Flow | undefined {
    if (isWebSocket(protocol)) return this.#webSockets.flowTo(place);
    return this.#transports.find((transport) => transport.protocol === protocol)?.flowTo(place);
  }

  isSelf(protocol: Protocol, { address, port }: HostPort): boolean {
    return this.listening.some(
      (own) => own.protocol === protocol && own.port === port && own.address === address,
    );
  }

  /** UDP and TCP share one port; a free one may be free for UDP only, so try again. */
  async #openTransports(attemptsLeft: number): Promise<Transport[]> {
    const { host, port, externalAddress } = this.#options;
    const advertise = advertiser(externalAddress);
    const common = { host, advertise, events: this };
    const udp = await openUdpTransport({ ...common, port });
    try {
      const tcp = await openTcpTransport({ ...this.#streamOptions(), port: udp.bound.port });
      return [udp, tcp];
    } catch (error) {
      await udp.close();
      if (port !== 0 || attemptsLeft <= 1) throw error;
      return this.#openTransports(attemptsLeft - 1);
    }
  }

  #streamOptions() {
    const { host, externalAddress } = this.#options;
    const { connectionsMax, connectionsPerSourceMax, connectionIdleMs } = this.#guard.limits;
    return {
      host,
      advertise: advertiser(externalAddress),
      events: this,
      connectionsMax,
      connectionsPerSourceMax,
      idleMs: connectionIdleMs,
    };
  }

  #openTls(): Promise<TlsTransport> {
    const { listener = null, findPeer = () => undefined } = this.#options.tls ?? {};
    return openTlsTransport({
      ...this.#streamOptions(),
      port: listener?.port ?? defaultPort('tls'),
      certificate: listener?.certificate ?? null,
      findPeer,
    });
  }

  #openAdmin(): Promise<AdminServer> {
    const core = this.#core;
    return AdminServer.listen({
      secret: this.#options.secret,
      hostPorts: () =>
        this.listening
          .map(({ protocol, address, port }) => `${protocol}/${address}:${port}`)
          .join(','),
      events: {
        routes: core.context.routes,
        onAuthenticated: (app) => core.appConnected(app),
        onSipFrame: (app, frame) => {
          this.#advance();
          core.sipFrame(app, frame);
        },
        onGone: (app) => {
          this.#advance();
          core.appGone(app);
        },
      },
    });
  }

  #advance(): void {
    this.#core.advance(performance.now());
  }

  /** One sleep at a time, never longer than the next timer needs. */
  #wakeIn(delayMs: number): void {
    const atMs = performance.now() + delayMs;
    if (atMs >= this.#wakeAtMs) return;
    clearTimeout(this.#sleep);
    this.#wakeAtMs = atMs;
    this.#sleep = setTimeout(() => this.#wake(), delayMs);
  }

  #wake(): void {
    const nowMs = performance.now();
    this.#guard.noteLateness(nowMs - this.#wakeAtMs, nowMs);
    this.#wakeAtMs = Number.POSITIVE_INFINITY;
    this.#advance();
    const nextMs = this.#wheel.msToNext();
    if (nextMs !== undefined) this.#wakeIn(nextMs);
  }
}
