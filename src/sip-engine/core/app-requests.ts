import type { AppPort } from '../drachtio/app-port.ts';
import { refusalLeader, requestEchoLeader } from '../drachtio/leaders.ts';
import { HeaderList } from '../message/header-list.ts';
import { parseNameAddr } from '../message/header-values.ts';
import type { MessageDraft } from '../message/message.ts';
import { serialize } from '../message/serialize.ts';
import { isToken, parseUnsigned } from '../message/tokens.ts';
import { parseSipUri } from '../message/uri.ts';
import { type Flow, type HostPort, isWebSocket, type Place } from '../transport/transport.ts';
import { contactFor, fillLocalhost, fillLocalhostAnywhere } from './address-book.ts';
import { copyAppHeaders, ensureContentType } from './app-headers.ts';
import { failOutbound, startOutbound } from './client-requests.ts';
import type { EngineContext } from './context.ts';
import { firstCSeq, randomToken } from './ids.ts';
import { type NextHop, nextHopOf, webSocketTo, withPlaces } from './next-hop.ts';
import type { OutboundRequest } from './outbound-request.ts';

/** What an application asked us to send, taken apart. */
export interface AppRequest {
  readonly app: AppPort;
  readonly frameId: string;
  readonly method: string;
  readonly uri: string;
  readonly template: MessageDraft;
}

/** Methods the application may send; anything else is a mistake of its own. */
const SENDABLE =
  /^(INVITE|REGISTER|OPTIONS|MESSAGE|SUBSCRIBE|NOTIFY|PUBLISH|INFO|REFER|UPDATE|BYE|PRACK|ACK|CANCEL)$/;

export function readAppRequest(
  app: AppPort,
  frameId: string,
  template: MessageDraft,
): AppRequest | undefined {
  const found = /^(\S+) (\S+) SIP\/2\.0$/.exec(template.startLine);
  const [, method = '', uri = ''] = found ?? [];
  if (isToken(method) && SENDABLE.test(method)) return { app, frameId, method, uri, template };
  app.send(refusalLeader(frameId, `invalid request-uri: ${template.startLine}`));
  return undefined;
}

/** `<id>|sip||[|next hop]`: a request outside any dialog. */
export function requestForApp(context: EngineContext, request: AppRequest, nextHop: string): void {
  const refuse = (text: string): void => request.app.send(refusalLeader(request.frameId, text));
  if (parseSipUri(request.uri) === undefined) {
    return refuse(`invalid request-uri: ${request.template.startLine}`);
  }
  if (context.clients.isFull) return refuse('too many transactions');
  const route = parseNameAddr(request.template.headers.list('route')[0] ?? '')?.uri;
  const found = nextHopOf(nextHop === '' ? (route ?? request.uri) : nextHop);
  const hop = found && { ...found, peer: peerOf(nextHop) };
  if (hop === undefined) return refuse('requested protocol/transport not available');
  if (isWebSocket(hop.protocol)) {
    const known = webSocketTo(context, hop, request.uri);
    const flow = known ?? goneFlow(hop);
    return send(context, request, hop, { flow, places: [], isReachable: known !== undefined });
  }
  withPlaces(context, hop, (places) => {
    const [place, ...others] = places;
    // A name that leads nowhere still needs a flow to write the request with: port 9 discards.
    const flow = context.outbound.flowTo(hop.protocol, place ?? NOWHERE);
    if (flow === undefined) return refuse('requested protocol/transport not available');
    if (place !== undefined && context.outbound.isSelf(hop.protocol, place)) {
      return refuse('can not send request to myself');
    }
    send(context, request, hop, { flow, places: others, isReachable: place !== undefined });
  });
}

/** `;peer=` of a next hop is between the application and us: it is not sent. */
function peerOf(nextHop: string): string | undefined {
  return nextHop === '' ? undefined : parseSipUri(nextHop)?.params.get('peer');
}

const NOWHERE: HostPort = { address: '127.0.0.1', port: 9 };

/** A request that has no way out must still be written, to tell the application of it. */
function goneFlow({ protocol }: NextHop): Flow {
  const place = NOWHERE;
  return { protocol, isReliable: true, local: place, remote: place, isOpen: false, send: () => {} };
}

interface Way {
  readonly flow: Flow;
  readonly places: readonly Place[];
  readonly isReachable: boolean;
}

