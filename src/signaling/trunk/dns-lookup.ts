import { lookup } from 'node:dns/promises';
import { Resolver } from 'node:dns/promises';
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
