import { BlockList, isIP } from 'node:net';

/** Networks that are nobody's servers: ourselves, private and shared ones, metadata, multicast. */
const INNER_NETWORKS = [
  '0.0.0.0/8',
  '10.0.0.0/8',
  '100.64.0.0/10',
  '127.0.0.0/8',
  '169.254.0.0/16',
  '172.16.0.0/12',
  '192.0.0.0/24',
  '192.0.2.0/24',
  '192.88.99.0/24',
  '192.168.0.0/16',
  '198.18.0.0/15',
  '198.51.100.0/24',
  '203.0.113.0/24',
  '224.0.0.0/3',
  '::/96',
  '64:ff9b::/96',
  '64:ff9b:1::/48',
  '100::/64',
  '2001::/32',
  '2001:db8::/32',
  '2002::/16',
  'fc00::/7',
  'fe80::/10',
  'fec0::/10',
  'ff00::/8',
];

/** Says which addresses events may be sent to. */
export class AddressGuard {
  readonly #inner = listOf(INNER_NETWORKS);
  readonly #allowed: BlockList;

  /** @param allowedNetworks inner ones that the operator lets events go to */
  constructor(allowedNetworks: readonly string[]) {
    this.#allowed = listOf(allowedNetworks);
  }

  /** IPv4 in any writing of IPv6 is judged as IPv4. */
  allows(address: string): boolean {
    const plain = address.split('%')[0] ?? '';
    const mapped = mappedIpv4(plain);
    if (mapped !== null) return this.allows(mapped);
    const family = isIP(plain);
    if (family === 0) return false;
    const type = family === 6 ? 'ipv6' : 'ipv4';
    return this.#allowed.check(plain, type) || !this.#inner.check(plain, type);
  }
}

/** `::ffff:10.0.0.1` and `::ffff:a00:1` → `10.0.0.1`. */
function mappedIpv4(address: string): string | null {
  const dotted = /^(?:0*:)*:?(?:0*:)*ffff:(\d+\.\d+\.\d+\.\d+)$/i.exec(address)?.[1];
  if (dotted !== undefined) return dotted;
  const groups = /^(?:0*:)*:?(?:0*:)*ffff:([0-9a-f]{1,4}):([0-9a-f]{1,4})$/i.exec(address);
  if (groups === null) return null;
  const bits = [groups[1], groups[2]].map((group) => Number.parseInt(group ?? '', 16));
  return bits.flatMap((value) => [value >> 8, value & 255]).join('.');
}

/** An address or network that is none is left out: settings are judged before. */
function listOf(networks: readonly string[]): BlockList {
  const list = new BlockList();
  for (const network of networks) {
    const [address = '', prefix] = network.split('/');
    const family = isIP(address);
    if (family === 0) continue;
    const type = family === 6 ? 'ipv6' : 'ipv4';
    list.addSubnet(
      address,
      prefix === undefined ? (family === 6 ? 128 : 32) : Number(prefix),
      type,
    );
  }
  return list;
}
