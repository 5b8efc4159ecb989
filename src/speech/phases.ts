import type { EndReason } from '../model/end-reason.ts';

/** Why a conversation ends, decided before it does. */
export interface Ending {
  readonly reason: EndReason;
  readonly detail: string | null;
}

export const OUT_OF_TIME: Ending = { reason: 'time-limit', detail: null };

/** Something to be said that is not a reply. The text is made when its moment has come. */
export interface Saying {
  readonly text: () => string;
  /** Will be said again in other calls: its audio is kept. */
  readonly isFixed: boolean;
}
