import type { Logger } from '../observability/logger.ts';
import type { CallRecord } from '../model/call.ts';
import type { EndReason } from '../model/end-reason.ts';
import type { LegId } from '../model/ids.ts';
import type { MachineDetection } from '../model/machine-detection.ts';
import type { InboundRefer } from '../signaling/transfer/refer.ts';
import type { VoiceLeg, VoiceLegEvents } from '../voice/voice-leg.ts';
import type { PhoneDialog } from './phone-dialog.ts';
import type { RefusalReason } from './refusal-status.ts';

/** Facts of an end beside its reason. */
export interface PartyEnd {
  readonly sipStatus: number | null;
  /** No personal data. */
  readonly detail: string | null;
}

/** What a party may do to its call. */
export interface CallDesk {
  readonly record: CallRecord;
  readonly legId: LegId;
  readonly log: Logger;
  /** Nothing new may begin. */
  readonly isEnding: boolean;
  readonly isConversing: boolean;
  /** For the party's voice leg; the party may listen to `onConnected` itself. */
  readonly voiceEvents: VoiceLegEvents;
  /** The call owns this leg from now on. False: it has ended meanwhile, and the leg is closed. */
  holdVoice(voice: VoiceLeg): Promise<boolean>;
  /** An INVITE went out by that trunk, the n-th of this call. */
  dialing(trunk: string, attempt: number): void;
  /** The remote side is being alerted, by the status that says so. */
  ringing(sipStatus: number): void;
  /** The network plays something before the answer. */
  earlyMedia(sipStatus: number): void;
  /** Somebody is to hear it: then it plays before `earlyMedia` is told. */
  readonly hearsEarlyMedia?: boolean;
  /** The remote side and we have met: the call counts from now on. */
  answered(): void;
  /** The remote side hears us: the agent may begin. Once; later ones change nothing. */
  converse(): void;
  /** The far side hands the agent over to somebody else. */
  referred(refer: InboundRefer): void;
  /** Ends the call, unless something else has ended it before. */
  end(reason: EndReason, end: PartyEnd | null): void;
}

/**
 * Whoever is at the other end of a call, by the door that it came through. The call owns the
 * one end; a party only reports and releases.
 */
export interface Party {
  /** What is known of the remote side, for the agent's templates. */
  readonly variables?: Readonly<Record<string, string>>;
  /** Whether, and how, to tell a person from a machine before the agent speaks. */
  readonly machineDetection?: MachineDetection | null;
  /** Of a phone; another one once somebody else has taken its place. */
  dialog?: PhoneDialog;
  /** Takes the call to a conversation, now or by a later event. Rejects when it cannot be had. */
  join(desk: CallDesk): Promise<void>;
  /** `join` rejected, or the call may not begin. Gives the SIP status that was sent, if any. */
  refuse(reason: RefusalReason): number | null;
  /** The call is over: tells the remote side where it does not know. Never rejects. */
  leave(reason: EndReason): Promise<void>;
}
