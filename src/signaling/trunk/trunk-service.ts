import { readFile } from 'node:fs/promises';
import { isIP } from 'node:net';
import type { DialEvents, DialRequest, DialResult } from '../outbound-dial.ts';
import { ENGINE_LOST_END } from '../leg-end.ts';
import type { PlainRequest, PlainResult } from '../plain-request-client.ts';
import type { SipSignaling } from '../sip-engine-client.ts';
import type { SignalingLog } from '../sip-settings.ts';
import type { Diagnosis } from './doctor/finding.ts';
import type { MediaPlace } from './doctor/patient.ts';
import { DIAGNOSIS_MS_MAX, diagnose } from './doctor/trunk-doctor.ts';
import { cachedDns, systemDns } from './dns-lookup.ts';
import { InboundPolicy, type InboundRequest, type InboundVerdict } from './inbound-policy.ts';
import type { RegistrationStatus } from './registration.ts';
import { RegistrationClient } from './registration-client.ts';
import { type DnsLookup, resolveTargets, type SipTarget } from './sip-targets.ts';
import { contactOf, externalHost } from './trunk-contact.ts';
import type { Trunk, TrunkHost, TrunkTransport } from './trunk.ts';
import { TrunkBook } from './trunk-book.ts';
import {
  type DialPreview,
  TrunkDialer,
  type TrunkDialEvents,
  type TrunkDialRequest,
  type TrunkDialResult,
} from './trunk-dialer.ts';
import type { TrunkHealthStatus } from './trunk-health.ts';
import { type TrunkFull, TrunkLimits } from './trunk-limits.ts';
import { TrunkKeepAlive } from './trunk-keep-alive.ts';
import { TrunkMonitor } from './trunk-monitor.ts';

/**
 * A trunk as `GET /v1/trunks` and metrics show it: nothing secret is in it, so it may be sent as
 * it is. Times are Unix milliseconds.
 */
export interface TrunkView {
  readonly name: string;
  readonly transport: TrunkTransport;
  /** As configured: `sip.example.org`, `203.0.113.7:5080`. */
  readonly hosts: readonly string[];
  /** Answers OPTIONS, and is registered where it should be. */
  readonly isUp: boolean;
  readonly health: TrunkHealthStatus;
  /** null: not a registering trunk. */
  readonly registration: RegistrationStatus | null;
  /** In use now, in both directions. */
  readonly channels: number;
  readonly channelsMax: number;
  readonly outboundPrefixes: readonly string[];
  readonly numbers: readonly string[];
}

export interface TrunkServiceOptions {
  readonly trunks: readonly Trunk[];
  /** The connection to the SIP engine; null before there is one. */
  readonly signaling: () => Pick<SipSignaling, 'isConnected' | 'request' | 'dial'> | null;
  readonly log: SignalingLog;
  /** Port that a Contact at a trunk's external address names. */
  readonly sipPort?: () => number;
  /** Sends a keep-alive there; false when there is no connection. Left out: nobody can. */
  readonly keepAlive?: (target: SipTarget, trunk: string) => boolean;
  readonly onRegistration?: (trunk: string, status: RegistrationStatus) => void;
  readonly onHealth?: (trunk: string, status: TrunkHealthStatus) => void;
  readonly dns?: DnsLookup;
  /** Where this daemon's audio is reached; for the doctor. */
  readonly media?: () => MediaPlace;
  /** Unix time that never jumps back. */
  readonly nowMs?: () => number;
  readonly random?: () => number;
  readonly registerTimeoutMs?: number;
  readonly probeTimeoutMs?: number;
}

/** Where a TLS connection goes. */
export interface TlsPlace {
  readonly host?: string;
  readonly address: string;
  readonly peer?: string | undefined;
}

/**
 * What is asked of a carrier's certificate. It bears the trunk's domain (RFC 5922 §7) or a host as
 * the operator wrote it; what DNS made of them does not count, since DNS can lie.
 */
export interface TrunkTls {
  readonly names: readonly string[];
  readonly serverName: string;
  readonly verify: boolean;
  readonly caFile: string | null;
}

