import { networkInterfaces } from 'node:os';

const WILDCARDS: Readonly<Record<string, 'IPv4' | 'IPv6'>> = { '0.0.0.0': 'IPv4', '::': 'IPv6' };
const LOOPBACK = { IPv4: '127.0.0.1', IPv6: '::1' } as const;

/**
 * What a session description may name for sockets bound there. "All addresses" is none that
 * anybody could send to (it even means "on hold"), so the machine's first own one stands for it.
 */
export function reachableAddress(bindAddress: string): string {
  const family = WILDCARDS[bindAddress];
  if (family === undefined) return bindAddress;
  const own = Object.values(networkInterfaces())
    .flatMap((addresses) => addresses ?? [])
    .find(
      (address) => !address.internal && address.family === family && !isLinkLocal(address.address),
    );
  return own?.address ?? LOOPBACK[family];
}

function isLinkLocal(address: string): boolean {
  return address.startsWith('169.254.') || address.toLowerCase().startsWith('fe80:');
}
