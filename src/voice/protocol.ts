import type { AgentSnapshot, TransferTarget } from '../model/agent.ts';
import type { CallNote } from '../model/call-note.ts';
import type { EndReason } from '../model/end-reason.ts';
import type { CallId, LegId } from '../model/ids.ts';
import type { AnsweredBy, MachineDetection } from '../model/machine-detection.ts';
import type { CodecName, LegReport, LocalMediaAddress, RtpParameters } from '../model/media.ts';
import type { ToolCall } from '../model/tool-call.ts';
import type { Caption, TranscriptTurn } from '../model/turn.ts';

/** Main thread → voice worker. */
export type ToWorker =
  | WarmAgent
  | OpenLeg
  | OpenWebLeg
  | ResumeWebLeg
  | UpdateLeg
  | StartConversation
  | InjectDigit
  | Say
  | SendDigits
  | StepAside
  | StepBack
  | TransferFailed
  | ToolDone
  | RingBack
  | CarryDigits
  | BridgeLegs
  | WatchLeg
  | FinishConversation
  | CloseLeg
  | StopWorker;

/**
 * Renders the agent's greeting and fixed phrases into the worker's cache, so that the first
 * caller does not wait for them. Costs nothing when they are there already.
 */
export interface WarmAgent {
  readonly type: 'warm-agent';
  readonly agent: AgentSnapshot;
}

/** Reserves a port (and its RTCP port) for one leg; answered by `leg-opened` or `leg-failed`. */
export interface OpenLeg {
  readonly type: 'open-leg';
  readonly callId: CallId;
  readonly legId: LegId;
}

/** Answers a browser's offer; answered by `web-leg-opened` or `leg-failed`. */
export interface OpenWebLeg {
  readonly type: 'open-web-leg';
  readonly callId: CallId;
  readonly legId: LegId;
  readonly offerSdp: string;
}

/** The same browser offers again after its network changed; answered by `web-leg-resumed`. */
export interface ResumeWebLeg {
  readonly type: 'resume-web-leg';
  readonly legId: LegId;
  /** Tells answers apart. */
  readonly requestId: number;
  readonly offerSdp: string;
}

/** Sets or changes what offer and answer agreed on: first use starts media, later ones are re-INVITEs. */
export interface UpdateLeg {
  readonly type: 'update-leg';
  readonly legId: LegId;
  readonly parameters: RtpParameters;
}

/** The far side hears us from now on: speak the greeting and listen. */
export interface StartConversation {
  readonly type: 'start-conversation';
  readonly legId: LegId;
  readonly agent: AgentSnapshot;
  readonly variables: Readonly<Record<string, string>>;
  /** Unix time of the answer (200 sent), for the greeting's latency. */
  readonly answeredAtMs: number;
  /** First find out who answered; null: just begin. */
  readonly machineDetection: MachineDetection | null;
}

/** A digit that came by SIP INFO. */
export interface InjectDigit {
  readonly type: 'inject-digit';
  readonly legId: LegId;
  readonly digit: string;
}

/** Speaks a sentence of the owner's as the agent. */
export interface Say {
  readonly type: 'say';
  readonly legId: LegId;
  readonly text: string;
}

export interface SendDigits {
  readonly type: 'send-digits';
  readonly legId: LegId;
  readonly digits: string;
}

/** The owner puts the caller through: the agent falls silent until `step-back`. */
export interface StepAside {
  readonly type: 'step-aside';
  readonly legId: LegId;
}

/** The owner's transfer came to nothing: the agent says so and goes on. */
export interface StepBack {
  readonly type: 'step-back';
  readonly legId: LegId;
}

/** The answer to `transfer-wanted` when it came to nothing; else the call just ends. */
export interface TransferFailed {
  readonly type: 'transfer-failed';
  readonly legId: LegId;
  readonly requestId: number;
  /** In a few words, for the agent. */
  readonly why: string;
}

/** The answer to `tool-wanted`. Nobody may wait for it any more. */
export interface ToolDone {
  readonly type: 'tool-done';
  readonly legId: LegId;
  readonly requestId: number;
  /** Anything that JSON can say, for the model. */
  readonly result: unknown;
}

/** The caller hears ringing, or hears it no more. */
export interface RingBack {
  readonly type: 'ring-back';
  readonly legId: LegId;
  readonly isOn: boolean;
}

/** The far side wants digits by SIP INFO: from now on they are asked for by `digits-wanted`. */
export interface CarryDigits {
  readonly type: 'carry-digits';
  readonly legId: LegId;
}

/** Two legs of this worker hear each other from now on, until one is closed. */
export interface BridgeLegs {
  readonly type: 'bridge-legs';
  readonly legId: LegId;
  readonly otherLegId: LegId;
}

/** Whether anybody reads `caption`s, which are told only then. */
export interface WatchLeg {
  readonly type: 'watch-leg';
  readonly legId: LegId;
  readonly isWatched: boolean;
}

/** Stop listening, let playout drain for at most `withinMs`, then report `conversation-ended`. */
export interface FinishConversation {
  readonly type: 'finish-conversation';
  readonly legId: LegId;
  readonly withinMs: number;
  readonly reason: EndReason;
}

/** Media stops now; answered by `leg-closed`. */
export interface CloseLeg {
  readonly type: 'close-leg';
  readonly legId: LegId;
  /** For a browser to show. */
  readonly reason: EndReason;
}