const LOOPBACK_MEDIA: MediaPlace = {
  bindAddress: '127.0.0.1',
  externalAddress: null,
  ports: { first: 40_000, last: 40_999 },
  codecs: ['pcmu', 'pcma'],
  guardPackets: () => {
    throw new TypeError('nobody has said how packets are encrypted');
  },
};

interface Running {
  readonly trunk: Trunk;
  readonly monitor: TrunkMonitor;
  readonly registration: RegistrationClient | null;
  readonly keepAlive: TrunkKeepAlive;
}

/**
 * All trunks: kept registered and probed, called through, and recognized when they call. Give
 * `admit` and `isSource` to the SIP engine, and call `connected` whenever it is there.
 */
export class TrunkService {
  readonly #options: Required<Omit<TrunkServiceOptions, 'registerTimeoutMs' | 'probeTimeoutMs'>> &
    TrunkServiceOptions;
  /** What is not remembered. */
  readonly #dns: DnsLookup;
  readonly #limits = new TrunkLimits();
  readonly #dialer: TrunkDialer;
  readonly #running = new Map<string, Running>();
  #trunks: readonly Trunk[];
  #book: TrunkBook;
  #policy: InboundPolicy;
  #isStarted = false;
  #isDiagnosing = false;

  constructor(options: TrunkServiceOptions) {
    const nowMs = options.nowMs ?? (() => performance.timeOrigin + performance.now());
    const defaults = {
      nowMs,
      random: Math.random,
      sipPort: () => 5060,
      keepAlive: () => true,
      onRegistration: () => {},
      onHealth: () => {},
      media: () => LOOPBACK_MEDIA,
    };
    this.#dns = options.dns ?? systemDns();
    const dns = cachedDns(this.#dns, nowMs);
    this.#options = { ...defaults, ...options, dns };
    this.#trunks = options.trunks;
    this.#book = new TrunkBook(options.trunks);
    this.#policy = new InboundPolicy({ book: this.#book, nowMs });
    this.#dialer = new TrunkDialer({
      trunks: () => this.#trunks,
      limits: this.#limits,
      dial: (request, events) => this.#dial(request, events),
      targetsOf: (trunk) => this.#targetsForCall(trunk),
      isUp: ({ name }) => this.#isUp(name),
      isSourceOf: ({ name }, address) => this.#book.isSourceOf(name, address),
      nowMs,
      contactOf: (trunk, transport) => this.#contactOf(trunk, transport),
    });
  }

  /** Registers and probes, as soon as there is a connection. */
  start(): void {
    this.#isStarted = true;
    for (const trunk of this.#trunks) this.#run(trunk);
  }

  /** A connection to the SIP engine stands, the first or another. */
  connected(): void {
    for (const { registration } of this.#running.values()) registration?.renew();
  }

  /** Takes all registrations away, within `UNREGISTER_TIMEOUT_MS`. */
  async stop(): Promise<void> {
    this.#isStarted = false;
    await Promise.all([...this.#running.keys()].map((name) => this.#halt(name)));
  }

  /** Other settings, by SIGHUP. Trunks that did not change go on undisturbed, and so do calls. */
  async reload(trunks: readonly Trunk[]): Promise<void> {
    const before = new Map(this.#trunks.map((trunk) => [trunk.name, fingerprint(trunk)]));
    const changed = trunks.filter((trunk) => before.get(trunk.name) !== fingerprint(trunk));
    const kept = new Set(
      trunks.filter((trunk) => !changed.includes(trunk)).map(({ name }) => name),
    );
    const gone = [...this.#running.keys()].filter((name) => !kept.has(name));
    this.#trunks = trunks;
    this.#book = new TrunkBook(trunks);
    this.#policy = new InboundPolicy({ book: this.#book, nowMs: this.#options.nowMs });
    // The new book knows no addresses of names yet.
    await Promise.all(trunks.map((trunk) => this.#targets(trunk)));
    await Promise.all(gone.map((name) => this.#halt(name)));
    if (this.#isStarted) for (const trunk of changed) this.#run(trunk);
  }

  /** For `connectSipEngine`. */
  admit(request: InboundRequest): InboundVerdict {
    return this.#policy.judge(request);
  }

  /** Whether an address is one of a trunk's: the SIP engine may hear it. */
  isSource(address: string): boolean {
    return this.#book.isSource(address);
  }

  /** For the SIP engine: whether large requests to an address go by TCP. */
  prefersTcp(address: string): boolean {
    return this.#book.prefersTcp(address);
  }

  /** What the certificate of a place must be: of the trunk named, else of the one it belongs to. */
  tlsPeer({ host, address, peer }: TlsPlace): TrunkTls | null {
    const trunk = peer === undefined ? this.#book.trunkOf(address, '') : this.#book.find(peer);
    if (trunk === null) return null;
    const { domain, tls } = trunk;
    const hosts = trunk.hosts.map((each) => each.host);
    const isConfigured = host !== undefined && isIP(host) === 0 && hosts.includes(host);
    return { names: [domain, ...hosts], serverName: isConfigured ? host : domain, ...tls };
  }

  find(name: string): Trunk | null {
    return this.#book.find(name);
  }

  /** A channel for an inbound call, given back at its end; or why there is none. */
  takeInbound(trunk: Trunk): { readonly release: () => void } | TrunkFull {
    return this.#limits.takeInbound(trunk, this.#options.nowMs());
  }

  /** What `dial` would refuse before it sends anything: see `TrunkDialer.preview`. */
  preview(wanted: Pick<TrunkDialRequest, 'to' | 'caller' | 'trunk'>): DialPreview {
    return this.#dialer.preview(wanted);
  }

  /** Calls a number: see `TrunkDialer.dial`. */
  dial(request: TrunkDialRequest, events: TrunkDialEvents): Promise<TrunkDialResult> {
    return this.#dialer.dial(request, events);
  }

  /**
   * Looks a trunk over, within `DIAGNOSIS_MS_MAX`, and calls the number if one is given. One at a
   * time: `busy` while another is under way. Null: there is no such trunk.
   */
  async diagnose(name: string, testNumber: string | null): Promise<Diagnosis | 'busy' | null> {
    const trunk = this.find(name);
    if (trunk === null) return null;
    if (this.#isDiagnosing) return 'busy';
    this.#isDiagnosing = true;
    try {
      const { random, nowMs, media } = this.#options;
      return await diagnose({
        trunk,
        dns: this.#dns,
        random,
        nowMs,
        send: (request) => this.#send(request),
        dial: (request, events) => this.dial(request, events),
        registration: this.#running.get(name)?.registration?.status ?? null,
        readAuthorities: (file) => readFile(file, 'utf8'),
        media: media(),
        testNumber,
        signal: AbortSignal.timeout(DIAGNOSIS_MS_MAX),
      });
    } finally {
      this.#isDiagnosing = false;
    }
  }

  views(): readonly TrunkView[] {
    return this.#trunks.map((trunk) => {
      const { name, transport, hosts, channelsMax, outboundPrefixes, numbers } = trunk;
      const { monitor, registration } = this.#running.get(name) ?? {};
      return {
        name,
        transport,
        hosts: hosts.map(hostText),
        isUp: this.#isUp(name),
        health: monitor?.status ?? { isUp: true, lastProbe: null, sinceMs: null },
        registration: registration?.status ?? null,
        channels: this.#limits.channelsOf(name),
        channelsMax,
        outboundPrefixes,
        numbers: [...numbers.keys()],
      };
    });
  }

  #run(trunk: Trunk): void {
    const { nowMs, random, log, registerTimeoutMs, probeTimeoutMs } = this.#options;
    const send = (request: PlainRequest) => this.#send(request);
    const common = { trunk, send, nowMs, random, log };
    const registration =
      trunk.registration === null
        ? null
        : new RegistrationClient({
            ...common,
            targets: () => this.#targets(trunk),
            contactHost: () => this.#externalHost(trunk),
            onChange: (status) => this.#options.onRegistration(trunk.name, status),
            ...(registerTimeoutMs === undefined ? {} : { timeoutMs: registerTimeoutMs }),
          });
    const monitor = new TrunkMonitor({
      ...common,
      canSend: () => this.#options.signaling()?.isConnected ?? false,
      targets: () => this.#targetsForCall(trunk),
      onObserved: (addresses) => registration?.observed(addresses),
      onChange: (status) => this.#options.onHealth(trunk.name, status),
      ...(probeTimeoutMs === undefined ? {} : { timeoutMs: probeTimeoutMs }),
    });
    const keepAlive = new TrunkKeepAlive({
      trunk,
      registration,
      targets: () => this.#targetsForCall(trunk),
      send: (target) => this.#options.keepAlive(target, trunk.name),
    });
    this.#running.set(trunk.name, { trunk, monitor, registration, keepAlive });
    registration?.start();
    monitor.start();
    keepAlive.start();
  }

  async #halt(name: string): Promise<void> {
    const running = this.#running.get(name);
    this.#running.delete(name);
    running?.monitor.stop();
    running?.keepAlive.stop();
    await running?.registration?.stop();
  }

  #isUp(name: string): boolean {
    const { monitor, registration } = this.#running.get(name) ?? {};
    const isRegistered = registration?.status.isRegistered ?? true;
    return (monitor?.status.isUp ?? true) && isRegistered;
  }

  /** All hosts in order; what they resolve to may call us. */
  async #targets(trunk: Trunk): Promise<readonly SipTarget[]> {
    const { dns, random } = this.#options;
    const found = await Promise.all(
      trunk.hosts.map((host) => resolveTargets(host, trunk.transport, dns, random)),
    );
    const targets = found.flat();
    const hasNames = trunk.hosts.some(({ host }) => isIP(host) === 0);
    // A DNS that is down for a moment takes nobody's word away.
    if (hasNames && targets.length > 0) {
      this.#book.setHostAddresses(
        trunk.name,
        targets.map(({ address }) => address),
      );
    }
    return targets;
  }

  /** The registrar that has us first (its proxy knows us), hosts that were silent last. */
  async #targetsForCall(trunk: Trunk): Promise<readonly SipTarget[]> {
    const targets = await this.#targets(trunk);
    const { monitor, registration } = this.#running.get(trunk.name) ?? {};
    const registrar = registration?.registrar ?? null;
    const others = targets.filter((target) => !isSame(target, registrar));
    const all = registrar === null ? others : [registrar, ...others];
    const isSilent = (target: SipTarget) => Number(monitor?.isSilent(target) ?? false);
    return [...all].sort((a, b) => isSilent(a) - isSilent(b));
  }

  /** Contact of our answers to a trunk's requests; null: the engine's own. */
  contactFor(name: string, transport: string): string | null {
    const trunk = this.#book.find(name);
    return trunk === null ? null : this.#contactOf(trunk, transport);
  }

  #contactOf(trunk: Trunk, transport: string): string | null {
    const learntHost = this.#running.get(trunk.name)?.registration?.learntHost ?? null;
    return contactOf(trunk, { transport, learntHost, sipPort: this.#options.sipPort() });
  }

  #externalHost(trunk: Trunk): string | null {
    return externalHost(trunk, this.#options.sipPort());
  }

  async #send(request: PlainRequest): Promise<PlainResult> {
    const signaling = this.#options.signaling();
    if (signaling === null) return { type: 'unanswered', why: 'the SIP engine is not started' };
    return signaling.request(request);
  }

  async #dial(request: DialRequest, events: DialEvents): Promise<DialResult> {
    const signaling = this.#options.signaling();
    return signaling === null
      ? { type: 'ended', ...ENGINE_LOST_END }
      : signaling.dial(request, events);
  }
}

function hostText({ host, port }: TrunkHost): string {
  const bracketed = isIP(host) === 6 ? `[${host}]` : host;
  return port === null ? bracketed : `${bracketed}:${port}`;
}

function isSame(a: SipTarget, b: SipTarget | null): boolean {
  return a.transport === b?.transport && a.address === b.address && a.port === b.port;
}

/** Equal for equal settings; a map becomes its entries. */
function fingerprint(trunk: Trunk): string {
  return JSON.stringify({ ...trunk, numbers: [...trunk.numbers] });
}
