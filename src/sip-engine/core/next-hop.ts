import { isIP } from 'node:net';
import { bareHost, parseSipUri } from '../message/uri.ts';
import {
  defaultPort,
  type Flow,
  type HostPort,
  type Place,
  type Protocol,
} from '../transport/transport.ts';
import type { EngineContext } from './context.ts';

export interface NextHop {
  readonly protocol: Protocol;
  readonly host: string;
  readonly port: number | undefined;
  /** Whose settings of TLS apply, as the application named them; never what a peer wrote. */
  readonly peer?: string | undefined;
}

const PROTOCOLS: Readonly<Record<string, Protocol>> = {
  udp: 'udp',
  tcp: 'tcp',
  tls: 'tls',
  ws: 'ws',
  wss: 'wss',
};

/** Undefined when the URI cannot be routed to. `maddr` is honored (RFC 3261 §19.1.1). */
export function nextHopOf(uriText: string): NextHop | undefined {
  const uri = parseSipUri(uriText);
  if (uri === undefined) return undefined;
  const named = uri.params.get('transport')?.toLowerCase();
  const protocol = named === undefined ? (uri.scheme === 'sips' ? 'tls' : 'udp') : PROTOCOLS[named];
  if (protocol === undefined) return undefined;
  return { protocol, host: bareHost(uri.params.get('maddr') ?? uri.host), port: uri.port };
}

/** An IP literal gives its one place at once; a name has to be resolved. */
export function literalPlace(hop: NextHop): HostPort | undefined {
  if (isIP(hop.host) === 0) return undefined;
  return { address: hop.host, port: hop.port ?? defaultPort(hop.protocol) };
}

/**
 * The connection of a browser: by its address and port, or by the Contact it registered. There is
 * no other way, since nobody can connect to one.
 */
export function webSocketTo(
  context: EngineContext,
  hop: NextHop,
  contact: string,
): Flow | undefined {
  const place = literalPlace(hop);
  const known = place && context.outbound.flowTo(hop.protocol, place);
  return known ?? context.contactFlows.find(contact);
}

/** Calls back with the places of a next hop: at once for a literal, later for a name, [] for none. */
export function withPlaces(
  context: EngineContext,
  hop: NextHop,
  use: (places: readonly Place[]) => void,
): void {
  const { host, port, protocol, peer } = hop;
  const literal = literalPlace(hop);
  if (literal !== undefined) {
    use([{ ...literal, host, peer }]);
    return;
  }
  context.resolver.resolve(host, port, protocol).then(
    (found) => use(found.map((place) => ({ ...place, host, peer }))),
    () => use([]),
  );
}
