interface Span {
  readonly text: string;
  durationMs: number;
}

/**
 * What of a reply was heard, by how much of its audio was played. Within a clause the words
 * are taken to last as long as they are written: off by a word at most.
 */
export class HeardText {
  readonly #spans: Span[] = [];
  #taken = 0;

  /** Begins the next clause. */
  begin(text: string): void {
    this.#spans.push({ text, durationMs: 0 });
  }

  /** Audio of the last clause begun. */
  add(durationMs: number): void {
    const last = this.#spans.at(-1);
    if (last !== undefined) last.durationMs += durationMs;
  }

  /** All audio so far. */
  get durationMs(): number {
    return this.#spans.reduce((sum, span) => sum + span.durationMs, 0);
  }

  /** The text heard in the first `playedMs` of the reply. */
  heard(playedMs: number): string {
    return this.#join(0, playedMs);
  }

  /** The clause that was playing at `playedMs`, or would have come next; null: all was heard. */
  clauseAt(playedMs: number): string | null {
    let leftMs = playedMs;
    for (const { text, durationMs } of this.#spans) {
      if (leftMs < durationMs) return text;
      leftMs -= durationMs;
    }
    return null;
  }

  /** As `heard`, without the clauses that `take` has covered. */
  heardSinceTaken(playedMs: number): string {
    const before = this.#spans.slice(0, this.#taken);
    return this.#join(
      this.#taken,
      playedMs - before.reduce((sum, span) => sum + span.durationMs, 0),
    );
  }

  /** What was begun so far stands in the history already. */
  take(): void {
    this.#taken = this.#spans.length;
  }

  #join(from: number, playedMs: number): string {
    const heard: string[] = [];
    let leftMs = playedMs;
    for (const { text, durationMs } of this.#spans.slice(from)) {
      if (leftMs <= 0) break;
      heard.push(leftMs >= durationMs ? text : firstWords(text, leftMs / durationMs));
      leftMs -= durationMs;
    }
    return heard.filter(Boolean).join(' ');
  }
}

/** The words whose greater part lies within the given share of the text. */
function firstWords(text: string, share: number): string {
  const limit = share * text.length;
  let heard = '';
  for (const match of text.matchAll(/\S+/g)) {
    if (match.index + match[0].length / 2 > limit) break;
    heard = text.slice(0, match.index + match[0].length);
  }
  return heard;
}
