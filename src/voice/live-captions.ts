import type { CallEvent } from '../model/call-events.ts';
import type { EndReason } from '../model/end-reason.ts';
import type { TranscriptTurn } from '../model/turn.ts';

type Role = TranscriptTurn['role'];
type Activity = Extract<CallEvent, { type: 'activity' }>['activity'];

/** Kept while the channel is not open, or full; the oldest go first. */
const WAITING_MAX = 64;

/** Tells a browser what its own call is doing, in order, over a channel that comes and goes. */
export class LiveCaptions {
  /** False: nothing was sent, it is to be kept. */
  readonly #send: (text: string) => boolean;
  readonly #waiting: CallEvent[] = [];
  /** The utterance that each side is in the middle of. */
  readonly #open = new Map<Role, string>();
  #utterances = 0;

  constructor(send: (text: string) => boolean) {
    this.#send = send;
  }

  onActivity(activity: Activity): void {
    this.#tell({ type: 'activity', activity });
  }

  onCaption(role: Role, text: string): void {
    if (text !== '') this.#caption(role, text, false);
  }

  onTurn({ role, text, via }: TranscriptTurn): void {
    // What was being said aloud is no part of what the keypad said.
    if (via === 'digits') this.#open.delete(role);
    this.#caption(role, text, true);
    this.#open.delete(role);
  }

  onEnded(reason: EndReason): void {
    this.#tell({ type: 'ended', reason });
  }

  /** The channel is open, perhaps again: sends what waits. */
  flush(): void {
    for (let [event] = this.#waiting; event !== undefined; [event] = this.#waiting) {
      if (!this.#send(JSON.stringify(event))) return;
      this.#waiting.shift();
    }
  }

  #caption(role: Role, text: string, isFinal: boolean): void {
    const turnId = this.#open.get(role) ?? this.#begin(role);
    this.#tell({ type: 'caption', turn_id: turnId, role, text, is_final: isFinal });
  }

  #begin(role: Role): string {
    this.#utterances += 1;
    const id = `${role}-${this.#utterances}`;
    this.#open.set(role, id);
    return id;
  }

  #tell(event: CallEvent): void {
    if (this.#waiting.length >= WAITING_MAX) this.#waiting.shift();
    this.#waiting.push(event);
    this.flush();
  }
}
