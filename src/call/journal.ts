import type { CallRecord } from '../model/call.ts';
import type { EndReason } from '../model/end-reason.ts';
import type { CallId } from '../model/ids.ts';
import type { LegReport } from '../model/media.ts';
import type { TransferRecord } from '../model/transfer.ts';
import type { TranscriptTurn } from '../model/turn.ts';

/** How a call ended, as it is written down. */
export interface CallEnding {
  readonly endedAtMs: number;
  readonly reason: EndReason;
  /** Final SIP status of a call that was refused or failed, else null. */
  readonly sipStatus: number | null;
  /** More about the reason, e.g. the text of a Reason header; no personal data. */
  readonly detail: string | null;
  readonly report: LegReport | null;
  /** Oldest first; left out: there was none. */
  readonly transfers?: readonly TransferRecord[];
}

/**
 * What a call needs written. Each promise resolves when the row is durable (committed and
 * synced) and rejects with a storage failure; rows of one call are written in order.
 */
export interface CallJournal {
  started(call: CallRecord): Promise<void>;
  /** Only a call that was not answered yet becomes `ringing`. */
  ringing(id: CallId): Promise<void>;
  answered(id: CallId, answeredAtMs: number): Promise<void>;
  turn(id: CallId, turn: TranscriptTurn): Promise<void>;
  /** Resolves true when this was the ending that counts, false when the call had ended before. */
  ended(call: CallRecord, ending: CallEnding): Promise<boolean>;
}
