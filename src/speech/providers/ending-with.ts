/** The same pieces, but it ends at once when `signal` aborts, even while a piece is awaited. */
export async function* endingWith<Piece>(
  pieces: AsyncIterable<Piece>,
  signal: AbortSignal,
): AsyncGenerator<Piece> {
  const iterator = pieces[Symbol.asyncIterator]();
  let stop: () => void = () => undefined;
  const stopped = new Promise<null>((resolve) => {
    stop = () => resolve(null);
  });
  signal.addEventListener('abort', stop, { once: true });
  if (signal.aborted) stop();
  try {
    for (;;) {
      const step = await Promise.race([iterator.next(), stopped]);
      if (step === null || step.done === true) return;
      yield step.value;
    }
  } finally {
    signal.removeEventListener('abort', stop);
    // Not awaited: a generator that hangs in its own await would hang us too.
    void iterator.return?.().catch(() => undefined);
  }
}
