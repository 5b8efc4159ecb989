import { type Command, InvalidArgumentError } from 'commander';
import { ApiClient, type ConnectionOptions, findConnection } from './api-client.ts';
import { Output } from './output.ts';

/** What the process gives to a command. */
export interface CliContext {
  readonly env: Readonly<Record<string, string | undefined>>;
  readonly write: (text: string) => void;
  /** Ctrl-C. */
  readonly signal: AbortSignal;
}

/** What every command works with. */
export interface Work {
  readonly api: ApiClient;
  readonly out: Output;
  readonly signal: AbortSignal;
}

interface GlobalOptions extends ConnectionOptions {
  readonly json?: boolean;
}

/** Joins a command's options to the daemon that they name. */
export function workOf(command: Command, { env, write, signal }: CliContext): Work {
  const { json = false, ...connection } = command.optsWithGlobals<GlobalOptions>();
  const api = new ApiClient(findConnection(connection, env));
  return { api, out: new Output({ isJson: json, write }), signal };
}

/** For options that may be given many times, or once with commas. */
export function collect(value: string, earlier: readonly string[] = []): readonly string[] {
  return [...earlier, ...value.split(',').map((one) => one.trim())];
}

/** `name=value` pairs. */
export function collectPair(
  text: string,
  earlier: Readonly<Record<string, string>> = {},
): Readonly<Record<string, string>> {
  const at = text.indexOf('=');
  if (at < 1) throw new InvalidArgumentError('expected name=value');
  return { ...earlier, [text.slice(0, at)]: text.slice(at + 1) };
}

export function wholeNumber(text: string): number {
  if (!/^\d{1,9}$/.test(text)) throw new InvalidArgumentError('expected a whole number');
  return Number(text);
}

export function decimal(text: string): number {
  if (!/^-?\d{1,9}(\.\d{1,9})?$/.test(text)) throw new InvalidArgumentError('expected a number');
  return Number(text);
}

/** `name=value` whose value may be JSON: numbers, booleans, null, lists. */
export function collectField(
  text: string,
  earlier: Readonly<Record<string, unknown>> = {},
): Readonly<Record<string, unknown>> {
  const [[name, value] = ['', '']] = Object.entries(collectPair(text));
  return { ...earlier, [name]: parsed(value) };
}

function parsed(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return text;
  }
}

/** A part of a path: what an id holds must not lead elsewhere. */
export const segment = encodeURIComponent;
