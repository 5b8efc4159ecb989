import { collectDefaultMetrics, Counter, Gauge, Histogram, Registry } from 'prom-client';
import type { CallDirection, CallDoor } from '../model/call.ts';
import { blameOf, END_REASONS, type EndReason } from '../model/end-reason.ts';
import type { LegReport } from '../model/media.ts';

/** Where a packet of ours or theirs was lost, or refused. */
type PacketFate = 'lost' | 'late' | 'duplicate' | 'stranger' | 'malformed';

export type ProviderKind = 'stt' | 'llm' | 'tts';

export type SipMethod = 'INVITE' | 'BYE' | 'CANCEL' | 'OPTIONS' | 'REGISTER' | 'other';

/**
 * Every number that `/metrics` shows. Base units stand in the names; labels come from closed
 * unions, never from a caller.
 */
export interface Metrics {
  readonly contentType: string;
  text(): Promise<string>;
  callStarted(direction: CallDirection, door: CallDoor): void;
  callEnded(call: EndedCallFigures): void;
  /** End of the caller's speech → first packet of the reply. */
  replyStarted(seconds: number): void;
  /** Answer → first packet of the greeting. */
  greetingStarted(seconds: number): void;
  /** Caller's onset → agent held. */
  bargeIn(seconds: number): void;
  providerFailed(kind: ProviderKind): void;
  workerCrashed(): void;
  chatMemoryFailed(): void;
  /** How late a worker's ticker ran, its own p99 of a reporting period. */
  workerLate(seconds: number): void;
  sipRequest(method: SipMethod, result: 'taken' | 'refused' | 'dropped'): void;
  httpRequest(method: string, status: number, seconds: number): void;
  /** Read each time the metrics are asked for. */
  observe(live: LiveFigures): void;
}

export interface EndedCallFigures {
  readonly direction: CallDirection;
  readonly reason: EndReason;
  /** Answer to end; null when it was never answered. */
  readonly talkSeconds: number | null;
  /** INVITE to 200; null when it was never answered. */
  readonly setupSeconds: number | null;
  readonly report: LegReport | null;
}

/** What is so now, as against what happened. */
export interface LiveFigures {
  readonly callsLive?: () => number;
  readonly waitingWrites?: () => number;
  readonly sipTransactions?: () => number;
  readonly mediaPortsFree?: () => number;
}

const SHORT_SECONDS = [0.001, 0.002, 0.005, 0.01, 0.02, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10];
const SPEECH_SECONDS = [0.02, 0.04, 0.06, 0.08, 0.12, 0.16, 0.22, 0.3, 0.35, 0.5, 0.75, 1, 2, 5];
const TALK_SECONDS = [1, 5, 15, 30, 60, 120, 300, 600, 1200, 3600];
const METHODS = ['GET', 'HEAD', 'POST', 'PUT', 'PATCH', 'DELETE', 'OPTIONS'];

/** A registry of its own, so that two daemons in one process do not share numbers. */
export function createMetrics(options: { readonly withProcess?: boolean } = {}): Metrics {
  const registry = new Registry();
  if (options.withProcess === true) collectDefaultMetrics({ register: registry });
  const calls = callMetrics(registry);
  const rest = otherMetrics(registry);
  return {
    contentType: registry.contentType,
    text: () => registry.metrics(),
    ...calls,
    ...rest,
    observe: (live) => observe(registry, live),
  };
}

function callMetrics(registry: Registry) {
  const registers = [registry];
  const started = new Counter({
    name: 'trunkline_calls_started_total',
    help: 'Calls that began, by direction and door.',
    labelNames: ['direction', 'door'] as const,
    registers,
  });
  const ended = new Counter({
    name: 'trunkline_calls_ended_total',
    help: 'Calls that ended, by why and who is to blame.',
    labelNames: ['direction', 'reason', 'blame'] as const,
    registers,
  });
  // A reason that has not happened yet reads 0, so that a rate can be taken of the first one.
  for (const reason of endReasons()) {
    ended.inc({ direction: 'inbound', reason, blame: blameOf(reason) }, 0);
  }
  const talk = histogram(registry, 'trunkline_call_talk_seconds', 'Answer to end.', TALK_SECONDS);
  const setup = histogram(
    registry,
    'trunkline_call_setup_seconds',
    'INVITE to 200 of answered calls.',
    SHORT_SECONDS,
  );
  const packets = new Counter({
    name: 'trunkline_rtp_packets_bad_total',
    help: 'Received RTP packets that could not be played, by why.',
    labelNames: ['fate'] as const,
    registers,
  });
  const received = counter(registry, 'trunkline_rtp_packets_received_total', 'RTP received.');
  const sent = counter(registry, 'trunkline_rtp_packets_sent_total', 'RTP sent.');

  return {
    callStarted(direction: CallDirection, door: CallDoor) {
      started.inc({ direction, door });
    },
    callEnded({ direction, reason, talkSeconds, setupSeconds, report }: EndedCallFigures) {
      ended.inc({ direction, reason, blame: blameOf(reason) });
      if (talkSeconds !== null) talk.observe(talkSeconds);
      if (setupSeconds !== null) setup.observe(setupSeconds);
      if (report === null) return;
      received.inc(report.packetsReceived);
      sent.inc(report.packetsSent);
      for (const [fate, count] of fates(report)) packets.inc({ fate }, count);
    },
  };
}

