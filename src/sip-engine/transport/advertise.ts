import { isIPv6 } from 'node:net';
import { networkInterfaces } from 'node:os';
import { isLoopback } from '../guard/source-guard.ts';
import type { HostPort } from './transport.ts';

/**
 * What Via and Contact say. A configured external address wins, except towards loopback peers of a
 * wildcard listener; a wildcard listener without one names the interface nearest to the remote.
 */
export function advertiser(externalAddress: string | undefined) {
  const interfaces = ownAddresses();
  return (bound: HostPort, remote: HostPort): HostPort => {
    const { port } = bound;
    const isWildcard = bound.address === '0.0.0.0' || bound.address === '::';
    if (isWildcard && isLoopback(remote.address)) {
      return { address: isIPv6(remote.address) ? '::1' : '127.0.0.1', port };
    }
    if (externalAddress !== undefined) return { address: externalAddress, port };
    if (!isWildcard) return bound;
    return { address: nearest(interfaces, remote.address) ?? '127.0.0.1', port };
  };
}

function ownAddresses(): readonly string[] {
  return Object.values(networkInterfaces())
    .flatMap((addresses) => addresses ?? [])
    .filter(({ internal }) => !internal)
    .map(({ address }) => address);
}

/** The address that shares the longest beginning with the remote's. */
function nearest(addresses: readonly string[], remote: string): string | undefined {
  const family = addresses.filter((address) => isIPv6(address) === isIPv6(remote));
  let best: string | undefined;
  for (const address of family) {
    if (best === undefined || sharedPrefix(address, remote) > sharedPrefix(best, remote))
      best = address;
  }
  return best;
}

function sharedPrefix(a: string, b: string): number {
  const left = a.split(/[.:]/);
  const right = b.split(/[.:]/);
  let count = 0;
  while (count < left.length && left[count] === right[count]) count += 1;
  return count;
}
