import { lookup, resolveSrv } from 'node:dns/promises';
import { defaultPort, type HostPort, type Protocol, type Resolver } from './transport.ts';

/** Names being resolved at once; more fail. */
const LOOKUPS_MAX = 256;
const PLACES_MAX = 8;

/** RFC 3263 §4.2: a name with a port is an A/AAAA lookup, one without asks for SRV first. */
export function createResolver(): Resolver {
  let running = 0;
  return {
    async resolve(host, port, protocol) {
      if (running >= LOOKUPS_MAX) throw new TypeError('too many lookups');
      running += 1;
      try {
        const fromSrv = port === undefined ? await servicePlaces(host, protocol) : [];
        if (fromSrv.length > 0) return fromSrv;
        return await addressPlaces(host, port ?? defaultPort(protocol));
      } finally {
        running -= 1;
      }
    },
  };
}

async function addressPlaces(host: string, port: number): Promise<readonly HostPort[]> {
  const found = await lookup(host, { all: true, order: 'ipv4first' });
  return found.slice(0, PLACES_MAX).map(({ address }) => ({ address, port }));
}

async function servicePlaces(host: string, protocol: Protocol): Promise<readonly HostPort[]> {
  const service = protocol === 'tls' ? `_sips._tcp.${host}` : `_sip._${protocol}.${host}`;
  try {
    const records = await resolveSrv(service);
    const ordered = records.sort((a, b) => a.priority - b.priority || b.weight - a.weight);
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
