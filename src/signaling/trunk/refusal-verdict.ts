import { parseParty } from '../sip-address.ts';
import { splitContacts } from './register-answer.ts';

/** A redirection: whom to call instead, and at which host if it is one of the carrier's. */
export interface Redirect {
  readonly user: string;
  readonly host: string;
}

/** What to do after a final answer to an INVITE. */
export type RefusalVerdict =
  /** The host is at fault: another host, or another trunk, may do. */
  | { readonly type: 'elsewhere' }
  | { readonly type: 'redirected'; readonly to: readonly Redirect[] }
  /** The callee, or the network for the callee, has spoken. */
  | { readonly type: 'final' };

export const REDIRECTS_MAX = 5;

/** 5xx that another host would say as well: what was asked is not to be had. */
const FINAL_5XX = new Set([501, 505, 513]);

/**
 * 5xx, silence and lost transports lead elsewhere (RFC 3263 §4.3), unless it rang already: nobody's
 * telephone shall ring twice. 4xx and 6xx never do.
 */
export function judgeRefusal(
  {
    status,
    isFromEngine,
    get,
  }: {
    readonly status: number;
    readonly isFromEngine: boolean;
    readonly get: (name: string) => string | undefined;
  },
  hasRung: boolean,
): RefusalVerdict {
  if (status >= 300 && status < 400) {
    const to = redirectsOf(get('contact') ?? '');
    return to.length === 0 ? { type: 'final' } : { type: 'redirected', to };
  }
  if (hasRung) return { type: 'final' };
  const isHostFailure = status >= 500 && status < 600 && !FINAL_5XX.has(status);
  return { type: isFromEngine || isHostFailure ? 'elsewhere' : 'final' };
}

/** Contacts of a 3xx, by falling `q` (RFC 3261 §8.1.3.4). */
function redirectsOf(header: string): readonly Redirect[] {
  return splitContacts(header.slice(0, 8_192))
    .map((contact) => ({ ...parseParty(contact), q: qOf(contact) }))
    .filter(({ user }) => user !== '')
    .sort((a, b) => b.q - a.q)
    .slice(0, REDIRECTS_MAX)
    .map(({ user, host }) => ({ user, host }));
}

function qOf(contact: string): number {
  const q = /;\s*q\s*=\s*([01](?:\.[0-9]{0,3})?)/i.exec(contact.replace(/^.*>/s, ''))?.[1];
  return q === undefined ? 1 : Number(q);
}
