import type { Phrasebook, PhrasebookEntry } from '../../model/agent.ts';
import { DialogueError } from '../dialogue-error.ts';
import { BUILT_IN_ENTRIES, DEFAULT_FALLBACKS } from './builtins.ts';
import { parsePattern, type Variant } from './pattern.ts';
import { isContentWord, stem } from './words.ts';

/** Bounds of one phrasebook. */
export const ENTRIES_MAX = 200;
export const BOOK_VARIANTS_MAX = 20_000;
const COMPILED_MAX = 32;

/** A variant with what recognition by its important words needs. */
export interface CompiledVariant {
  readonly parts: Variant;
  /** Stems of its content words, each once; empty when slots or stop words are all it has. */
  readonly stems: readonly string[];
  readonly hasSlot: boolean;
}

export interface CompiledEntry {
  readonly entry: PhrasebookEntry;
  readonly isBuiltIn: boolean;
  readonly variants: readonly CompiledVariant[];
}

/** A phrasebook ready to match: its own entries first, then the built-in ones it left. */
export interface CompiledBook {
  readonly entries: readonly CompiledEntry[];
  readonly byId: ReadonlyMap<string, CompiledEntry>;
  readonly fallbacks: readonly string[];
  readonly opening: PhrasebookEntry | null;
  /** How much a stem tells: rare ones more. */
  readonly weights: ReadonlyMap<string, number>;
  readonly topics: readonly string[];
}

const compiled = new Map<string, CompiledBook>();

/** Compiles a book, or finds it among the last ones. Throws `PHRASEBOOK_INVALID`. */
export function compilePhrasebook(book: Phrasebook): CompiledBook {
  const key = JSON.stringify(book);
  const known = compiled.get(key);
  if (known !== undefined) return known;
  const fresh = compile(book);
  if (compiled.size >= COMPILED_MAX) {
    const [oldest] = compiled.keys();
    if (oldest !== undefined) compiled.delete(oldest);
  }
  compiled.set(key, fresh);
  return fresh;
}

function compile(book: Phrasebook): CompiledBook {
  const ownIds = new Set(book.entries.map(({ id }) => id));
  const entries = [
    ...book.entries.map((entry) => compileEntry(entry, false)),
    ...BUILT_IN_ENTRIES.filter(({ id }) => !ownIds.has(id)).map((entry) =>
      compileEntry(entry, true),
    ),
  ];
  const byId = new Map(entries.map((entry) => [entry.entry.id, entry]));
  check(book, entries, byId);
  return {
    entries,
    byId,
    fallbacks: book.fallbacks.length > 0 ? book.fallbacks : DEFAULT_FALLBACKS,
    opening: book.opening === undefined ? null : (byId.get(book.opening)?.entry ?? null),
    weights: weighStems(entries),
    topics: book.entries.flatMap(({ topic }) => (topic === undefined ? [] : [topic])),
  };
}

function compileEntry(entry: PhrasebookEntry, isBuiltIn: boolean): CompiledEntry {
  const variants = entry.says.flatMap(parsePattern).map((parts) => ({
    parts,
    stems: stemsOf(parts),
    hasSlot: parts.some((part) => part.type !== 'word'),
  }));
  return { entry, isBuiltIn, variants };
}

function stemsOf(parts: Variant): string[] {
  const words = parts.flatMap((part) => (part.type === 'word' ? [part.word] : []));
  return [...new Set(words.filter(isContentWord).map(stem))];
}

/** Inverse entry frequency, from 1 for a word of every entry up. */
function weighStems(entries: readonly CompiledEntry[]): ReadonlyMap<string, number> {
  const counts = new Map<string, number>();
  for (const { variants } of entries) {
    for (const word of new Set(variants.flatMap(({ stems }) => stems))) {
      counts.set(word, (counts.get(word) ?? 0) + 1);
    }
  }
  return new Map(
    [...counts].map(([word, count]) => [word, 1 + Math.log(entries.length / count) / 2]),
  );
}

function check(
  book: Phrasebook,
  entries: readonly CompiledEntry[],
  byId: ReadonlyMap<string, CompiledEntry>,
): void {
  if (book.entries.length > ENTRIES_MAX) throw invalid(`has more than ${ENTRIES_MAX} entries`);
  if (byId.size !== entries.length) throw invalid('has two entries with the same id');
  const count = entries.reduce((sum, { variants }) => sum + variants.length, 0);
  if (count > BOOK_VARIANTS_MAX) throw invalid(`has more than ${BOOK_VARIANTS_MAX} readings`);
  for (const { entry } of entries) {
    if (entry.replies.length === 0) throw invalid(`has no reply in "${entry.id}"`);
    if (entry.transfer?.replies.length === 0 || entry.transfer?.failed.length === 0) {
      throw invalid(`has a transfer without a reply in "${entry.id}"`);
    }
    for (const id of entry.next ?? []) {
      if (!byId.has(id)) throw invalid(`leads from "${entry.id}" to "${id}", which is not there`);
    }
  }
  if (book.opening !== undefined && !byId.has(book.opening)) {
    throw invalid(`opens with "${book.opening}", which is not there`);
  }
}

function invalid(why: string): DialogueError {
  return new DialogueError('PHRASEBOOK_INVALID', `the phrasebook ${why}`);
}
