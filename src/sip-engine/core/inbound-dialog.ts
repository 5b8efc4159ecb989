import type { Dialog } from '../dialog/dialog.ts';
import { networkLeader } from '../drachtio/leaders.ts';
import type { AppPort } from '../drachtio/app-port.ts';
import { fromTag, type SipRequest, toTag } from '../message/message.ts';
import { serializeReceived } from '../message/serialize.ts';
import { type Flow, isWebSocket } from '../transport/transport.ts';
import { mayReach, noteSpoofed } from './attacks.ts';
import type { EngineContext, InboundRequest } from './context.ts';
import { finishAckWait, removeDialog } from './dialog-duties.ts';
import { answerForApp, answerStateless } from './inbound-answers.ts';
import { endInbound } from './inbound-end.ts';
import { adoptSubscription } from './subscriptions.ts';

type Deliver = (
  context: EngineContext,
  request: SipRequest,
  flow: Flow,
  to: { readonly app: AppPort; readonly dialog: Dialog | undefined },
) => void;

/** The dialog a request belongs to: as callee its From tag names it, as caller its To tag does. */
export function findDialog(context: EngineContext, request: SipRequest): Dialog | undefined {
  const remote = fromTag(request);
  const local = toTag(request);
  const asCallee = context.dialogs.get(`${request.callId};from-tag=${remote}`);
  if (asCallee?.role === 'uas' && asCallee.localTag === local) return asCallee;
  const asCaller = context.dialogs.get(`${request.callId};from-tag=${local}`);
  const isCaller = asCaller?.role === 'uac';
  if (isCaller && (asCaller.remoteTag === remote || asCaller.legs.has(remote))) return asCaller;
  return undefined;
}

/**
 * The same, but not for requests that crossed between browsers and everyone else: a dialog that
 * began by WebSocket goes on by WebSocket, and no other may be reached from there. Nor is a dialog
 * with a carrier reached by others, whatever they know.
 */
function dialogOf(context: EngineContext, request: SipRequest, flow: Flow): Dialog | undefined {
  const dialog = findDialog(context, request);
  if (dialog === undefined) {
    if (knowsHalf(context, request)) noteSpoofed(context, flow);
    return undefined;
  }
  const isSameKind = isWebSocket(dialog.flow.protocol) === isWebSocket(flow.protocol);
  if (isSameKind && mayReach(context, dialog, flow)) return dialog;
  noteSpoofed(context, flow);
  return undefined;
}

/** It names a dialog of ours by Call-ID and one tag, but the other tag is wrong. */
function knowsHalf(context: EngineContext, request: SipRequest): boolean {
  const { callId } = request;
  return [fromTag(request), toTag(request)].some((tag) =>
    context.dialogs.has(`${callId};from-tag=${tag}`),
  );
}

/** Anything but ACK and CANCEL with a To tag. */
export function receiveInDialog(
  context: EngineContext,
  request: SipRequest,
  flow: Flow,
  deliver: Deliver,
): void {
  const { method } = request;
  const dialog = dialogOf(context, request, flow) ?? adoptSubscription(context, request, flow);
  if (dialog === undefined) return answerStateless(request, flow, 481);
  if (request.cseq.sequence < dialog.remoteSequence) return answerStateless(request, flow, 500);
  dialog.remoteSequence = request.cseq.sequence;
  if (dialog.hasSentBye && method === 'BYE') {
    // Both sides hung up at once. The application waits for the answer to its own BYE.
    return answerStateless(request, flow, 200);
  }
  const { app } = dialog;
  if (app === undefined || dialog.hasSentBye) return answerStateless(request, flow, 481);
  followFlow(dialog, flow);
  const refusal = glare(dialog, request);
  if (refusal !== undefined) {
    return answerStateless(request, flow, refusal, refusal === 500 ? [['Retry-After', '3']] : []);
  }
  if (method === 'PRACK')
    return receivePrack(context, request, flow, dialog, () =>
      deliver(context, request, flow, { app, dialog }),
    );
  if (method === 'BYE') return receiveBye(context, request, flow, dialog, deliver);
  if (method === 'NOTIFY' && dialog.usage === 'SUBSCRIBE' && isTerminated(request)) {
    deliver(context, request, flow, { app, dialog });
    removeDialog(context, dialog);
    return;
  }
  if (context.servers.isFull) return answerStateless(request, flow, 503, [['Retry-After', '5']]);
  deliver(context, request, flow, { app, dialog });
}

