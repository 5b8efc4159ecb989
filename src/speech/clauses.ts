import { ClauseSplitter } from '../dialogue/clauses.ts';

/** What is spoken in one go, from text that comes in pieces of any size. */
export async function* clauses(text: AsyncIterable<string>): AsyncGenerator<string> {
  const splitter = new ClauseSplitter();
  for await (const piece of text) yield* splitter.push(piece);
  yield* splitter.end();
}

/** The same for text that is there already. */
export function splitClauses(text: string): string[] {
  const splitter = new ClauseSplitter();
  return [...splitter.push(text), ...splitter.end()];
}
