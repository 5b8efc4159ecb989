import { parseParty } from './sip-address.ts';
import { splitContacts } from './trunk/register-answer.ts';
import type { WebSocketRegisterVerdict, WebSocketRequest } from './web-socket-authorizer.ts';

/** One place where somebody can be called. */
export interface Binding {
  /** What to dial. */
  readonly uri: string;
  /** The connection it was registered by, as a next hop. */
  readonly nextHop: string;
  readonly expiresAtMs: number;
  /** What the browser calls itself (RFC 5626); empty when it does not say. */
  readonly instance: string;
  readonly callId: string;
  readonly cseq: number;
}

export interface RegistrarOptions {
  /** Any clock that does not go back. */
  readonly nowMs: () => number;
  readonly addressesMax?: number;
}

export const BINDINGS_MAX = 10;
const ADDRESSES_MAX = 10_000;
export const EXPIRES_SECONDS = { least: 60, most: 3600, usual: 600 };
const URI_CHARACTERS_MAX = 256;

type Asked = Omit<Binding, 'expiresAtMs'> & { readonly seconds: number };

/**
 * Who can be called at which of their browsers (RFC 3261 §10). Kept in memory: a browser whose
 * connection is lost registers anew. Nothing has to happen at the moment a binding expires.
 */
export class Registrar {
  readonly #nowMs: () => number;
  readonly #addressesMax: number;
  /** Bindings by address of record, the newest last. */
  readonly #addresses = new Map<string, readonly Binding[]>();

  constructor({ nowMs, addressesMax = ADDRESSES_MAX }: RegistrarOptions) {
    this.#nowMs = nowMs;
    this.#addressesMax = addressesMax;
  }

  /** Addresses of record that have been registered; some of their bindings may have expired. */
  get size(): number {
    return this.#addresses.size;
  }

  /** Where an address can be called now, the newest first. */
  find(address: string): readonly Binding[] {
    return [...this.#live(address)].reverse();
  }

  /**
   * Takes a REGISTER for an address.
   * @param untilMs when the right to it ends: no binding outlives that
   */
  register(address: string, request: WebSocketRequest, untilMs: number): WebSocketRegisterVerdict {
    const known = this.#live(address);
    const [callId, cseq] = [request.sipCallId, cseqOf(request)];
    const isOld = known.some((one) => one.callId === callId && one.cseq >= cseq);
    const contacts = splitContacts(request.get('contact') ?? '');
    const everyone = secondsOf(request.get('expires')) ?? EXPIRES_SECONDS.usual;
    // Out of order: what came later stands (RFC 3261 §10.3, step 7).
    if (isOld && contacts.length > 0) return { type: 'refuse', status: 500 };
    if (contacts.length === 1 && contacts[0] === '*') {
      if (everyone !== 0) return { type: 'refuse', status: 403 };
      this.#keep(address, []);
      return answerOf([], this.#nowMs());
    }
    const asked = contacts.map((contact) => readContact(contact, everyone, request, cseq));
    const usable = asked.filter((one): one is Asked => one !== null);
    if (usable.length < asked.length) return { type: 'refuse', status: 403 };
    const least = EXPIRES_SECONDS.least;
    if (usable.some(({ seconds }) => seconds > 0 && seconds < least)) {
      return { type: 'refuse', status: 423, minExpiresSeconds: least };
    }
    return this.#bind(address, known, usable, untilMs);
  }

  #bind(
    address: string,
    known: readonly Binding[],
    asked: readonly Asked[],
    untilMs: number,
  ): WebSocketRegisterVerdict {
    const nowMs = this.#nowMs();
    const bindings = asked.reduce<readonly Binding[]>((kept, { seconds, ...one }) => {
      const others = kept.filter((other) => !isSamePlace(other, one));
      const lifeMs = Math.min(seconds, EXPIRES_SECONDS.most) * 1000;
      const expiresAtMs = Math.min(nowMs + lifeMs, untilMs);
      return expiresAtMs > nowMs ? [...others, { ...one, expiresAtMs }] : others;
    }, known);
    if (bindings.length > BINDINGS_MAX) return { type: 'refuse', status: 503 };
    if (bindings.length > 0 && !this.#hasRoomFor(address)) return { type: 'refuse', status: 503 };
    if (asked.length > 0) this.#keep(address, bindings);
    return answerOf(bindings, nowMs);
  }

  #live(address: string): readonly Binding[] {
    const nowMs = this.#nowMs();
    const live = (this.#addresses.get(address) ?? []).filter((one) => one.expiresAtMs > nowMs);
    if (live.length === 0) this.#addresses.delete(address);
    return live;
  }

  #hasRoomFor(address: string): boolean {
    if (this.#addresses.has(address) || this.#addresses.size < this.#addressesMax) return true;
    for (const one of this.#addresses.keys()) this.#live(one);
    return this.#addresses.size < this.#addressesMax;
  }

  #keep(address: string, bindings: readonly Binding[]): void {
    if (bindings.length === 0) this.#addresses.delete(address);
    else this.#addresses.set(address, bindings);
  }
}

/** A browser that says who it is replaces itself, whatever its Contact is called this time. */
function isSamePlace(one: Binding, other: Omit<Binding, 'expiresAtMs'>): boolean {
  const isSameInstance = one.instance !== '' && one.instance === other.instance;
  return isSameInstance || one.uri === other.uri;
}

function readContact(
  contact: string,
  everyone: number,
  request: WebSocketRequest,
  cseq: number,
): Asked | null {
  const uri = /<([^>]+)>/.exec(contact)?.[1] ?? contact.split(';')[0]?.trim() ?? '';
  const { user, host } = parseParty(`<${uri}>`);
  const isUsable = /^sips?:/i.test(uri) && user !== '' && host !== '';
  if (!isUsable || uri.length > URI_CHARACTERS_MAX || /[\s<>"]/.test(uri)) return null;
  const parameters = contact.replace(/^[^>]*>/, '');
  const expires = secondsOf(/;\s*expires\s*=\s*"?([0-9]{1,10})/i.exec(parameters)?.[1]);
  const instance = /;\s*\+sip\.instance\s*=\s*"([^"]{1,200})"/i.exec(parameters)?.[1] ?? '';
  const { sourceAddress: from, sourcePort, transport, sipCallId: callId } = request;
  const source = from.includes(':') ? `[${from}]` : from;
  const nextHop = `sip:${source}:${sourcePort};transport=${transport}`;
  return { uri, nextHop, instance, callId, cseq, seconds: expires ?? everyone };
}

function secondsOf(text: string | undefined): number | null {
  const digits = /^\s*([0-9]{1,10})\s*$/.exec(text ?? '')?.[1];
  return digits === undefined ? null : Number(digits);
}

function cseqOf(request: WebSocketRequest): number {
  return secondsOf(/^\s*([0-9]{1,10})/.exec(request.get('cseq') ?? '')?.[1]) ?? 0;
}

function answerOf(bindings: readonly Binding[], nowMs: number): WebSocketRegisterVerdict {
  const contacts = bindings.map(({ uri, expiresAtMs }) => {
    const seconds = Math.max(1, Math.floor((expiresAtMs - nowMs) / 1000));
    return `<${uri}>;expires=${seconds}`;
  });
  return { type: 'registered', contacts };
}