/** The peer may have a new port behind its NAT, or a new connection. */
function followFlow(dialog: Dialog, flow: Flow): void {
  if (dialog.routeSet.length === 0 || flow.isReliable) dialog.flow = flow;
}

/** RFC 3261 §14.2: 491 for an offer that crosses ours, 500 for a second one before the first is answered. */
function glare(dialog: Dialog, request: SipRequest): 491 | 500 | undefined {
  const isOffer =
    request.method === 'INVITE' || (request.method === 'UPDATE' && request.body.length > 0);
  if (!isOffer) return undefined;
  if (dialog.isOfferPending) return 491;
  if (request.method === 'INVITE' && dialog.pendingInviteSequence !== undefined) return 500;
  return undefined;
}

function receivePrack(
  context: EngineContext,
  request: SipRequest,
  flow: Flow,
  dialog: Dialog,
  pass: () => void,
): void {
  const invite = earlyInvite(context, dialog);
  const rack = request.headers.first('rack') ?? '';
  if (invite?.reliable?.acknowledge(rack) !== true) return answerStateless(request, flow, 481);
  pass();
  invite.reliable.release();
}

/** The caller's INVITE that made this dialog and is not answered yet. */
function earlyInvite(context: EngineContext, dialog: Dialog): InboundRequest | undefined {
  const pending = context.pendingInvites.get(dialog.callId);
  return pending?.dialog === dialog ? pending : undefined;
}

function receiveBye(
  context: EngineContext,
  request: SipRequest,
  flow: Flow,
  dialog: Dialog,
  deliver: Deliver,
): void {
  const early = earlyInvite(context, dialog);
  if (early !== undefined) {
    // BYE instead of CANCEL: the application knows an INVITE, not a dialog.
    answerStateless(request, flow, 200);
    endInbound(context, early, 487, 'BYE in an early dialog');
    return;
  }
  const { app } = dialog;
  if (app === undefined) return answerStateless(request, flow, 200);
  refusePendingReInvites(context, dialog);
  removeDialog(context, dialog);
  deliver(context, request, flow, { app, dialog });
}

/** RFC 3261 §15.1.2: what is pending when BYE comes is answered 487. */
function refusePendingReInvites(context: EngineContext, dialog: Dialog): void {
  if (dialog.pendingInviteSequence === undefined) return;
  for (const inbound of context.inbound.values()) {
    if (inbound.dialog === dialog && inbound.request.method === 'INVITE') {
      answerForApp(context, inbound, 487);
    }
  }
}

function isTerminated(request: SipRequest): boolean {
  return /^terminated\b/i.test(request.headers.first('subscription-state') ?? '');
}

/** An ACK outside any transaction: it acknowledges our 2xx, or nothing. */
export function receiveAck(context: EngineContext, request: SipRequest, flow: Flow): void {
  const dialog = dialogOf(context, request, flow);
  const wait = dialog?.ackWait;
  if (dialog === undefined || wait?.sequence !== request.cseq.sequence) {
    context.counters.strays += 1;
    return;
  }
  dialog.app?.send(
    networkLeader({
      flow,
      size: request.size,
      time: context.time(),
      transactionId: wait.transactionId,
      dialogId: dialog.id,
      isAck: true,
    }),
    serializeReceived(`ACK ${request.uri} SIP/2.0`, request.headers, request.body),
  );
  finishAckWait(context, dialog);
}
