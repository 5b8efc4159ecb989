import { networkLeader } from '../drachtio/leaders.ts';
import type { SipResponse } from '../message/message.ts';
import { responseFromHeaders, serialize, serializeReceived } from '../message/serialize.ts';
import type { ClientFailure } from '../transaction/client-transactions.ts';
import type { Flow } from '../transport/transport.ts';
import type { EngineContext } from './context.ts';
import { withVia } from './dialog-duties.ts';
import { newBranch, randomToken } from './ids.ts';
import { followAnswer, followFailure } from './client-answers.ts';
import type { OutboundRequest } from './outbound-request.ts';
import { sendWantedCancel } from './client-cancel.ts';

/** Sends a request of an application on its present flow; returns the octets. */
export function startOutbound(context: EngineContext, outbound: OutboundRequest): Buffer {
  const { method, flow } = outbound;
  outbound.branch = newBranch();
  context.outboundRequests.set(outbound.id, outbound);
  return context.clients.start({
    method,
    branch: outbound.branch,
    flow,
    isFirst: !outbound.isInDialog,
    draft: withVia(outbound.draft, flow, outbound.branch),
    onResponse: (response, from) => receive(context, outbound, response, from),
    onFailure: (failure) => fail(context, outbound, failure),
  });
}

function receive(
  context: EngineContext,
  outbound: OutboundRequest,
  response: SipResponse,
  flow: Flow,
): void {
  const isFirst = !outbound.hasProvisional;
  outbound.hasProvisional = true;
  if (response.status === 503 && isFirst && tryNextPlace(context, outbound)) return;
  if (response.status < 200) sendWantedCancel(context, outbound);
  if (response.status === 100) return;
  if (response.status >= 200) forget(context, outbound);
  if (!followAnswer(context, outbound, response, flow)) return;
  if (outbound.isOrphaned) return;
  const startLine = `SIP/2.0 ${response.status} ${response.reason}`;
  outbound.app.send(
    networkLeader({
      flow,
      size: response.size,
      time: context.time(),
      transactionId: outbound.id,
      dialogId: outbound.dialogId,
    }),
    serializeReceived(startLine, response.headers, response.body),
  );
}

const STATUS_OF: Record<ClientFailure, number> = { timeout: 408, 'flow-lost': 503 };

function fail(context: EngineContext, outbound: OutboundRequest, failure: ClientFailure): void {
  if (!outbound.hasProvisional && tryNextPlace(context, outbound)) return;
  failOutbound(context, outbound, STATUS_OF[failure]);
}

/** Tells the application that no answer came: source `network`, 0 octets, no address. */
export function failOutbound(
  context: EngineContext,
  outbound: OutboundRequest,
  status: number,
): void {
  if (!context.outboundRequests.has(outbound.id)) return;
  forget(context, outbound);
  followFailure(context, outbound);
  if (outbound.isOrphaned) return;
  const request = withVia(outbound.draft, outbound.flow, outbound.branch);
  const { failure } = outbound.flow;
  const headers: [string, string][] =
    failure === undefined ? [] : [['Reason', `SIP;cause=${status};text="${failure}"`]];
  const answer = responseFromHeaders(request.headers, status, { toTag: randomToken(), headers });
  outbound.app.send(
    networkLeader({
      flow: undefined,
      size: 0,
      time: context.time(),
      transactionId: outbound.id,
      dialogId: outbound.dialogId,
    }),
    serialize(answer),
  );
}

function forget(context: EngineContext, outbound: OutboundRequest): void {
  context.outboundRequests.delete(outbound.id);
  context.wheel.cancel(outbound.cancelTimer);
  if (outbound.method === 'INVITE' && outbound.isInDialog && outbound.dialog) {
    outbound.dialog.isOfferPending = false;
  }
}

/** RFC 3263 §4.3: a place that cannot be reached, or says 503 at once, gives way to the next. */
function tryNextPlace(context: EngineContext, outbound: OutboundRequest): boolean {
  const [place, ...others] = outbound.places;
  if (place === undefined || outbound.cancel !== undefined || outbound.isOrphaned) return false;
  const flow = context.outbound.flowTo(outbound.protocol, place);
  if (flow === undefined) return false;
  outbound.places = others;
  outbound.flow = flow;
  outbound.hasProvisional = false;
  startOutbound(context, outbound);
  return true;
}
