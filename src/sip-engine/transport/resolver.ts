import { Resolver as DnsResolver } from 'node:dns';
import { lookup } from 'node:dns/promises';
import { promisify } from 'node:util';
import { defaultPort, type HostPort, type Protocol, type Resolver } from './transport.ts';

/** Names being resolved at once; more fail. */
const LOOKUPS_MAX = 256;
const PLACES_MAX = 8;
/** A name that is not found by then is not found. */
const LOOKUP_MS = 5000;

/** RFC 3263 §4.2: a name with a port is an A/AAAA lookup, one without asks for SRV first. */
export function createResolver(): Resolver {
  let running = 0;
  const dns = new DnsResolver({ timeout: 1000, tries: 2 });
  const resolveSrv: SrvLookup = promisify(dns.resolveSrv.bind(dns));
  const find = async (host: string, port: number | undefined, protocol: Protocol) => {
    const fromSrv = port === undefined ? await servicePlaces(resolveSrv, host, protocol) : [];
    if (fromSrv.length > 0) return fromSrv;
    return addressPlaces(host, port ?? defaultPort(protocol));
  };
  return {
    async resolve(host, port, protocol) {
      if (running >= LOOKUPS_MAX) throw new TypeError('too many lookups');
      running += 1;
      try {
        return await withDeadline(find(host, port, protocol));
      } finally {
        running -= 1;
      }
    },
  };
}

type SrvLookup = (
  name: string,
) => Promise<readonly { name: string; port: number; priority: number; weight: number }[]>;

async function withDeadline<T>(found: Promise<T>): Promise<T> {
  let timer: NodeJS.Timeout | undefined;
  const late = new Promise<never>((_resolve, reject) => {
    timer = setTimeout(() => reject(new Error('name not resolved in time')), LOOKUP_MS);
  });
  try {
    return await Promise.race([found, late]);
  } finally {
    clearTimeout(timer);
  }
}

async function addressPlaces(host: string, port: number): Promise<readonly HostPort[]> {
  const found = await lookup(host, { all: true, order: 'ipv4first' });
  return found.slice(0, PLACES_MAX).map(({ address }) => ({ address, port }));
}

async function servicePlaces(
  resolveSrv: SrvLookup,
  host: string,
  protocol: Protocol,
): Promise<readonly HostPort[]> {
  const service = protocol === 'tls' ? `_sips._tcp.${host}` : `_sip._${protocol}.${host}`;
  try {
    const records = await resolveSrv(service);
    const ordered = [...records].sort((a, b) => a.priority - b.priority || b.weight - a.weight);
    const places = await Promise.all(
      ordered
        .slice(0, PLACES_MAX)
        .map(({ name, port }) => addressPlaces(name, port).catch(() => [])),
    );
    return places.flat();
  } catch {
    return [];
  }
}
