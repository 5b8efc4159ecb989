import type { IdleSettings } from '../model/agent.ts';
import type { CallNote } from '../model/call-note.ts';

export type IdlePrompt = Extract<CallNote, { readonly type: 'idle-prompt' }>;

/**
 * What to do while the caller says nothing: which prompt is next, and whether the silence
 * counts at all. Owns no timer.
 */
export class IdlePrompts {
  readonly #settings: IdleSettings;
  #given = 0;
  #isOnHold = false;

  constructor(settings: IdleSettings) {
    this.#settings = settings;
  }

  /** How long the caller may be silent before the next prompt; null: as long as he likes. */
  get patienceMs(): number | null {
    const { afterMs } = this.#settings;
    return afterMs > 0 && !this.#isOnHold ? afterMs : null;
  }

  /** The next prompt, or null when all were given: then the call is over. */
  next(): IdlePrompt | null {
    const text = this.#settings.prompts[this.#given];
    this.#given += 1;
    return text === undefined ? null : { type: 'idle-prompt', number: this.#given, text };
  }

  /** The caller is there: all prompts may be given again. */
  startOver(): void {
    this.#given = 0;
  }

  /** A silence on hold is nobody's fault. True when this changed something. */
  setOnHold(isOnHold: boolean): boolean {
    const isNews = this.#isOnHold !== isOnHold;
    this.#isOnHold = isOnHold;
    return isNews;
  }
}
