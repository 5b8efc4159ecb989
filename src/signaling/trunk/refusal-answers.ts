import { DigestClient } from '../digest/digest-client.ts';
import type { DialRefusal } from '../outbound-dial.ts';
import { headerRecord } from '../plain-request-client.ts';
import { sessionHeaders } from './outbound-policy.ts';
import type { Trunk } from './trunk.ts';

const SESSION_SECONDS_MAX = 86_400;

/** What a refused INVITE is sent again with: credentials (§22), or a longer session (RFC 4028). */
export class RefusalAnswers {
  readonly #trunk: Trunk;
  readonly #uri: string;
  readonly #digest: DigestClient | null;
  #minSeconds = 0;
  #last: DialRefusal | null = null;

  constructor(trunk: Trunk, uri: string) {
    this.#trunk = trunk;
    this.#uri = uri;
    this.#digest = trunk.credentials === null ? null : new DigestClient(trunk.credentials);
  }

  /** The refusal that came last. */
  get last(): DialRefusal | null {
    return this.#last;
  }

  /** Headers for another INVITE; null: it stays refused. */
  to(refusal: DialRefusal): Readonly<Record<string, string>> | null {
    this.#last = refusal;
    const { status, get } = refusal;
    if (status === 401 || status === 407) {
      const name = status === 401 ? 'www-authenticate' : 'proxy-authenticate';
      if (this.#digest?.challenged(status, get(name) ?? '') !== 'answer') return null;
    } else if (status === 422) {
      const minSeconds = Number(/^\s*([0-9]{1,6})/.exec(get('min-se') ?? '')?.[1] ?? 0);
      if (minSeconds <= this.#minSeconds || minSeconds > SESSION_SECONDS_MAX) return null;
      this.#minSeconds = minSeconds;
    } else {
      return null;
    }
    const authorization = this.#digest?.authorize({ method: 'INVITE', uri: this.#uri }) ?? [];
    return { ...headerRecord(authorization), ...sessionHeaders(this.#trunk, this.#minSeconds) };
  }
}
