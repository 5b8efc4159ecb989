import { BlockList, isIP } from 'node:net';

const PRIVATE = new BlockList();
for (const [network, bits] of [
  ['10.0.0.0', 8],
  ['172.16.0.0', 12],
  ['192.168.0.0', 16],
  ['100.64.0.0', 10],
  ['169.254.0.0', 16],
] as const) {
  PRIVATE.addSubnet(network, bits, 'ipv4');
}
PRIVATE.addSubnet('fc00::', 7, 'ipv6');
PRIVATE.addSubnet('fe80::', 10, 'ipv6');

export type AddressKind = 'public' | 'private' | 'loopback' | 'unspecified' | 'name';

/** How far an address reaches. */
export function kindOf(address: string): AddressKind {
  const family = isIP(address);
  if (family === 0) return 'name';
  if (address === '0.0.0.0' || address === '::') return 'unspecified';
  if (address.startsWith('127.') || address === '::1') return 'loopback';
  return PRIVATE.check(address, family === 6 ? 'ipv6' : 'ipv4') ? 'private' : 'public';
}

/** `203.0.113.7` of `203.0.113.7:5060`, `2001:db8::1` of `[2001:db8::1]:5060`. */
export const hostOf = (place: string): string =>
  /^\[([^\]]*)\]/.exec(place)?.[1] ?? place.replace(/:\d+$/, '');
