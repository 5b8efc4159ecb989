import type { TurnId } from '../model/ids.ts';
import type { Caption, TranscriptTurn } from '../model/turn.ts';

type Role = Caption['role'];

/**
 * Names turns before they are over, so that what is shown of one while it is being said can be
 * told from the next. Remembers the last words of each side for whoever begins to watch.
 */
export class TurnCaptions {
  readonly #newId: () => TurnId;
  readonly #open = new Map<Role, Caption>();

  constructor(newId: () => TurnId) {
    this.#newId = newId;
  }

  /** What is being said now. */
  get open(): readonly Caption[] {
    return [...this.#open.values()].filter(({ text }) => text !== '');
  }

  /** One side's words so far. */
  said(role: Role, text: string): Caption {
    const turnId = this.#open.get(role)?.turnId ?? this.#newId();
    const caption = { turnId, role, text };
    this.#open.set(role, caption);
    return caption;
  }

  /** The turn is over: its name. What was being said aloud is no part of what the keypad said. */
  finished({ role, via }: Pick<TranscriptTurn, 'role' | 'via'>): TurnId {
    const open = this.#open.get(role);
    this.#open.delete(role);
    return open === undefined || via === 'digits' ? this.#newId() : open.turnId;
  }
}
