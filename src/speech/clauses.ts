/** A first clause is cut off at a comma once it has this many words. */
const FIRST_CLAUSE_WORDS_MIN = 3;
/** Without any punctuation a first clause is cut after this many words. */
const FIRST_CLAUSE_WORDS_MAX = 12;
/** Longer sentences are cut at a space. */
const CLAUSE_CHARS_MAX = 280;
const ABBREVIATION = /(?:^|\s)(?:mr|mrs|ms|dr|st|prof|no|vs|etc|e\.g|i\.e|a\.m|p\.m|[a-z])\.$/i;

/**
 * Cuts text that comes in pieces of any size into what is spoken in one go: a first clause as
 * early as it can stand alone, so that speaking begins soon, then whole sentences. What comes
 * out is trimmed and not empty; joined by spaces it is the text.
 */
export async function* clauses(text: AsyncIterable<string>): AsyncGenerator<string> {
  let rest = '';
  let isFirst = true;
  for await (const piece of text) {
    rest += piece;
    for (let end = clauseEnd(rest, isFirst); end > 0; end = clauseEnd(rest, isFirst)) {
      const clause = rest.slice(0, end).trim();
      rest = rest.slice(end);
      if (clause === '') continue;
      yield clause;
      isFirst = false;
    }
  }
  // The last sentence has no space after it; what is left may still hold several.
  for (const clause of splitClauses(rest, isFirst)) yield clause;
}

/** The same for text that is there already. */
export function splitClauses(text: string, isFirst = true): string[] {
  const found: string[] = [];
  let rest = `${text.trim()} `;
  let first = isFirst;
  for (let end = clauseEnd(rest, first); end > 0; end = clauseEnd(rest, first)) {
    const clause = rest.slice(0, end).trim();
    rest = rest.slice(end);
    if (clause !== '') found.push(clause);
    first = false;
  }
  if (rest.trim() !== '') found.push(rest.trim());
  return found;
}

/** Length of the first clause, 0 while it has not ended. */
function clauseEnd(text: string, isFirst: boolean): number {
  for (const match of text.matchAll(/[.!?…]+["')\]]*(?=\s)|\n/g)) {
    const end = match.index + match[0].length;
    if (end > CLAUSE_CHARS_MAX) break;
    if (!ABBREVIATION.test(text.slice(0, end))) return commaEnd(text.slice(0, end), isFirst) || end;
  }
  const comma = commaEnd(text, isFirst);
  if (comma > 0) return comma;
  if (isFirst && wordCount(text) > FIRST_CLAUSE_WORDS_MAX) return text.trimEnd().lastIndexOf(' ');
  if (text.length <= CLAUSE_CHARS_MAX) return 0;
  const space = text.lastIndexOf(' ', CLAUSE_CHARS_MAX);
  return space > 0 ? space : CLAUSE_CHARS_MAX;
}

function commaEnd(text: string, isFirst: boolean): number {
  if (!isFirst) return 0;
  for (const match of text.matchAll(/[,;:–—](?=\s)/g)) {
    const end = match.index + match[0].length;
    if (wordCount(text.slice(0, end)) >= FIRST_CLAUSE_WORDS_MIN) return end;
  }
  return 0;
}

function wordCount(text: string): number {
  return text.split(/\s+/).filter(Boolean).length;
}
