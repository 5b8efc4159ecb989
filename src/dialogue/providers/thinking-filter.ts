const OPEN = '<think>';
const CLOSE = '</think>';

/**
 * Takes the thoughts out of a reply that begins with `<think>…</think>`, as reasoning models
 * on small servers do. Only at the very beginning: later the words are the model's to say.
 */
export class ThinkingFilter {
  #state: 'beginning' | 'thinking' | 'waking' | 'speaking' = 'beginning';
  #held = '';

  /** What of the text so far may be spoken now. */
  push(piece: string): string {
    if (this.#state === 'speaking') return piece;
    if (this.#state === 'waking') return this.#wake(piece);
    this.#held += piece;
    if (this.#state === 'beginning') {
      const start = this.#held.trimStart();
      if (OPEN.startsWith(start) && start.length < OPEN.length) return '';
      if (!start.startsWith(OPEN)) return this.#speak(this.#held);
      this.#state = 'thinking';
      this.#held = start.slice(OPEN.length);
    }
    const close = this.#held.indexOf(CLOSE);
    if (close === -1) {
      // Only what might be the beginning of the closing mark is worth keeping.
      this.#held = this.#held.slice(-(CLOSE.length - 1));
      return '';
    }
    return this.#wake(this.#held.slice(close + CLOSE.length));
  }

  /** What was held back and turned out to be speech. */
  end(): string {
    const rest = this.#state === 'beginning' ? this.#held : '';
    this.#held = '';
    return rest;
  }

  /** The blank lines after the thoughts are not speech. */
  #wake(text: string): string {
    this.#state = 'waking';
    this.#held = '';
    const speech = text.trimStart();
    return speech === '' ? '' : this.#speak(speech);
  }

  #speak(text: string): string {
    this.#state = 'speaking';
    this.#held = '';
    return text;
  }
}
