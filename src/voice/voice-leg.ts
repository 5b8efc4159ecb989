import type { AgentSnapshot, TransferTarget } from '../model/agent.ts';
import type { CallNote } from '../model/call-note.ts';
import type { AnsweredBy, MachineDetection } from '../model/machine-detection.ts';
import type { EndReason } from '../model/end-reason.ts';
import type { LegId } from '../model/ids.ts';
import type { LegReport, LocalMediaAddress, RtpParameters } from '../model/media.ts';
import type { ToolCall } from '../model/tool-call.ts';
import type { Caption, TranscriptTurn } from '../model/turn.ts';

/** What a leg tells its call. Called on the main thread. */
export interface VoiceLegEvents {
  /** A browser's packets pass both ways; again after each resumption. Never for a phone. */
  onConnected(): void;
  onTurn(turn: TranscriptTurn): void;
  /** Only while the leg is watched. */
  onCaption(caption: Caption): void;
  /** Who took the call, where that was asked. At most once. */
  onCalleeKnown(answeredBy: AnsweredBy): void;
  onActivity(activity: 'listening' | 'thinking' | 'speaking'): void;
  /** The agent used a tool, or asked a silent caller whether he is there. */
  onNote(note: CallNote): void;
  /** The agent wants to put the caller through, and is silent until it is told that it failed. */
  onTransferWanted(target: TransferTarget, failed: (why: string) => void): void;
  /** The agent uses a tool of its owner's, and waits for its result, unless `signal` aborts. Never rejects. */
  onToolWanted(call: ToolCall, signal: AbortSignal): Promise<unknown>;
  /** Digits to be sent by SIP INFO. Only after `carryDigits`. */
  onDigitsWanted(digits: string): void;
  /** The conversation, or the browser, wants the call to end. At most once. */
  onConversationEnded(reason: EndReason, detail: string | null): void;
  /** The worker died: the leg is gone. At most once, and nothing follows. */
  onLost(): void;
}

/** One leg's media and conversation, in whichever worker it lives. */
export interface VoiceLeg {
  readonly legId: LegId;
  /** The far side hears us from now on. */
  startConversation(
    agent: AgentSnapshot,
    variables: Readonly<Record<string, string>>,
    answeredAtMs: number,
    /** First find out who answered. */
    machineDetection?: MachineDetection | null,
  ): void;
  say(text: string): void;
  sendDigits(digits: string): void;
  /** A digit that came by signaling, as if it had been pressed. */
  injectDigit(digit: string): void;
  /** The owner puts the caller through: the agent falls silent, until it says that it failed. */
  stepAside(): void;
  stepBack(): void;
  /** The caller hears ringing, or hears it no more. */
  ringBack(isOn: boolean): void;
  /** The two hear each other from now on. Both must live in one worker: see `openLegBeside`. */
  bridgeTo(other: VoiceLeg): void;
  /** From now on `onCaption` is told, or not any more. */
  watch(isWatched: boolean): void;
  /** Lets the agent finish speaking, for at most `withinMs`, then reports `onConversationEnded`. */
  finish(reason: EndReason, withinMs: number): void;
  /**
   * Stops media; a browser is told the reason. Resolves with the report, or null when the worker
   * is gone. Idempotent.
   */
  close(reason: EndReason): Promise<LegReport | null>;
}

/** Media is plain RTP, agreed on by SIP. */
export interface PhoneVoiceLeg extends VoiceLeg {
  readonly local: LocalMediaAddress;
  update(parameters: RtpParameters): void;
  /** The far side wants digits by SIP INFO: `onDigitsWanted` is told them. */
  carryDigits(): void;
}

/** Media is a browser's WebRTC. */
export interface WebVoiceLeg extends VoiceLeg {
  readonly answerSdp: string;
  /** Answers a further offer of the same browser; null when it cannot be used. */
  resume(offerSdp: string): Promise<string | null>;
}
