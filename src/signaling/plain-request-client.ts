import type { SrfRequest, SrfResponse } from './drachtio.ts';
import { engineErrorText } from './drachtio.ts';
import type { EngineConnection } from './engine-connection.ts';
import { SignalingError } from './signaling-error.ts';
import { isHeaderSafe } from './sip-headers.ts';

/** A request outside any dialog: REGISTER, OPTIONS. */
export interface PlainRequest {
  readonly method: 'REGISTER' | 'OPTIONS';
  readonly uri: string;
  /** Next hop, when it is not the URI's own host. */
  readonly proxy: string | null;
  /** A name may come more than once: each is a header of its own. At most 32. */
  readonly headers: readonly { readonly name: string; readonly value: string }[];
  readonly timeoutMs: number;
}

/**
 * How it ended. `unanswered`: nobody answered, or it could not be sent; `isFromEngine` in an
 * answer says that the engine made it, since it reached nobody.
 */
export type PlainResult =
  | { readonly type: 'answered'; readonly answer: PlainAnswer }
  | { readonly type: 'unanswered'; readonly why: string };

export interface PlainAnswer {
  readonly status: number;
  readonly reason: string;
  readonly isFromEngine: boolean;
  /** Repeated headers joined by commas. */
  get(name: string): string | undefined;
}

const HEADERS_MAX = 32;
const HEADER_CHARACTERS_MAX = 8_192;

/**
 * Sends a request and resolves with its end; rejects only for what cannot be written into a
 * message. srf never settles what was pending on a lost connection, so that is watched here.
 */
export function sendPlainRequest(
  connection: EngineConnection,
  request: PlainRequest,
): Promise<PlainResult> {
  const { method, uri, proxy, headers, timeoutMs } = request;
  const areSafe = headers.every(
    ({ value }) => value.length <= HEADER_CHARACTERS_MAX && isHeaderSafe(value),
  );
  if (headers.length > HEADERS_MAX || !areSafe) {
    return Promise.reject(new SignalingError('HEADER_MALFORMED', 'a header cannot be sent'));
  }
  return new Promise((resolve) => {
    let untrack: (() => void) | null = null;
    const settle = (result: PlainResult) => {
      clearTimeout(timer);
      untrack?.();
      resolve(result);
    };
    const timer = setTimeout(() => {
      settle({ type: 'unanswered', why: 'no answer in time' });
    }, timeoutMs);
    untrack = connection.track(() => {
      settle({ type: 'unanswered', why: 'the SIP engine is gone' });
    });
    if (untrack === null) {
      settle({ type: 'unanswered', why: 'too many calls' });
      return;
    }
    const options = {
      method,
      headers: headerRecord(headers),
      ...(proxy === null ? {} : { proxy }),
    };
    try {
      connection.srf.request(uri, options, (error, sent) => {
        if (sent === undefined) settle({ type: 'unanswered', why: engineErrorText(error) });
        else listen(sent, settle);
      });
    } catch (error) {
      settle({ type: 'unanswered', why: engineErrorText(error) });
    }
  });
}

function listen(sent: SrfRequest, settle: (result: PlainResult) => void): void {
  sent.on('response', (res: SrfResponse) => {
    if (res.status < 200) return;
    const answer: PlainAnswer = {
      status: res.status,
      reason: res.reason,
      isFromEngine: isMadeByEngine(res),
      get: (name) => res.get(name),
    };
    settle({ type: 'answered', answer });
  });
}

/** Why nobody answered: what the engine found wrong with the connection; empty for an answer. */
export function whyUnanswered(result: PlainResult | null): string {
  if (result === null) return '';
  if (result.type === 'unanswered') return result.why;
  const { answer } = result;
  if (!answer.isFromEngine) return '';
  const found = /text="([^"]*)"/.exec(answer.get('reason') ?? '')?.[1];
  return found ?? (answer.status === 408 ? 'no answer in time' : '');
}

/** 408 and 503 of the engine itself carry no source address: the request reached nobody. */
export const isMadeByEngine = (res: SrfResponse): boolean => res.source_address === '';

/** srf takes an object, where a name stands once: repeated ones are told apart by their case. */
export function headerRecord(
  headers: readonly { readonly name: string; readonly value: string }[],
): Record<string, string> {
  const record: Record<string, string> = {};
  for (const { name, value } of headers) {
    const spellings = [name, name.toLowerCase(), name.toUpperCase()];
    const free = spellings.find((spelling) => record[spelling] === undefined);
    if (free !== undefined) record[free] = value;
  }
  return record;
}
