import type { ToolUse } from '../model/call-note.ts';

/** Characters of JSON; longer arguments are left out, since half of them would mislead. */
export const TOLD_ARGUMENTS_MAX = 8192;

/** What is told of a tool that was used. */
export function toolUseOf(name: string, given: unknown): ToolUse {
  if (typeof given !== 'object' || given === null || Array.isArray(given)) {
    return { name, arguments: {}, areArgumentsLeftOut: false };
  }
  if (JSON.stringify(given).length > TOLD_ARGUMENTS_MAX) {
    return { name, arguments: {}, areArgumentsLeftOut: true };
  }
  return { name, arguments: Object.fromEntries(Object.entries(given)), areArgumentsLeftOut: false };
}
