import { DialogueError } from './dialogue-error.ts';

/** Longest template and longest result, in UTF-16 units. */
export const TEMPLATE_LENGTH_MAX = 65_536;
export const RENDERED_LENGTH_MAX = 131_072;
/** A longer value is cut. */
export const VARIABLE_LENGTH_MAX = 4_096;
export const VARIABLE_NAME_LENGTH_MAX = 64;

/** Letters, digits, `_ - .` and inner spaces; blanks around are trimmed by the reader. */
const NAME = /^[\p{L}\p{N}_.-](?:[\p{L}\p{N}_. -]*[\p{L}\p{N}_.-])?$/u;
/** No brace inside, so a scan is linear and an unclosed `{{` stays as it is. */
const REFERENCE = /\{\{([^{}]*)\}\}/g;

interface Reference {
  readonly name: string;
  readonly defaultValue: string | null;
}

/** Whether `{{name}}` can refer to it. */
export function isVariableName(name: string): boolean {
  return name.length <= VARIABLE_NAME_LENGTH_MAX && NAME.test(name);
}

function parseReference(inside: string): Reference | null {
  const bar = inside.indexOf('|');
  const name = (bar === -1 ? inside : inside.slice(0, bar)).trim();
  if (!isVariableName(name)) return null;
  return { name, defaultValue: bar === -1 ? null : inside.slice(bar + 1).trim() };
}

function valueOf(variables: Readonly<Record<string, string>>, name: string): string | undefined {
  return Object.hasOwn(variables, name) ? variables[name] : undefined;
}

function tooLong(length: number, max: number): DialogueError {
  const message = `a template may have ${max} characters`;
  return new DialogueError('TEMPLATE_TOO_LONG', message, { facts: { length, max } });
}

/**
 * Puts variables into `{{name}}` and `{{name|default}}`. Values are data: braces in them are
 * not read again. A name without value or default becomes nothing; what is no reference stays.
 * Throws `TEMPLATE_TOO_LONG`.
 */
export function renderTemplate(text: string, variables: Readonly<Record<string, string>>): string {
  if (text.length > TEMPLATE_LENGTH_MAX) throw tooLong(text.length, TEMPLATE_LENGTH_MAX);
  let length = text.length;
  return text.replace(REFERENCE, (whole, inside: string) => {
    const reference = parseReference(inside);
    if (reference === null) return whole;
    const value = valueOf(variables, reference.name) ?? reference.defaultValue ?? '';
    const cut = value.slice(0, VARIABLE_LENGTH_MAX);
    length += cut.length - whole.length;
    if (length > RENDERED_LENGTH_MAX) throw tooLong(length, RENDERED_LENGTH_MAX);
    return cut;
  });
}

/** The names a template refers to, each once, in the order of first use. */
export function templateVariables(text: string): string[] {
  const names = new Set<string>();
  for (const [, inside = ''] of text.matchAll(REFERENCE)) {
    const reference = parseReference(inside);
    if (reference !== null) names.add(reference.name);
  }
  return [...names];
}

/** The names that have neither a value nor a default. An empty string is a value. */
export function missingVariables(
  text: string,
  variables: Readonly<Record<string, string>>,
): string[] {
  const missing = new Set<string>();
  for (const [, inside = ''] of text.matchAll(REFERENCE)) {
    const reference = parseReference(inside);
    if (reference === null || reference.defaultValue !== null) continue;
    if (valueOf(variables, reference.name) === undefined) missing.add(reference.name);
  }
  return [...missing];
}
