import { parseNameAddr } from '../message/header-values.ts';
import type { SipRequest } from '../message/message.ts';
import { parseSipUri } from '../message/uri.ts';
import type { Flow } from '../transport/transport.ts';

/** Registered Contacts whose connection is remembered; the longest unused gives way. */
export const CONTACTS_MAX = 10_000;
const CONTACTS_PER_REQUEST_MAX = 8;

interface Entry {
  /** Who registered it: nobody else may take it over. */
  readonly owner: string;
  /** Undefined once the connection is gone; the owner may come back by another. */
  flow: Flow | undefined;
}

/**
 * Which connection leads to a Contact. A browser's Contact names a host that does not exist
 * (`….invalid`, RFC 7118 §5): the only way there is the connection that registered it.
 */
export class ContactFlows {
  readonly #entries = new Map<string, Entry>();
  readonly #keys = new Map<Flow, Set<string>>();

  get size(): number {
    return this.#entries.size;
  }

  /** The open connection to a Contact's URI. */
  find(uri: string): Flow | undefined {
    const flow = this.#entries.get(contactKey(uri) ?? '')?.flow;
    return flow?.isOpen === true ? flow : undefined;
  }

  /** Takes what an accepted REGISTER says; gives the keys of Contacts that it binds. */
  learn(request: SipRequest, flow: Flow): readonly string[] {
    const owner = contactKey(request.to.uri) ?? '';
    const contacts = request.headers.list('contact').slice(0, CONTACTS_PER_REQUEST_MAX);
    const bound: string[] = [];
    for (const contact of contacts) {
      const parsed = parseNameAddr(contact);
      const key = contactKey(parsed?.uri ?? '');
      if (parsed === undefined || key === undefined) continue;
      const known = this.#entries.get(key);
      if (known !== undefined && known.owner !== owner) continue;
      this.#forget(key, known);
      const expires = parsed.params.get('expires') ?? request.headers.first('expires');
      if (expires?.trim() === '0') continue;
      this.#remember(key, owner, flow);
      bound.push(key);
    }
    return bound;
  }

  closed(flow: Flow): void {
    for (const key of this.#keys.get(flow) ?? []) {
      const entry = this.#entries.get(key);
      if (entry?.flow === flow) entry.flow = undefined;
    }
    this.#keys.delete(flow);
  }

  #remember(key: string, owner: string, flow: Flow): void {
    const [oldest] = this.#entries;
    if (this.#entries.size >= CONTACTS_MAX && oldest !== undefined) this.#forget(...oldest);
    this.#entries.set(key, { owner, flow });
    const keys = this.#keys.get(flow) ?? new Set();
    keys.add(key);
    this.#keys.set(flow, keys);
  }

  #forget(key: string, entry: Entry | undefined): void {
    this.#entries.delete(key);
    if (entry?.flow === undefined) return;
    const keys = this.#keys.get(entry.flow);
    keys?.delete(key);
    if (keys?.size === 0) this.#keys.delete(entry.flow);
  }
}

/** What two writings of one Contact have in common: user, host and port. */
export function contactKey(uri: string): string | undefined {
  const parsed = parseSipUri(uri);
  return parsed && `${parsed.user}@${parsed.host}:${parsed.port ?? ''}`;
}
