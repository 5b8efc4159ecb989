import { BlockList } from 'node:net';
import { addressList, isListed } from '../../lib/address-list.ts';
import { normalizeUser } from './phone-number.ts';
import type { Trunk } from './trunk.ts';

/** Addresses that the hosts of one trunk may resolve to. */
export const HOST_ADDRESSES_MAX = 64;

interface Entry {
  readonly trunk: Trunk;
  readonly configured: BlockList;
  resolved: BlockList;
}

/**
 * Who calls, and for whom: source address → trunk, dialed number → agent. Hosts given as
 * addresses count as sources at once, hosts given as names once they were resolved.
 */
export class TrunkBook {
  readonly #entries: readonly Entry[];

  constructor(trunks: readonly Trunk[]) {
    this.#entries = trunks.map((trunk) => ({
      trunk,
      configured: addressList([...trunk.allowedSources, ...trunk.hosts.map(({ host }) => host)]),
      resolved: new BlockList(),
    }));
  }

  get trunks(): readonly Trunk[] {
    return this.#entries.map(({ trunk }) => trunk);
  }

  find(name: string): Trunk | null {
    return this.#entries.find(({ trunk }) => trunk.name === name)?.trunk ?? null;
  }

  /** What the names among a trunk's hosts resolve to now; replaces what they did before. */
  setHostAddresses(name: string, addresses: readonly string[]): void {
    const entry = this.#entries.find(({ trunk }) => trunk.name === name);
    if (entry !== undefined) entry.resolved = addressList(addresses.slice(0, HOST_ADDRESSES_MAX));
  }

  isSourceOf(name: string, address: string): boolean {
    const entry = this.#entries.find(({ trunk }) => trunk.name === name);
    return entry !== undefined && hasSource(entry, address);
  }

  isSource(address: string): boolean {
    return this.#entries.some((entry) => hasSource(entry, address));
  }

  /** Whether large requests to this address go by TCP. */
  prefersTcp(address: string): boolean {
    return this.#entries.some((entry) => entry.trunk.prefersTcp && hasSource(entry, address));
  }

  /**
   * The trunk a request came by. Where a carrier's servers serve several trunks, the one that
   * was dialed: by its own numbers, else by its user; else the first.
   */
  trunkOf(address: string, dialed: string): Trunk | null {
    const candidates = this.#entries.filter((entry) => hasSource(entry, address));
    const trunks = candidates.map(({ trunk }) => trunk);
    const byNumber = trunks.find((trunk) => ownAgentOf(trunk, dialed) !== null);
    const byUser = trunks.find(({ username }) => username !== null && username === dialed);
    return byNumber ?? byUser ?? trunks[0] ?? null;
  }
}

/** Whom the SIP engine may hear, beside loopback: trunks, and `sip.allowed_sources`. */
export function sourceFilter(
  book: Pick<TrunkBook, 'isSource'>,
  allowedSources: readonly string[],
): (address: string) => boolean {
  const list = addressList(allowedSources);
  return (address) => isListed(list, address) || book.isSource(address);
}

/** Agent of a dialed number by the trunk's own numbers, else the trunk's default; null: nobody. */
export function agentOf(trunk: Trunk, dialed: string): string | null {
  return ownAgentOf(trunk, dialed) ?? trunk.agent;
}

/** Agent of a dialed number by the trunk's own numbers alone. */
export function ownAgentOf(trunk: Trunk, dialed: string): string | null {
  const { numbers } = trunk;
  return (
    numbers.get(dialed) ??
    numbers.get(normalizeUser(dialed, trunk)) ??
    numbers.get(dialed.toLowerCase()) ??
    null
  );
}

const hasSource = ({ configured, resolved }: Entry, address: string): boolean =>
  isListed(configured, address) || isListed(resolved, address);
