import { uriHost } from '../message/uri.ts';
import { type Flow, isWebSocket, type Protocol } from '../transport/transport.ts';

/** `address:port` with IPv6 in brackets. */
export function hostPort(flow: Flow): string {
  return `${uriHost(flow.local.address)}:${flow.local.port}`;
}

/** Via of a request that leaves by this flow. */
export function viaFor(flow: Flow, branch: string): string {
  const rport = flow.protocol === 'udp' ? ';rport' : '';
  return `SIP/2.0/${flow.protocol.toUpperCase()} ${hostPort(flow)}${rport};branch=${branch}`;
}

/** Contact under which this side is reached by this flow's transport. */
export function contactFor(flow: Flow): string {
  return `<sip:${hostPort(flow)}${transportParam(flow.protocol)}>`;
}

/** RFC 7118 §5.2 knows `ws` alone, encrypted or not. */
function transportParam(protocol: Protocol): string {
  if (protocol === 'udp') return '';
  return `;transport=${isWebSocket(protocol) ? 'ws' : protocol}`;
}

/** Applications write `@localhost` where they mean "whatever this side is called". */
export function fillLocalhost(value: string, flow: Flow): string {
  if (!value.includes('@localhost')) return value;
  return value.replace(/@localhost(?::\d+)?(?![\w.-])/g, `@${hostPort(flow)}`);
}

/** In From, `sip:localhost` without a user counts too. */
export function fillLocalhostAnywhere(value: string, flow: Flow): string {
  if (!value.includes('localhost')) return value;
  return value.replace(/([@:])localhost(?::\d+)?(?![\w.-])/g, `$1${hostPort(flow)}`);
}
