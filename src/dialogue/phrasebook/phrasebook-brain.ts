import type {
  AgentSnapshot,
  AnswerKind,
  PhrasebookEntry,
  PhrasebookTransfer,
  TransferTarget,
} from '../../model/agent.ts';
import { keypadDigits, type Message } from '../message.ts';
import { missingVariables, renderTemplate, templateVariables } from '../render-template.ts';
import type { Brain, ReplyOptions, ReplyPart } from '../reply.ts';
import { TRANSFER_CALL, transferTargetOf } from '../tools.ts';
import { timeVariables } from '../variables.ts';
import { compilePhrasebook, type CompiledBook, type CompiledEntry } from './compile.ts';
import { isWholeKeypadEntry, matchKeypad, matchText, type Match } from './match.ts';

/** Topics named in one sentence; the next sentence names others. */
const TOPICS_IN_TURN = 3;

const EMPTY_BOOK = { entries: [], fallbacks: [] } as const;

/**
 * Where a conversation with a phrasebook stands. It is read from the history anew for each
 * reply, so nothing must be undone when a reply is thrown away.
 */
interface Standing {
  /** Entry whose reply the caller answers; null: nothing was asked. */
  readonly asked: PhrasebookEntry | null;
  /** Unrendered text of the last reply, for `repeat`. */
  readonly lastReply: string;
  readonly slots: Readonly<Record<string, string>>;
  /** Replies given so far, by entry id. */
  readonly uses: ReadonlyMap<string, number>;
  readonly topicsUsed: number;
}

/** What to say to one utterance, and where that leads. */
interface Step {
  readonly entry: PhrasebookEntry | null;
  readonly template: string;
  readonly after: Standing;
}

const FALLBACK = 'fallback';

/** The embedded brain: answers at once, connects to nothing, is the same for the same history. */
export function createPhrasebookBrain(
  agent: AgentSnapshot,
  variables: Readonly<Record<string, string>>,
  now: () => number,
): Brain {
  const book = compilePhrasebook(agent.phrasebook ?? EMPTY_BOOK);
  const fixed = { agent_name: agent.displayName, ...variables };
  const opening: Standing = {
    asked: book.opening,
    lastReply: agent.greetingText,
    slots: {},
    uses: new Map(),
    topicsUsed: 0,
  };
  const standingBefore = (history: readonly Message[]): Standing =>
    replay(book, history, opening, fixed);

  return {
    name: 'phrasebook',

    async *reply(history: readonly Message[], { signal, onStage }: ReplyOptions) {
      const { earlier, utterance } = splitHistory(history);
      if (signal.aborted) return;
      if (utterance === null) {
        const text = afterTransfer(history, standingBefore(history), fixed);
        if (text !== '') yield { type: 'text', text } satisfies ReplyPart;
        return;
      }
      onStage?.('requested');
      const step = answer(book, utterance, standingBefore(earlier), fixed);
      const known = { ...fixed, ...timeVariables(fixed, now()), ...step.after.slots };
      const topics = topicsText(book, step.after.topicsUsed);
      const through = transferOf(agent, step);
      const said = through === null ? step.template : through.template;
      const text = renderTemplate(said, { ...known, topics, ...through?.variables }).trim();
      onStage?.('first-token');
      if (text !== '') yield { type: 'text', text } satisfies ReplyPart;
      if (through !== null && !signal.aborted) {
        const id = `${TRANSFER_CALL}_${history.length}`;
        const to = through.variables.transfer_name;
        yield { type: 'tool-call', id, name: TRANSFER_CALL, arguments: { to } } satisfies ReplyPart;
        return;
      }
      if (step.entry?.after !== 'hang-up' || signal.aborted) return;
      const id = `end_${history.length}`;
      yield {
        type: 'tool-call',
        id,
        name: 'end_call',
        arguments: { reason: step.entry.id },
      } satisfies ReplyPart;
    },

    expects(history: readonly Message[]): AnswerKind {
      return standingBefore(history).asked?.expects ?? 'open';
    },

    isComplete(history: readonly Message[], text: string): boolean {
      const standing = standingBefore(history);
      const digits = keypadDigits(text);
      if (digits !== null) {
        return isWholeKeypadEntry(book, digits, expectedEntries(book, standing));
      }
      return find(book, text, standing)?.kind === 'whole';
    },
  };
}

/** How an entry puts the caller through; null: it does not, or there is nobody to put them to. */
function transferOf(agent: AgentSnapshot, { entry, after }: Step) {
  if (entry?.transfer === undefined) return null;
  const target = targetOf(agent, entry.transfer);
  if (target === null) return null;
  const used = (after.uses.get(entry.id) ?? 1) - 1;
  const { replies } = entry.transfer;
  const template = replies[used % replies.length] ?? '';
  return { template, variables: { transfer_name: target.name } };
}

function targetOf(agent: AgentSnapshot, { to }: PhrasebookTransfer): TransferTarget | null {
  return to === undefined ? (agent.transferTargets?.[0] ?? null) : transferTargetOf(agent, to);
}

/** What is said once a transfer has failed; empty: nothing of the kind has happened. */
function afterTransfer(
  history: readonly Message[],
  { asked, uses }: Standing,
  variables: Readonly<Record<string, string>>,
): string {
  const last = history.at(-1);
  const isOfTransfer = last?.role === 'tool' && last.toolCallId?.startsWith(TRANSFER_CALL) === true;
  const failed = asked?.transfer?.failed ?? [];
  if (!isOfTransfer || asked === null || failed.length === 0) return '';
  const used = (uses.get(asked.id) ?? 1) - 1;
  return renderTemplate(failed[used % failed.length] ?? '', variables).trim();
}