function fates(report: LegReport): readonly (readonly [PacketFate, number])[] {
  return [
    ['lost', report.packetsLost],
    ['late', report.packetsLate],
    ['duplicate', report.packetsDuplicate],
    ['stranger', report.packetsFromStrangers],
    ['malformed', report.packetsMalformed],
  ];
}

function endReasons(): readonly EndReason[] {
  // oxlint-disable-next-line typescript/no-unsafe-type-assertion -- the keys are the union
  return Object.keys(END_REASONS) as EndReason[];
}

function otherMetrics(registry: Registry) {
  const registers = [registry];
  const speech = (name: string, help: string) => histogram(registry, name, help, SPEECH_SECONDS);
  const reply = speech('trunkline_reply_latency_seconds', 'End of speech to first reply packet.');
  const greeting = speech('trunkline_greeting_latency_seconds', 'Answer to first packet.');
  const bargeIn = speech('trunkline_barge_in_seconds', 'Onset of speech to agent held.');
  const late = speech('trunkline_worker_lateness_seconds', "Voice workers' ticker lateness, p99.");
  const crashes = counter(registry, 'trunkline_worker_crashes_total', 'Voice workers that died.');
  const memories = counter(
    registry,
    'trunkline_chat_memory_failures_total',
    'Memories of people in public chat that could not be brought up to date.',
  );
  const failures = new Counter({
    name: 'trunkline_provider_failures_total',
    help: 'Speech and language provider failures beyond their retries.',
    labelNames: ['kind'] as const,
    registers,
  });
  const sip = new Counter({
    name: 'trunkline_sip_requests_total',
    help: 'SIP requests received, by method and what became of them.',
    labelNames: ['method', 'result'] as const,
    registers,
  });
  const http = new Histogram({
    name: 'trunkline_http_request_seconds',
    help: 'HTTP requests, by method and class of status.',
    labelNames: ['method', 'status'] as const,
    buckets: SHORT_SECONDS,
    registers,
  });
  return {
    replyStarted: (seconds: number) => reply.observe(seconds),
    greetingStarted: (seconds: number) => greeting.observe(seconds),
    bargeIn: (seconds: number) => bargeIn.observe(seconds),
    workerLate: (seconds: number) => late.observe(seconds),
    workerCrashed: () => crashes.inc(),
    chatMemoryFailed: () => memories.inc(),
    providerFailed: (kind: ProviderKind) => failures.inc({ kind }),
    sipRequest: (method: SipMethod, result: 'taken' | 'refused' | 'dropped') =>
      sip.inc({ method, result }),
    httpRequest(method: string, status: number, seconds: number) {
      const known = METHODS.includes(method) ? method : 'other';
      http.observe({ method: known, status: `${Math.floor(status / 100)}xx` }, seconds);
    },
  };
}

function counter(registry: Registry, name: string, help: string): Counter {
  return new Counter({ name, help, registers: [registry] });
}

function histogram(registry: Registry, name: string, help: string, buckets: number[]): Histogram {
  return new Histogram({ name, help, buckets, registers: [registry] });
}

function observe(registry: Registry, live: LiveFigures): void {
  const gauge = (name: string, help: string, read: (() => number) | undefined) => {
    if (read === undefined) return;
    registry.registerMetric(
      new Gauge({
        name,
        help,
        registers: [],
        collect() {
          this.set(read());
        },
      }),
    );
  };
  gauge('trunkline_calls_live', 'Calls now.', live.callsLive);
  gauge('trunkline_storage_writes_waiting', 'Writes not yet durable.', live.waitingWrites);
  gauge('trunkline_sip_transactions', 'SIP transactions in hand.', live.sipTransactions);
  gauge('trunkline_media_ports_free', 'RTP ports that no call holds.', live.mediaPortsFree);
}
