import { isIP } from 'node:net';
import type { Trunk } from './trunk.ts';

/** The address that a trunk's settings claim for us, `host:port`; null: none. */
export function externalHost(
  { externalAddress }: Pick<Trunk, 'externalAddress'>,
  sipPort: number,
): string | null {
  if (externalAddress === null) return null;
  const host = isIP(externalAddress) === 6 ? `[${externalAddress}]` : externalAddress;
  return `${host}:${sipPort}`;
}

/**
 * Contact where a trunk reaches us; null: the engine's own will do. What was learnt of us by the
 * registrar (RFC 3581) is the way back through a NAT, and that of datagrams alone.
 */
export function contactOf(
  trunk: Pick<Trunk, 'externalAddress' | 'username'>,
  facts: {
    readonly transport: string;
    readonly learntHost: string | null;
    readonly sipPort: number;
  },
): string | null {
  const isDatagram = facts.transport === 'udp';
  const host = externalHost(trunk, facts.sipPort) ?? (isDatagram ? facts.learntHost : null);
  if (host === null) return null;
  const user = trunk.username === null ? '' : `${trunk.username}@`;
  return `<sip:${user}${host}${isDatagram ? '' : `;transport=${facts.transport}`}>`;
}
