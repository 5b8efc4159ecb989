import type { EndReason } from '../model/end-reason.ts';
import type { LegReport } from '../model/media.ts';
import type { BridgeEnd } from './bridge.ts';
import type { LegConversation } from './leg-conversation.ts';
import type { StartConversation } from './protocol.ts';

/** One call's media and conversation, in the worker, whatever carries the media. */
export interface WorkerLeg {
  readonly conversation: LegConversation;
  /** Null until it has media. */
  readonly media: BridgeEnd | null;
  /** Once its media can be heard. */
  startConversation(message: StartConversation): void;
  /** A digit that came by signaling. */
  injectDigit(digit: string): void;
  /** Of the media so far. */
  report(): LegReport;
  /** Stops both. No end is posted afterwards. */
  close(reason: EndReason): LegReport;
}
