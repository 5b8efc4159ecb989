import { collectDefaultMetrics, Counter, Gauge, Histogram, Registry } from 'prom-client';
import type { CountedCap } from '../model/billing.ts';
import type { CallDirection, CallDoor } from '../model/call.ts';
import { blameOf, END_REASONS, type EndReason } from '../model/end-reason.ts';
import type { LegReport } from '../model/media.ts';

/** Where a packet of ours or theirs was lost, or refused. */
type PacketFate =
  | 'lost'
  | 'late'
  | 'duplicate'
  | 'stranger'
  | 'malformed'
  | 'unauthenticated'
  | 'replayed';

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
  /** The caller cut the agent off. */
  agentInterrupted(): void;
  workerCrashed(): void;
  /** A workspace came near a cap, or a call was refused by it. */
  capNotice(cap: CountedCap, level: 'near' | 'reached'): void;
  chatMemoryFailed(): void;
  /** The language model could not answer in public chat. */
  chatReplyFailed(): void;
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
  /** Totals of the embedded SIP engine by name; empty with drachtio-server. */
  readonly sipTotals?: () => Readonly<Record<string, number>>;
  readonly workers?: () => readonly WorkerFigures[];
  readonly trunks?: () => readonly TrunkFigures[];
}

/** One trunk by the operator's name for it. */
export interface TrunkFigures {
  readonly name: string;
  readonly isUp: boolean;
  /** null: it does not register. */
  readonly isRegistered: boolean | null;
  readonly channels: number;
}

/** One voice worker: its place, and how it is doing. */
export interface WorkerFigures {
  readonly worker: number;
  readonly legs: number;
  /** Part of its time that its ticks take, 0..1. */
  readonly load: number;
  readonly ticks: number;
  /** Ticks that ran more than 5 ms late. */
  readonly lateTicks: number;
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
    for (const direction of ['inbound', 'outbound']) {
      ended.inc({ direction, reason, blame: blameOf(reason) }, 0);
    }
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
    ['unauthenticated', report.packetsUnauthenticated],
    ['replayed', report.packetsReplayed],
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
  const interruptions = counter(
    registry,
    'trunkline_agent_interruptions_total',
    'Agent turns that the caller cut off.',
  );
  const crashes = counter(registry, 'trunkline_worker_crashes_total', 'Voice workers that died.');
  const chatReplies = counter(
    registry,
    'trunkline_chat_reply_failures_total',
    'Messages of public chat that the language model could not answer.',
  );
  const memories = counter(
    registry,
    'trunkline_chat_memory_failures_total',
    'Memories of people in public chat that could not be brought up to date.',
  );
  const caps = new Counter({
    name: 'trunkline_cap_notices_total',
    help: 'Caps of workspaces that came near or were reached, once for each period.',
    labelNames: ['cap', 'level'] as const,
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
    agentInterrupted: () => interruptions.inc(),
    workerCrashed: () => crashes.inc(),
    capNotice: (cap: CountedCap, level: 'near' | 'reached') => caps.inc({ cap, level }),
    chatMemoryFailed: () => memories.inc(),
    chatReplyFailed: () => chatReplies.inc(),
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
  labelled(registry, {
    name: 'trunkline_sip_events',
    help: 'Totals of the SIP engine since it started, by event.',
    label: 'event',
    read: () => Object.entries(live.sipTotals?.() ?? {}),
  });
  const ofWorkers = (name: string, help: string, value: (figures: WorkerFigures) => number) =>
    labelled(registry, {
      name,
      help,
      label: 'worker',
      read: () => (live.workers?.() ?? []).map((each) => [`${each.worker}`, value(each)]),
    });
  ofWorkers('trunkline_worker_legs', 'Legs of a voice worker.', ({ legs }) => legs);
  ofWorkers('trunkline_worker_load_ratio', 'Part of its time spent ticking.', ({ load }) => load);
  ofWorkers('trunkline_worker_ticks', 'Ticks since it started.', ({ ticks }) => ticks);
  ofWorkers('trunkline_worker_late_ticks', 'Those over 5 ms late.', ({ lateTicks }) => lateTicks);
  observeTrunks(registry, live.trunks ?? (() => []));
}

function observeTrunks(registry: Registry, read: () => readonly TrunkFigures[]): void {
  const ofTrunks = (name: string, help: string, value: (figures: TrunkFigures) => number | null) =>
    labelled(registry, {
      name,
      help,
      label: 'trunk',
      read: () =>
        read().flatMap((trunk) => {
          const figure = value(trunk);
          return figure === null ? [] : [[trunk.name, figure] as const];
        }),
    });
  ofTrunks('trunkline_trunk_up', 'Whether calls can go by it.', ({ isUp }) => Number(isUp));
  ofTrunks('trunkline_trunk_registered', 'Only of trunks that register.', ({ isRegistered }) =>
    isRegistered === null ? null : Number(isRegistered),
  );
  ofTrunks('trunkline_trunk_channels', 'Calls now, both ways.', ({ channels }) => channels);
}

/** Label values are places or names of ours, never a caller's. */
function labelled(
  registry: Registry,
  options: {
    readonly name: string;
    readonly help: string;
    readonly label: 'event' | 'worker' | 'trunk';
    readonly read: () => readonly (readonly [string, number])[];
  },
): void {
  const { name, help, label, read } = options;
  registry.registerMetric(
    new Gauge({
      name,
      help,
      labelNames: [label],
      registers: [],
      collect() {
        this.reset();
        for (const [value, figure] of read()) this.set({ [label]: value }, figure);
      },
    }),
  );
}
