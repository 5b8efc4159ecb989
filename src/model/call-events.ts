import type { EndReason } from './end-reason.ts';

/**
 * What a browser hears of its own call, as JSON text on the WebRTC data channel named `events`.
 * A page opens that channel in its offer, so it needs no further authority. Unknown types are
 * to be ignored by either side. Names are those of the HTTP API's transcript stream.
 */
export type CallEvent =
  | { readonly type: 'activity'; readonly activity: 'listening' | 'thinking' | 'speaking' }
  | {
      readonly type: 'caption';
      /** The same for all versions of one utterance; a later one replaces an earlier one. */
      readonly turn_id: string;
      readonly role: 'user' | 'agent';
      readonly text: string;
      readonly is_final: boolean;
    }
  /** The last one: the media ends right after it. */
  | { readonly type: 'ended'; readonly reason: EndReason };

/** What a page may ask on the same channel. */
export type CallCommand = { readonly type: 'hang-up' };
