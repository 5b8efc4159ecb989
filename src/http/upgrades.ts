import type { IncomingMessage, Server } from 'node:http';
import type { Duplex } from 'node:stream';
import { type Client, clientOf } from './client-address.ts';

/** A request to change the protocol of its connection. Whoever takes it owns the socket. */
export interface Upgrade {
  readonly request: IncomingMessage;
  readonly socket: Duplex;
  readonly head: Buffer;
  readonly client: Client;
}

/** Who takes upgrades, by path. */
export type UpgradeDoors = Readonly<Record<string, (upgrade: Upgrade) => void>>;

/** Leads WebSockets to their doors; there is nothing behind any other path. */
export function serveUpgrades(
  server: Server,
  doors: UpgradeDoors,
  trustedProxies: readonly string[],
): void {
  server.on('upgrade', (request: IncomingMessage, socket: Duplex, head: Buffer) => {
    const path = (request.url ?? '').split('?')[0] ?? '';
    const door = Object.hasOwn(doors, path) ? doors[path] : undefined;
    if (door !== undefined) {
      door({ request, socket, head, client: clientOf(request, trustedProxies) });
      return;
    }
    socket.on('error', () => {});
    socket.end('HTTP/1.1 404 Not Found\r\nConnection: close\r\nContent-Length: 0\r\n\r\n');
  });
}

/**
 * Whether a page of that origin may open a WebSocket: our own pages, and those listed. Clients
 * that are no browsers send no Origin; nothing keeps them from sending any.
 */
export function isOriginAllowed(
  origin: string | undefined,
  request: IncomingMessage,
  { publicUrl, origins }: { readonly publicUrl: string; readonly origins: readonly string[] },
): boolean {
  if (origin === undefined || origins.includes('*')) return true;
  const given = originOf(origin);
  if (given === null) return false;
  if (given.host === request.headers.host?.toLowerCase()) return true;
  return [publicUrl, ...origins].some((allowed) => originOf(allowed)?.origin === given.origin);
}

function originOf(text: string): URL | null {
  try {
    return new URL(text);
  } catch {
    return null;
  }
}
