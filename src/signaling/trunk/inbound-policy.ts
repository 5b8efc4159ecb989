import { randomBytes } from 'node:crypto';
import { DigestServer } from '../digest/digest-server.ts';
import { parseParty } from '../sip-address.ts';
import type { Trunk } from './trunk.ts';
import type { TrunkBook } from './trunk-book.ts';

/** What is known of an INVITE before anybody looks at it closer. */
export interface InboundRequest {
  readonly method: string;
  readonly uri: string;
  readonly sourceAddress: string;
  /** Authorization header. */
  readonly authorization: string | undefined;
}

/**
 * Whether a request is looked at. `take` with trunk null: from loopback or `sip.allowed_sources`,
 * by no trunk. The header values of a refusal may be several for one name.
 */
export type InboundVerdict =
  | { readonly type: 'take'; readonly trunk: string | null }
  | {
      readonly type: 'refuse';
      readonly status: 401 | 403;
      readonly challenges: readonly string[];
    };

export interface InboundPolicyOptions {
  readonly book: TrunkBook;
  readonly nowMs: () => number;
  /** What nonces are signed with; default: random, so that they die with the process. */
  readonly key?: Buffer;
}

const NONCE_LIFETIME_MS = 300_000;

/**
 * The second gate of inbound calls. The first, the list of sources, stands in the SIP engine and
 * drops silently; this one names the trunk and asks for a password where the trunk wants one.
 */
export class InboundPolicy {
  readonly #options: InboundPolicyOptions;
  readonly #key: Buffer;
  readonly #servers = new Map<string, DigestServer>();
  /** Right and wrong answers to our challenges, for metrics. */
  readonly counts = { accepted: 0, challenged: 0, refused: 0 };

  constructor(options: InboundPolicyOptions) {
    this.#options = options;
    this.#key = options.key ?? randomBytes(32);
  }

  judge(request: InboundRequest): InboundVerdict {
    const { book } = this.#options;
    const trunk = book.trunkOf(request.sourceAddress, parseParty(request.uri).user);
    if (trunk === null) return { type: 'take', trunk: null };
    const { inboundCredentials } = trunk;
    if (inboundCredentials === null) return { type: 'take', trunk: trunk.name };
    return this.#authenticate(trunk, inboundCredentials, request);
  }

  #authenticate(
    trunk: Trunk,
    { username, password }: { readonly username: string; readonly password: string },
    { method, authorization }: InboundRequest,
  ): InboundVerdict {
    const nowMs = this.#options.nowMs();
    const server = this.#serverOf(trunk);
    // Carriers rewrite the Request-URI behind the user agent that answered.
    const verdict = server.verify(
      authorization,
      { method, uri: null },
      (name) => (name === username ? password : null),
      nowMs,
    );
    if (verdict.type === 'accept') {
      this.counts.accepted += 1;
      return { type: 'take', trunk: trunk.name };
    }
    if (verdict.type === 'refuse') {
      this.counts.refused += 1;
      return { type: 'refuse', status: 403, challenges: [] };
    }
    this.counts.challenged += 1;
    const challenges = server.challenge(nowMs, verdict.isStale);
    return { type: 'refuse', status: 401, challenges };
  }

  #serverOf({ name }: Trunk): DigestServer {
    const known = this.#servers.get(name);
    if (known !== undefined) return known;
    const server = new DigestServer({
      realm: name,
      key: this.#key,
      nonceLifetimeMs: NONCE_LIFETIME_MS,
    });
    this.#servers.set(name, server);
    return server;
  }
}
