import type { CallNote } from './call-note.ts';
import type { Blame, EndReason } from './end-reason.ts';
import type { AnsweredBy } from './machine-detection.ts';
import type { TransferRecord } from './transfer.ts';
import type { TranscriptTurn } from './turn.ts';

/**
 * What a call's owner may watch while it lives, in order: the same for live views, event streams
 * and webhooks. `initiated` is always the first, `ended` always the last and exactly once.
 */
export type CallProgress =
  | { readonly type: 'initiated' }
  /** One INVITE went out; another trunk or host may follow when it fails. */
  | { readonly type: 'dialing'; readonly trunk: string; readonly attempt: number }
  /** The remote side is alerted. */
  | { readonly type: 'ringing'; readonly sipStatus: number }
  /** The network plays something before the answer (RFC 3960): ringing, or an announcement. */
  | { readonly type: 'early-media'; readonly sipStatus: number }
  | { readonly type: 'answered' }
  /** Of an outbound call that asked: a person or a machine. */
  | { readonly type: 'answered-by'; readonly answeredBy: AnsweredBy }
  | { readonly type: 'activity'; readonly activity: 'listening' | 'thinking' | 'speaking' }
  /** A transfer begins, gets on, or is over: as it stands now. */
  | { readonly type: 'transfer'; readonly transfer: TransferRecord }
  | CallNote
  | { readonly type: 'turn'; readonly turn: TranscriptTurn }
  | {
      readonly type: 'ended';
      readonly reason: EndReason;
      readonly blame: Blame;
      readonly sipStatus: number | null;
      /** No personal data. */
      readonly detail: string | null;
    };