/**
 * Close everything and end by yourself. A worker is not to be terminated: the WebRTC library
 * takes the whole process down when its thread is cut off.
 */
export interface StopWorker {
  readonly type: 'stop-worker';
}

/** Voice worker → main thread. */
export type FromWorker =
  | WorkerReady
  | LegOpened
  | WebLegOpened
  | WebLegConnected
  | WebLegResumed
  | LegFailed
  | TurnFinished
  | CaptionChanged
  | CalleeKnown
  | ConversationChanged
  | ConversationNoted
  | TransferWanted
  | ToolWanted
  | ToolDropped
  | DigitsWanted
  | ConversationEnded
  | LegClosed
  | WorkerReport
  | WorkerLog;

/** Sent once, when the worker can take legs. */
export interface WorkerReady {
  readonly type: 'worker-ready';
  /** What this worker can speak, e.g. without Opus when no codec could be loaded. */
  readonly codecs: readonly CodecName[];
}

export interface LegOpened {
  readonly type: 'leg-opened';
  readonly legId: LegId;
  readonly local: LocalMediaAddress;
}

export interface WebLegOpened {
  readonly type: 'web-leg-opened';
  readonly legId: LegId;
  readonly answerSdp: string;
}

/** Packets pass both ways; also after each resumption. */
export interface WebLegConnected {
  readonly type: 'web-leg-connected';
  readonly legId: LegId;
}

export interface WebLegResumed {
  readonly type: 'web-leg-resumed';
  readonly legId: LegId;
  readonly requestId: number;
  /** null: the offer could not be used; the leg goes on as it was. */
  readonly answerSdp: string | null;
}

export interface LegFailed {
  readonly type: 'leg-failed';
  readonly legId: LegId;
  readonly code: LegFailureCode;
  readonly message: string;
}

export type LegFailureCode =
  | 'MEDIA_PORTS_EXHAUSTED'
  | 'MEDIA_SOCKET_FAILED'
  | 'MEDIA_OFFER_TOO_LARGE'
  | 'MEDIA_OFFER_INVALID'
  | 'MEDIA_OFFER_UNSUPPORTED'
  | 'MEDIA_PEERS_EXHAUSTED'
  | 'MEDIA_WEBRTC_UNAVAILABLE';

/** One finished transcript entry, in order. */
export interface TurnFinished {
  readonly type: 'turn';
  readonly legId: LegId;
  readonly turn: TranscriptTurn;
}

/** In order with the turns. Only while the leg is watched. */
export interface CaptionChanged {
  readonly type: 'caption';
  readonly legId: LegId;
  readonly caption: Caption;
}

/** Who took the call, where that was asked: the call goes on accordingly. At most once. */
export interface CalleeKnown {
  readonly type: 'callee-known';
  readonly legId: LegId;
  readonly answeredBy: AnsweredBy;
}

/** What the conversation is doing, for live views. */
export interface ConversationChanged {
  readonly type: 'conversation-changed';
  readonly legId: LegId;
  readonly activity: 'listening' | 'thinking' | 'speaking';
}

/** A tool was used, an idle prompt spoken. In order with the turns, which come when they are over. */
export interface ConversationNoted {
  readonly type: 'conversation-noted';
  readonly legId: LegId;
  readonly note: CallNote;
}

/** The agent wants to put the caller through, and is silent until `transfer-failed`. */
export interface TransferWanted {
  readonly type: 'transfer-wanted';
  readonly legId: LegId;
  /** Tells answers apart. */
  readonly requestId: number;
  readonly target: TransferTarget;
}

/** The agent uses a tool of its owner's, and goes on when `tool-done` comes. */
export interface ToolWanted {
  readonly type: 'tool-wanted';
  readonly legId: LegId;
  /** Tells answers apart. */
  readonly requestId: number;
  readonly call: ToolCall;
}

/** Nobody waits for the answer any more: the turn was interrupted, or the call is over. */
export interface ToolDropped {
  readonly type: 'tool-dropped';
  readonly legId: LegId;
  readonly requestId: number;
}

/** Digits to be sent to the far side by SIP INFO, in order. */
export interface DigitsWanted {
  readonly type: 'digits-wanted';
  readonly legId: LegId;
  readonly digits: string;
}

/** The conversation wants the call to end: `end_call`, silence, time limit, provider failure, media timeout. */
export interface ConversationEnded {
  readonly type: 'conversation-ended';
  readonly legId: LegId;
  readonly reason: EndReason;
  readonly detail: string | null;
}

export interface LegClosed {
  readonly type: 'leg-closed';
  readonly legId: LegId;
  readonly report: LegReport;
}

/** How the worker itself is doing, every few seconds. Counters since its start. */
export interface WorkerReport {
  readonly type: 'worker-report';
  readonly legs: number;
  /** Part of the worker's time that its ticks take, 0..1. */
  readonly load: number;
  readonly ticks: number;
  /** Ticks that ran more than 5 ms late. */
  readonly lateTicks: number;
}

/** A line for the main thread's logger. */
export interface WorkerLog {
  readonly type: 'log';
  readonly level: 'debug' | 'info' | 'warn' | 'error';
  readonly message: string;
  readonly facts: Readonly<Record<string, unknown>>;
}