/** The user messages since the agent last spoke are what is to be answered. */
function splitHistory(history: readonly Message[]): {
  earlier: readonly Message[];
  utterance: readonly string[] | null;
} {
  const said: string[] = [];
  let at = history.length;
  for (let message = history[at - 1]; message?.role === 'user'; message = history[at - 1]) {
    said.unshift(message.content);
    at -= 1;
  }
  return { earlier: history.slice(0, at), utterance: said.length === 0 ? null : said };
}

/** Goes through the exchanges again. An answer of which nothing was heard asked nothing. */
function replay(
  book: CompiledBook,
  history: readonly Message[],
  opening: Standing,
  variables: Readonly<Record<string, string>>,
): Standing {
  let standing = opening;
  let said: string[] = [];
  for (const message of history) {
    if (message.role === 'user') {
      said.push(message.content);
    } else if (message.role === 'assistant' && said.length > 0) {
      standing = answer(book, said, standing, variables).after;
      said = [];
    }
  }
  return standing;
}

function expectedEntries(book: CompiledBook, standing: Standing): CompiledEntry[] {
  return (standing.asked?.next ?? []).flatMap((id) => book.byId.get(id) ?? []);
}

function find(book: CompiledBook, text: string, standing: Standing): Match | null {
  const expected = expectedEntries(book, standing);
  const digits = keypadDigits(text);
  return digits === null ? matchText(book, text, expected) : matchKeypad(book, digits, expected);
}

/** What came last counts; if it says nothing alone, all that was said since is read as one. */
function findUtterance(
  book: CompiledBook,
  said: readonly string[],
  standing: Standing,
): Match | null {
  const last = find(book, said.at(-1) ?? '', standing);
  if (last !== null || said.length === 1) return last;
  return find(book, said.join(' '), standing);
}

function answer(
  book: CompiledBook,
  said: readonly string[],
  standing: Standing,
  variables: Readonly<Record<string, string>>,
): Step {
  const match = findUtterance(book, said, standing);
  if (match === null) return fallBack(book, standing);
  const { entry } = match.entry;
  const slots = { ...standing.slots, ...match.slots };
  if (entry.after === 'repeat') return repeat(entry, { ...standing, slots });
  const used = standing.uses.get(entry.id) ?? 0;
  const template = chooseReply(entry, used, variables, slots);
  const after: Standing = {
    asked: entry.isAside === true ? standing.asked : entry,
    lastReply: template,
    slots,
    uses: new Map(standing.uses).set(entry.id, used + 1),
    topicsUsed: standing.topicsUsed + (template.includes('{{topics}}') ? 1 : 0),
  };
  return { entry, template, after };
}

/** Says the last reply again; what it asked stays asked. */
function repeat(entry: PhrasebookEntry, standing: Standing): Step {
  const lead = entry.replies[0] ?? '';
  return {
    entry,
    template: `${lead} ${standing.lastReply}`.trim() || 'I have not said anything yet.',
    after: standing,
  };
}

/** Nothing was understood: what was asked before stays asked. */
function fallBack(book: CompiledBook, standing: Standing): Step {
  const used = standing.uses.get(FALLBACK) ?? 0;
  const template = book.fallbacks[used % book.fallbacks.length] ?? '';
  const after: Standing = {
    ...standing,
    uses: new Map(standing.uses).set(FALLBACK, used + 1),
    topicsUsed: standing.topicsUsed + 1,
  };
  return { entry: null, template, after };
}

/**
 * The next reply in turn among those whose variables are all known. Of these the ones that
 * use most of what the caller said are preferred: `a large one` gives way to `a large ham`.
 */
function chooseReply(
  entry: PhrasebookEntry,
  used: number,
  variables: Readonly<Record<string, string>>,
  slots: Readonly<Record<string, string>>,
): string {
  const known = { ...variables, ...slots, ...ALWAYS_KNOWN };
  const speakable = entry.replies.filter((reply) => missingVariables(reply, known).length === 0);
  const candidates = speakable.length > 0 ? speakable : entry.replies;
  const slotCount = (reply: string): number =>
    templateVariables(reply).filter((name) => Object.hasOwn(slots, name)).length;
  const most = Math.max(...candidates.map(slotCount));
  const best = candidates.filter((reply) => slotCount(reply) === most);
  return best[used % best.length] ?? '';
}

/** Set for every reply, so not among a call's own variables. */
const ALWAYS_KNOWN: Readonly<Record<string, string>> = { topics: '', ...timeVariables({}, 0) };

/** `opening hours, directions or parking`; each time other topics. */
function topicsText(book: CompiledBook, turn: number): string {
  const all = book.topics;
  if (all.length === 0) return 'a few simple things';
  const count = Math.min(TOPICS_IN_TURN, all.length);
  const start = (Math.max(0, turn - 1) * count) % all.length;
  const chosen = Array.from({ length: count }, (_, index) => all[(start + index) % all.length]);
  if (chosen.length === 1) return chosen[0] ?? '';
  return `${chosen.slice(0, -1).join(', ')} or ${chosen.at(-1)}`;
}
