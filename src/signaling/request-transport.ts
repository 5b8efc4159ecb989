import type { SrfRequest } from './drachtio.ts';

/**
 * What a request came over: `udp`, `tcp`, `tls`, `ws` or `wss`. Our engine knows it. drachtio-server
 * reports WebSocket as tcp, where the Via knows better; the relay in front of it lets no other Via
 * through. A request is by WebSocket when either says so, since those are trusted least.
 */
export function transportOf(req: Pick<SrfRequest, 'protocol' | 'get'>): string {
  const protocol = req.protocol.toLowerCase();
  if (isWebSocket(protocol)) return protocol;
  const via = /^\s*SIP\s*\/\s*2\.0\s*\/\s*([A-Za-z]+)/i.exec(req.get('via') ?? '')?.[1];
  return (via ?? protocol).toLowerCase();
}

export const isWebSocket = (transport: string): transport is 'ws' | 'wss' =>
  transport === 'ws' || transport === 'wss';
