import { isIP } from 'node:net';
import type { TrunkHost, TrunkTransport } from './trunk.ts';

/** One place to send a request to. */
export interface SipTarget {
  readonly transport: 'udp' | 'tcp' | 'tls';
  /** Name as DNS has it: what a certificate is checked against. */
  readonly host: string;
  readonly address: string;
  readonly port: number;
}

export interface NaptrRecord {
  readonly flags: string;
  readonly service: string;
  readonly replacement: string;
  readonly order: number;
  readonly preference: number;
}

export interface SrvRecord {
  readonly name: string;
  readonly port: number;
  readonly priority: number;
  readonly weight: number;
}

/** What is asked of DNS. Each gives an empty list for "no such record" and never rejects. */
export interface DnsLookup {
  naptr(name: string): Promise<readonly NaptrRecord[]>;
  srv(name: string): Promise<readonly SrvRecord[]>;
  /** IPv4 first. */
  addresses(name: string): Promise<readonly string[]>;
}

export const TARGETS_MAX = 16;
/** SRV records looked at for one service, and NAPTR records for one name. */
const RECORDS_MAX = 16;

type Transport = SipTarget['transport'];

const SERVICES: Readonly<Record<string, Transport>> = {
  'SIP+D2U': 'udp',
  'SIP+D2T': 'tcp',
  'SIPS+D2T': 'tls',
};
const SRV_PREFIX: Record<Transport, string> = {
  udp: '_sip._udp.',
  tcp: '_sip._tcp.',
  tls: '_sips._tcp.',
};

export const defaultPort = (transport: Transport): number => (transport === 'tls' ? 5061 : 5060);

/**
 * Where a host leads, best first (RFC 3263 §4):
 *
 *   address, or name with port ──────────────────────▶ A, AAAA
 *   name, transport known ──▶ SRV ──(none)───────────▶ A, AAAA with the default port
 *   name, `auto` ──▶ NAPTR ──(none)──▶ SRV of udp, then tcp ──(none)──▶ A, AAAA by udp
 *
 * Empty when nothing leads anywhere. `random` is in [0, 1): it spreads load by SRV weights.
 */
export async function resolveTargets(
  { host, port }: TrunkHost,
  transport: TrunkTransport,
  dns: DnsLookup,
  random: () => number,
): Promise<readonly SipTarget[]> {
  const known = transport === 'auto' ? 'udp' : transport;
  if (isIP(host) !== 0) {
    return [{ transport: known, host, address: host, port: port ?? defaultPort(known) }];
  }
  if (port !== null) return placesOf(host, port, known, dns);
  const services = await servicesOf(host, transport, dns);
  const found = await Promise.all(
    services.map(({ name, transport: by }) => srvTargets(name, by, dns, random)),
  );
  const targets = found.flat().slice(0, TARGETS_MAX);
  return targets.length > 0 ? targets : placesOf(host, defaultPort(known), known, dns);
}

interface Service {
  /** Full name of its SRV records. */
  readonly name: string;
  readonly transport: Transport;
}

async function servicesOf(
  host: string,
  transport: TrunkTransport,
  dns: DnsLookup,
): Promise<readonly Service[]> {
  const named = (by: Transport): Service => ({ name: `${SRV_PREFIX[by]}${host}`, transport: by });
  if (transport !== 'auto') return [named(transport)];
  const records = (await dns.naptr(host))
    .slice(0, RECORDS_MAX)
    .sort((a, b) => a.order - b.order || a.preference - b.preference);
  const services = records.flatMap(({ flags, service, replacement }) => {
    const by = SERVICES[service.toUpperCase()];
    const isUsable = by !== undefined && flags.toLowerCase() === 's' && replacement !== '';
    return isUsable ? [{ name: replacement, transport: by }] : [];
  });
  return services.length > 0 ? services : [named('udp'), named('tcp')];
}

async function srvTargets(
  name: string,
  transport: Transport,
  dns: DnsLookup,
  random: () => number,
): Promise<readonly SipTarget[]> {
  const records = orderSrv(await dns.srv(name), random);
  // RFC 2782: a single "." says that the service is decidedly not there.
  const usable = records.filter((record) => record.name !== '.' && record.name !== '');
  const found = await Promise.all(
    usable.map((record) => placesOf(record.name, record.port, transport, dns)),
  );
  return found.flat();
}

async function placesOf(
  host: string,
  port: number,
  transport: Transport,
  dns: DnsLookup,
): Promise<readonly SipTarget[]> {
  const addresses = await dns.addresses(host);
  return addresses.slice(0, TARGETS_MAX).map((address) => ({ transport, host, address, port }));
}

/** Lowest priority first; within one, drawn by weight (RFC 2782). */
export function orderSrv(
  records: readonly SrvRecord[],
  random: () => number,
): readonly SrvRecord[] {
  const left = records.slice(0, RECORDS_MAX).sort((a, b) => a.priority - b.priority);
  const ordered: SrvRecord[] = [];
  while (left.length > 0) {
    const rivals = left.filter(({ priority }) => priority === left[0]?.priority);
    const total = rivals.reduce((sum, { weight }) => sum + weight, 0);
    let mark = random() * total;
    const drawn = rivals.find(({ weight }) => (mark -= weight) < 0) ?? rivals[0];
    if (drawn === undefined) break;
    ordered.push(drawn);
    left.splice(left.indexOf(drawn), 1);
  }
  return ordered;
}

/**
 * The target as a next hop for the SIP engine. Over TLS by name, and with the name of the trunk,
 * whose settings say what its certificate must be.
 */
export function nextHopUri({ transport, host, address, port }: SipTarget, trunk: string): string {
  const isTls = transport === 'tls';
  const place = isTls ? host : address;
  const bracketed = isIP(place) === 6 ? `[${place}]` : place;
  return `sip:${bracketed}:${port};transport=${transport}${isTls ? `;peer=${trunk}` : ''}`;
}

/** For people and logs of the operator: `udp/203.0.113.7:5060`. */
export const targetText = ({ transport, address, port }: SipTarget): string =>
  `${transport}/${isIP(address) === 6 ? `[${address}]` : address}:${port}`;
