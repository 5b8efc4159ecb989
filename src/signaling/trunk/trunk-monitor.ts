import { type PlainRequest, type PlainResult, whyUnanswered } from '../plain-request-client.ts';
import type { SignalingLog } from '../sip-settings.ts';
import { readRegisterAnswer } from './register-answer.ts';
import { nextHopUri, type SipTarget, targetText } from './sip-targets.ts';
import type { Trunk } from './trunk.ts';
import { showsLife, TrunkHealth, type TrunkHealthStatus } from './trunk-health.ts';

/** For the answer to one OPTIONS. */
export const PROBE_TIMEOUT_MS = 5_000;
/** Names are looked up anew this often, also where nothing is probed. */
const RESOLVE_INTERVAL_MS = 300_000;

type Addresses = { readonly sentBy: string | null; readonly observed: string | null };

/** Status of an answer; 0 without one, and why, where that is known. */
interface Heard {
  readonly sipStatus: number;
  readonly why: string;
}

export interface TrunkMonitorOptions {
  readonly trunk: Trunk;
  readonly send: (request: PlainRequest) => Promise<PlainResult>;
  /** Whether there is an engine to send with; without one nothing is learnt of the trunk. */
  readonly canSend: () => boolean;
  /** Where the trunk leads now, best first. Never rejects. */
  readonly targets: () => Promise<readonly SipTarget[]>;
  /** Our address as an answer showed it. */
  readonly onObserved: (addresses: Addresses) => void;
  /** When the trunk goes up or down. */
  readonly onChange?: (status: TrunkHealthStatus) => void;
  readonly nowMs: () => number;
  readonly random: () => number;
  readonly log: SignalingLog;
  readonly timeoutMs?: number;
}

/** Probes one trunk by OPTIONS: its hosts in order, until one answers. */
export class TrunkMonitor {
  readonly #options: TrunkMonitorOptions;
  readonly #health: TrunkHealth;
  /** Targets that did not answer last time, for calls to try last. */
  readonly #silent = new Set<string>();
  #timer: NodeJS.Timeout | null = null;
  #isStopped = false;

  constructor(options: TrunkMonitorOptions) {
    const { optionsSeconds } = options.trunk;
    this.#options = options;
    this.#health = new TrunkHealth(optionsSeconds * 1000);
  }

  get status(): TrunkHealthStatus {
    return this.#health.status;
  }

  isSilent(target: SipTarget): boolean {
    return this.#silent.has(targetText(target));
  }

  start(): void {
    void this.#round();
  }

  stop(): void {
    this.#isStopped = true;
    if (this.#timer !== null) clearTimeout(this.#timer);
  }

  async #round(): Promise<void> {
    const { trunk, targets, canSend } = this.#options;
    const found = await targets();
    if (trunk.optionsSeconds > 0 && canSend() && !this.#isStopped) await this.#probe(found);
    if (this.#isStopped) return;
    const waitMs =
      trunk.optionsSeconds > 0
        ? this.#health.nextInMs(this.#options.random())
        : RESOLVE_INTERVAL_MS;
    this.#timer = setTimeout(() => void this.#round(), waitMs);
    this.#timer.unref();
  }

  async #probe(targets: readonly SipTarget[]): Promise<void> {
    const { trunk, nowMs, log, canSend } = this.#options;
    this.#silent.clear();
    let isAlive = false;
    let heard: Heard = { sipStatus: 0, why: targets.length === 0 ? 'no address is known' : '' };
    for (const target of targets) {
      heard = await this.#ask(target);
      isAlive = showsLife(heard.sipStatus);
      if (isAlive || this.#isStopped) break;
      this.#silent.add(targetText(target));
    }
    // The engine went away meanwhile: that says nothing about the trunk.
    if (this.#isStopped || (!isAlive && !canSend())) return;
    if (!this.#health.probed(isAlive, heard.sipStatus, nowMs(), heard.why)) return;
    this.#options.onChange?.(this.status);
    const facts = { trunk: trunk.name, ...heard };
    if (isAlive) log.info(facts, 'a trunk is up');
    else log.warn(facts, 'a trunk is down');
  }

  async #ask(target: SipTarget): Promise<Heard> {
    const { trunk, send, onObserved, timeoutMs = PROBE_TIMEOUT_MS } = this.#options;
    const user = trunk.username === null ? '' : `${trunk.username}@`;
    const request: PlainRequest = {
      method: 'OPTIONS',
      uri: `sip:${trunk.domain}`,
      proxy: nextHopUri(target, trunk.name),
      headers: [
        { name: 'From', value: `<sip:${user}${trunk.domain}>` },
        { name: 'To', value: `<sip:${trunk.domain}>` },
        { name: 'Accept', value: 'application/sdp' },
      ],
      timeoutMs,
    };
    const result = await send(request).catch((): null => null);
    if (result?.type !== 'answered' || result.answer.isFromEngine) {
      return { sipStatus: 0, why: whyUnanswered(result) };
    }
    onObserved(readRegisterAnswer(result.answer, trunk.username ?? ''));
    return { sipStatus: result.answer.status, why: '' };
  }
}
