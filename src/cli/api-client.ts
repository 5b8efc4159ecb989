import { readFileSync } from 'node:fs';
import { resolve } from 'node:path';
import { CliError } from './cli-error.ts';
import { EXIT, exitCodeOf } from './exit-codes.ts';
import { isFields } from './fields.ts';

export interface Connection {
  readonly url: string;
  readonly key: string;
}

export interface ConnectionOptions {
  readonly url?: string;
  readonly key?: string;
}

const DEFAULT_URL = 'http://127.0.0.1:8080';
const KEY_FILE = 'admin.key';
const TIMEOUT_MS = 30_000;

/** Option before variable before what a daemon on this machine leaves in its data folder. */
export function findConnection(
  options: ConnectionOptions,
  env: Readonly<Record<string, string | undefined>>,
): Connection {
  const url = options.url ?? env['TRUNKLINE_URL'] ?? DEFAULT_URL;
  if (!URL.canParse(url)) throw new CliError('CLI_USAGE', `${url} is no address`, EXIT.usage);
  const file = resolve(env['TRUNKLINE_DATA_DIR'] ?? 'data', KEY_FILE);
  const key = options.key ?? env['TRUNKLINE_API_KEY'] ?? readKey(file);
  if (key !== null) return { url: url.replace(/\/+$/, ''), key };
  const message = `no key: give --key or TRUNKLINE_API_KEY (there is no ${file})`;
  throw new CliError('CLI_USAGE', message, EXIT.noPermission);
}

function readKey(file: string): string | null {
  try {
    return readFileSync(file, 'utf8').trim();
  } catch {
    return null;
  }
}

/** Asks the daemon; what it refuses is a `CliError` in the daemon's own words. */
export class ApiClient {
  readonly #connection: Connection;

  constructor(connection: Connection) {
    this.#connection = connection;
  }

  /** Base of the daemon's own addresses. */
  get url(): string {
    return this.#connection.url;
  }

  get(path: string, query: Readonly<Record<string, string | undefined>> = {}): Promise<unknown> {
    const given = Object.entries(query).filter((pair): pair is [string, string] => !!pair[1]);
    const text = new URLSearchParams(given).toString();
    return this.#ask('GET', text === '' ? path : `${path}?${text}`);
  }

  post(path: string, body: object = {}): Promise<unknown> {
    return this.#ask('POST', path, body);
  }

  patch(path: string, body: object): Promise<unknown> {
    return this.#ask('PATCH', path, body);
  }

  put(path: string, body: object): Promise<unknown> {
    return this.#ask('PUT', path, body);
  }

  delete(path: string): Promise<unknown> {
    return this.#ask('DELETE', path);
  }

  /** An answer that goes on. The caller reads it, until `signal` aborts. */
  async open(
    path: string,
    headers: Readonly<Record<string, string>>,
    signal: AbortSignal,
  ): Promise<Response> {
    const response = await this.#fetch(path, { headers: this.#headers(headers), signal });
    if (!response.ok) throw await refusalOf(response);
    return response;
  }

  async #ask(method: string, path: string, body?: object): Promise<unknown> {
    const isGiven = body !== undefined;
    const response = await this.#fetch(path, {
      method,
      headers: this.#headers(isGiven ? { 'content-type': 'application/json' } : {}),
      signal: AbortSignal.timeout(TIMEOUT_MS),
      ...(isGiven ? { body: JSON.stringify(body) } : {}),
    });
    if (!response.ok) throw await refusalOf(response);
    return response.status === 204 ? null : response.json();
  }

  #headers(more: Readonly<Record<string, string>>): Record<string, string> {
    return { authorization: `Bearer ${this.#connection.key}`, ...more };
  }

  async #fetch(path: string, init: RequestInit): Promise<Response> {
    const { url } = this.#connection;
    try {
      return await fetch(`${url}${path}`, init);
    } catch (error) {
      if (error instanceof Error && error.name === 'AbortError') throw error;
      const message = `no daemon answers at ${url}`;
      throw new CliError('CLI_UNREACHABLE', message, EXIT.unavailable, error);
    }
  }
}

/** The message of whichever family of the API has refused. */
async function refusalOf(response: Response): Promise<CliError> {
  const { status } = response;
  const body: unknown = await response.json().catch(() => null);
  const fields = isFields(body) ? body : {};
  const said = [fields['message'], fields['detail'], fields['error']].find(
    (text) => typeof text === 'string',
  );
  const code = [fields['error_code'], fields['code']].find((text) => typeof text === 'string');
  const message = typeof said === 'string' ? said : `the daemon answered ${status}`;
  const full = typeof code === 'string' ? `${message} (${code})` : message;
  return new CliError('CLI_REFUSED', full, exitCodeOf(status));
}
