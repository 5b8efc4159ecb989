import type { IncomingMessage } from 'node:http';
import { isIP } from 'node:net';
import { addressList, isListed } from '../lib/address-list.ts';
import { TLSSocket } from 'node:tls';

/** Hops looked at in X-Forwarded-For. */
const HOPS_MAX = 32;

/** Who is at the other end, and whether they came by TLS. */
export interface Client {
  readonly address: string;
  readonly isSecure: boolean;
}

/**
 * Who sent a request that no framework looks at, such as an upgrade: the last hop before those
 * that are trusted, as `trusted_proxies` says. What an untrusted hop wrote is not read.
 */
export function clientOf(request: IncomingMessage, trustedProxies: readonly string[]): Client {
  const { socket, headers } = request;
  const trusted = addressList(trustedProxies);
  const peer = plain(socket.remoteAddress ?? '');
  const isSecure = socket instanceof TLSSocket;
  if (!isListed(trusted, peer)) return { address: peer, isSecure };
  const hops = textOf(headers['x-forwarded-for'])
    .split(',')
    .map((hop) => plain(hop.trim()))
    .slice(-HOPS_MAX);
  const before = [...hops].reverse().find((hop) => !isListed(trusted, hop));
  const proto = textOf(headers['x-forwarded-proto']).split(',').at(-1)?.trim().toLowerCase();
  const address = before !== undefined && isIP(before) !== 0 ? before : peer;
  return { address, isSecure: isSecure || proto === 'https' || proto === 'wss' };
}

const textOf = (header: string | readonly string[] | undefined): string =>
  typeof header === 'string' ? header : (header ?? []).join(',');

const plain = (address: string): string => address.replace(/^::ffff:(?=\d+\.)/i, '');