function send(context: EngineContext, request: AppRequest, hop: NextHop, way: Way): void {
  const { app, frameId, method } = request;
  let { flow, places } = way;
  let draft = buildRequest(request, flow);
  if (draft === undefined) return app.send(refusalLeader(frameId, 'missing content-type'));
  if (isTooLargeForUdp(context, flow, draft)) {
    // RFC 3261 §18.1.1: by UDP after all where nobody takes TCP.
    places = [flow.remote, ...places];
    flow = context.outbound.flowTo('tcp', flow.remote) ?? flow;
    draft = buildRequest(request, flow) ?? draft;
  }
  const fromTag = parseNameAddr(draft.headers.first('from') ?? '')?.params.get('tag') ?? '';
  const callId = draft.headers.first('call-id') ?? '';
  const makesDialog = method === 'INVITE' || method === 'SUBSCRIBE';
  const outbound = newOutbound(context, { app, method, draft, flow, fromTag });
  outbound.places = places;
  const named = makesDialog ? { dialogId: `${callId};from-tag=${fromTag}` } : {};
  transmit(context, frameId, { ...outbound, ...named, protocol: hop.protocol }, way.isReachable);
}

function isTooLargeForUdp(context: EngineContext, flow: Flow, draft: MessageDraft): boolean {
  if (flow.protocol !== 'udp' || !context.prefersTcp(flow.remote.address)) return false;
  return serialize(draft).length > context.limits.udpRequestBytesMax;
}

/** The echo reaches the application before any answer can: srf tracks a request only from then on. */
function transmit(
  context: EngineContext,
  frameId: string,
  outbound: OutboundRequest,
  isReachable: boolean,
): void {
  outbound.onCancelTimeout = () => failOutbound(context, outbound, 408);
  const { app, id } = outbound;
  if (!isReachable) {
    context.outboundRequests.set(id, outbound);
    const packet = serialize(outbound.draft);
    const { flow } = outbound;
    app.send(
      requestEchoLeader({ frameId, flow, size: 0, time: context.time(), transactionId: id }),
      packet,
    );
    failOutbound(context, outbound, 503);
    return;
  }
  const packet = startOutbound(context, outbound);
  const { flow } = outbound;
  const size = packet.length;
  app.send(
    requestEchoLeader({ frameId, flow, size, time: context.time(), transactionId: id }),
    packet,
  );
}

/** The bookkeeping of one request; the caller sets what it knows better. */
export function newOutbound(
  context: EngineContext,
  facts: Pick<OutboundRequest, 'app' | 'method' | 'draft' | 'flow' | 'fromTag'>,
): OutboundRequest {
  const outbound: OutboundRequest = {
    ...facts,
    id: randomToken(),
    dialogId: '',
    protocol: facts.flow.protocol,
    places: [],
    branch: '',
    dialog: undefined,
    isInDialog: false,
    hasProvisional: false,
    cancel: undefined,
    cancelTimer: undefined,
    onCancelTimeout: () => failOutbound(context, outbound, 408),
    isOrphaned: false,
    forkAcks: new Map(),
  };
  return outbound;
}

/** Completes what the application left out; undefined when a body has no Content-Type. */
function buildRequest(request: AppRequest, flow: Flow): MessageDraft | undefined {
  const { method, uri, template } = request;
  const given = template.headers;
  const headers = new HeaderList();
  headers.append('Max-Forwards', maxForwards(given));
  headers.append('From', fromHeader(given, flow));
  headers.append('To', toHeader(given, uri, flow));
  headers.append('Call-ID', given.first('call-id') ?? `${randomToken()}@${flow.local.address}`);
  headers.append('CSeq', `${sequence(given)} ${method}`);
  copyAppHeaders(template, headers, flow);
  const needsContact = method === 'INVITE' || method === 'SUBSCRIBE';
  if (needsContact && !headers.has('contact')) headers.append('Contact', contactFor(flow));
  if (!ensureContentType(headers, template.body)) return undefined;
  return { startLine: `${method} ${uri} SIP/2.0`, headers, body: template.body };
}

function maxForwards(given: HeaderList): string {
  const value = parseUnsigned(given.first('max-forwards') ?? '', 255);
  return String(value ?? 70);
}

/** srf retries with credentials under the same Call-ID and From, and the next CSeq. */
function sequence(given: HeaderList): number {
  const value = Number.parseInt(given.first('cseq') ?? '', 10);
  return value > 0 && value < 2 ** 31 ? value : firstCSeq();
}

function fromHeader(given: HeaderList, flow: Flow): string {
  const text = given.first('from');
  const address =
    text === undefined ? contactFor(flow) : bracketed(fillLocalhostAnywhere(text, flow));
  const hasTag = parseNameAddr(address)?.params.has('tag') === true;
  return hasTag ? address : `${address};tag=${randomToken()}`;
}

function toHeader(given: HeaderList, uri: string, flow: Flow): string {
  const text = given.first('to');
  return text === undefined ? `<${uri}>` : bracketed(fillLocalhost(text, flow));
}

/** A bare URI with parameters would lose them to the header. */
function bracketed(text: string): string {
  if (text.includes('<') || /;\s*tag=/i.test(text)) return text;
  return `<${text}>`;
}
