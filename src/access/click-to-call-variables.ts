import { isVariableName, missingVariables } from '../dialogue/render-template.ts';
import { isReservedVariable, RESERVED_VARIABLES, VARIABLES_MAX } from '../dialogue/variables.ts';
import type { AgentSnapshot } from '../model/agent.ts';

/** What a request's variables came to. */
export interface GivenVariables {
  readonly variables: Readonly<Record<string, string>>;
  /** Names that the gateway keeps to itself: ignored, unless the agent is strict. */
  readonly reserved: readonly string[];
  /** Names that cannot be used, or whose values cannot. */
  readonly invalid: readonly string[];
}

const VALUE_LENGTH_MAX = 4096;
const DEPTH_MAX = 5;
/** A name in an answer is cut after so many letters. */
const SHOWN_LENGTH_MAX = 80;

/**
 * Texts, numbers and booleans by name; what lies inside objects by a dotted name. Null is as good
 * as not given. Null instead of an answer: that is no map of variables at all.
 */
export function readVariables(given: unknown): GivenVariables | null {
  if (given === undefined || given === null) return { variables: {}, reserved: [], invalid: [] };
  if (!isMap(given)) return null;
  const found = new Map<string, string>();
  const [reserved, invalid] = [new Set<string>(), new Set<string>()];
  const take = (name: string, value: unknown, depth: number): void => {
    if (value === null || value === undefined) return;
    if (isMap(value) && depth < DEPTH_MAX) {
      for (const [inner, one] of entriesOf(value)) take(`${name}.${inner}`, one, depth + 1);
      return;
    }
    const text = textOf(value);
    if (!isVariableName(name) || text === null || found.size >= VARIABLES_MAX) {
      if (invalid.size < VARIABLES_MAX) invalid.add(name.slice(0, SHOWN_LENGTH_MAX));
    } else if (isReservedVariable(name)) reserved.add(name);
    else found.set(name, text);
  };
  for (const [name, value] of entriesOf(given)) take(name, value, 1);
  return { variables: Object.fromEntries(found), reserved: [...reserved], invalid: [...invalid] };
}

type Script = Pick<AgentSnapshot, 'systemPrompt' | 'greetingText' | 'phrasebook' | 'idle'> & {
  readonly preCallAnnouncement?: string;
};

const KNOWN: Readonly<Record<string, string>> = Object.fromEntries(
  RESERVED_VARIABLES.map((name) => [name, '']),
);

/**
 * Names that the agent's script needs and nobody gave. A line of a phrasebook counts only when
 * there is no other way to say it; what the caller will say himself is not missing.
 */
export function missingInScript(
  agent: Script,
  given: Readonly<Record<string, string>>,
): readonly string[] {
  const known = { ...given, ...KNOWN };
  const texts = [agent.systemPrompt, agent.preCallAnnouncement ?? '', agent.greetingText];
  const missing = new Set(
    [...texts, ...agent.idle.prompts].flatMap((text) => missingVariables(text, known)),
  );
  for (const name of missingInPhrasebook(agent.phrasebook, known)) missing.add(name);
  return [...missing];
}

function missingInPhrasebook(
  phrasebook: Script['phrasebook'],
  known: Readonly<Record<string, string>>,
): readonly string[] {
  if (phrasebook === null) return [];
  const slots = phrasebook.entries
    .flatMap(({ says }) => says)
    .flatMap((pattern) => [...pattern.matchAll(/\{\s*([^{}:]+?)\s*:/g)])
    .map(([, name = '']) => [name, '']);
  const sayable = { ...known, ...Object.fromEntries(slots) };
  const ways = [...phrasebook.entries.map(({ replies }) => replies), phrasebook.fallbacks];
  return ways.flatMap((replies) => {
    const missing = replies.map((reply) => missingVariables(reply, sayable));
    return missing.some((names) => names.length === 0) ? [] : missing.flat();
  });
}

function isMap(value: unknown): value is Readonly<Record<string, unknown>> {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

/** Names without the spaces around them. */
function entriesOf(
  map: Readonly<Record<string, unknown>>,
): readonly (readonly [string, unknown])[] {
  return Object.entries(map).map(([name, value]) => [name.trim(), value]);
}

function textOf(value: unknown): string | null {
  const text = typeof value === 'number' || typeof value === 'boolean' ? String(value) : value;
  return typeof text === 'string' && text.length <= VALUE_LENGTH_MAX ? text : null;
}
