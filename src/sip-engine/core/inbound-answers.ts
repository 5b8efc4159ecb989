import type { ResponseOptions } from '../message/serialize.ts';
import { responseTo, serialize } from '../message/serialize.ts';
import type { MessageDraft, SipRequest } from '../message/message.ts';
import { InviteServerTransaction } from '../transaction/invite-server.ts';
import type { Flow } from '../transport/transport.ts';
import type { EngineContext, InboundRequest } from './context.ts';
import { randomToken, statelessTag } from './ids.ts';

/** Sends an answer through its transaction; returns the octets. A final one settles the request. */
export function sendAnswer(
  context: EngineContext,
  inbound: InboundRequest,
  status: number,
  draft: MessageDraft,
): Buffer {
  const packet = serialize(draft);
  if (inbound.trying?.fire !== undefined) {
    context.wheel.cancel(inbound.trying);
    // Some callers insist on 100 before they believe in ringing.
    if (status > 100 && status < 200) answerForApp(context, inbound, 100);
  }
  if (inbound.transaction instanceof InviteServerTransaction) {
    context.servers.respondInvite(inbound.request, inbound.transaction, status, packet);
  } else {
    inbound.transaction.respond(status, packet);
  }
  if (status >= 200) settle(context, inbound);
  return packet;
}

/** The engine answers in the application's place. */
export function answerForApp(
  context: EngineContext,
  inbound: InboundRequest,
  status: number,
  options: ResponseOptions = {},
): void {
  if (status > 100) inbound.toTag ??= randomToken();
  const draft = responseTo(inbound.request, status, { ...options, toTag: inbound.toTag });
  sendAnswer(context, inbound, status, draft);
}

/** Nothing waits for this request any more. */
export function settle(context: EngineContext, inbound: InboundRequest): void {
  context.inbound.delete(inbound.id);
  context.wheel.cancel(inbound.deadline);
  inbound.reliable?.stop();
  const { callId } = inbound.request;
  if (context.pendingInvites.get(callId) === inbound) context.pendingInvites.delete(callId);
  const { dialog } = inbound;
  if (dialog?.pendingInviteSequence === inbound.request.cseq.sequence) {
    dialog.pendingInviteSequence = undefined;
  }
}

/** Refuses without keeping anything: repetitions get the same answer again (RFC 3261 §8.2.7). */
export function answerStateless(
  request: SipRequest,
  flow: Flow,
  status: number,
  headers: readonly (readonly [string, string])[] = [],
): void {
  if (request.method === 'ACK') return;
  flow.send(serialize(responseTo(request, status, { toTag: statelessTag(request), headers })));
}
