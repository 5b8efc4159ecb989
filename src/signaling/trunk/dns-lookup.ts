import { lookup, Resolver } from 'node:dns/promises';
import type { DnsLookup } from './sip-targets.ts';

const TIMEOUT_MS = 2_000;
const TRIES = 2;

/** The system's DNS. Names of the hosts file count too; what cannot be found is an empty list. */
export function systemDns(): DnsLookup {
  const resolver = new Resolver({ timeout: TIMEOUT_MS, tries: TRIES });
  return {
    naptr: (name) => resolver.resolveNaptr(name).catch(() => []),
    srv: (name) => resolver.resolveSrv(name).catch(() => []),
    addresses: async (name) => {
      const found = await lookup(name, { all: true, order: 'ipv4first' }).catch(() => []);
      return found.map(({ address }) => address);
    },
  };
}

/** How long an answer of DNS is taken as it was, and how long the lack of one. */
export const DNS_TTL_MS = 60_000;
export const DNS_EMPTY_TTL_MS = 5_000;
export const DNS_ENTRIES_MAX = 1_000;

/**
 * Remembers answers for a minute, so that a call does not wait for DNS; among SRV records the
 * draw is still made for each call. Records' own times to live are not looked at.
 */
export function cachedDns(dns: DnsLookup, nowMs: () => number): DnsLookup {
  return {
    naptr: cached((name) => dns.naptr(name), nowMs),
    srv: cached((name) => dns.srv(name), nowMs),
    addresses: cached((name) => dns.addresses(name), nowMs),
  };
}

function cached<T>(
  ask: (name: string) => Promise<readonly T[]>,
  nowMs: () => number,
): (name: string) => Promise<readonly T[]> {
  const known = new Map<string, { readonly answer: readonly T[]; readonly untilMs: number }>();
  const running = new Map<string, Promise<readonly T[]>>();
  const fetch = async (name: string) => {
    try {
      const answer = await ask(name);
      // The oldest gives way: a map keeps its order.
      const [oldest] = known.keys();
      if (known.size >= DNS_ENTRIES_MAX && oldest !== undefined) known.delete(oldest);
      const ttlMs = answer.length === 0 ? DNS_EMPTY_TTL_MS : DNS_TTL_MS;
      known.delete(name);
      known.set(name, { answer, untilMs: nowMs() + ttlMs });
      return answer;
    } finally {
      running.delete(name);
    }
  };
  return (name) => {
    const found = known.get(name);
    if (found !== undefined && nowMs() < found.untilMs) return Promise.resolve(found.answer);
    const asked = running.get(name) ?? fetch(name);
    running.set(name, asked);
    return asked;
  };
}
