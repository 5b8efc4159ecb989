import { contactUri, Dialog, type DialogLeg } from '../dialog/dialog.ts';
import { type SipResponse, toTag } from '../message/message.ts';
import { serialize } from '../message/serialize.ts';
import { transactionTimeoutMs } from '../transaction/timers.ts';
import type { Flow } from '../transport/transport.ts';
import { contactFor } from './address-book.ts';
import type { EngineContext } from './context.ts';
import { addDialog, endByEngine, removeDialog, sendBye, withVia } from './dialog-duties.ts';
import { newBranch } from './ids.ts';
import { FORKS_MAX, type OutboundRequest } from './outbound-request.ts';
import { acknowledge } from './own-ack.ts';
import { startSessionTimer } from './session-timing.ts';

/** Keeps the dialog in step with an answer to our request. False: the application has seen it already. */
export function followAnswer(
  context: EngineContext,
  outbound: OutboundRequest,
  response: SipResponse,
  flow: Flow,
): boolean {
  if (outbound.isInDialog) return followInDialog(context, outbound, response);
  if (outbound.method === 'SUBSCRIBE') return followSubscribe(context, outbound, response, flow);
  if (outbound.method !== 'INVITE') return true;
  if (response.status < 200) return followProvisional(context, outbound, response, flow);
  if (response.status < 300) return followAccepted(context, outbound, response, flow);
  followFailure(context, outbound);
  return true;
}

/** The request came to nothing: so does the dialog that it would have made. */
export function followFailure(context: EngineContext, outbound: OutboundRequest): void {
  const { dialog } = outbound;
  if (dialog === undefined) return;
  if (!outbound.isInDialog || outbound.method === 'BYE') removeDialog(context, dialog);
}

function followProvisional(
  context: EngineContext,
  outbound: OutboundRequest,
  response: SipResponse,
  flow: Flow,
): boolean {
  const tag = toTag(response);
  if (tag === '') return true;
  outbound.dialog ??= createUacDialog(context, outbound, response, flow);
  const { dialog } = outbound;
  if (dialog.state !== 'early') return false;
  if (!dialog.legs.has(tag) && dialog.legs.size >= FORKS_MAX) return false;
  const known = dialog.legs.get(tag);
  const leg = legOf(response, flow, known?.reliableSequence ?? 0);
  dialog.legs.set(tag, leg);
  dialog.adoptLeg(leg);
  dialog.refreshTarget(response);
  if (!response.headers.list('require').includes('100rel')) return true;
  const sequence = Number(response.headers.first('rseq') ?? '0');
  // RFC 3262 §4: repetitions and answers out of order are not acted upon.
  if (leg.reliableSequence !== 0 && sequence !== leg.reliableSequence + 1) return false;
  leg.reliableSequence = sequence;
  return true;
}

function followAccepted(
  context: EngineContext,
  outbound: OutboundRequest,
  response: SipResponse,
  flow: Flow,
): boolean {
  const isLate = outbound.dialog !== undefined && outbound.dialog.state !== 'early';
  if (isLate) {
    repeatedAccept(context, outbound, response, flow);
    return false;
  }
  const dialog = outbound.dialog ?? createUacDialog(context, outbound, response, flow);
  outbound.dialog = dialog;
  dialog.adoptLeg(legOf(response, flow, 0));
  dialog.legs.clear();
  dialog.refreshTarget(response);
  dialog.state = 'confirmed';
  expectAck(context, outbound, response);
  startSessionTimer(context, dialog, response.headers, 'uac');
  if (!outbound.isOrphaned) return true;
  acknowledge(context, dialog, response.cseq.sequence);
  sendBye(context, dialog, 'application gone');
  return false;
}

/** The application acknowledges; if it does not, the call cannot stand. */
function expectAck(context: EngineContext, outbound: OutboundRequest, response: SipResponse): void {
  const { dialog } = outbound;
  if (dialog === undefined) return;
  const { sequence } = response.cseq;
  context.wheel.cancel(dialog.ownAck?.timer);
  const timer = context.wheel.schedule(transactionTimeoutMs(context.timers), () => {
    context.counters.ackTimeouts += 1;
    acknowledge(context, dialog, sequence);
    endByEngine(context, dialog, 'ACK timeout');
  });
  dialog.ownAck = { sequence, packet: undefined, timer, isCanceled: outbound.cancel !== undefined };
}

/** A 2xx after the first: the same one again, or from another branch of a fork. */
function repeatedAccept(
  context: EngineContext,
  outbound: OutboundRequest,
  response: SipResponse,
  flow: Flow,
): void {
  const { dialog } = outbound;
  if (dialog === undefined) return;
  const tag = toTag(response);
  if (tag === dialog.remoteTag) {
    const { ownAck } = dialog;
    const isSame = ownAck?.sequence === response.cseq.sequence;
    if (isSame && ownAck.packet !== undefined) dialog.flow.send(ownAck.packet);
    return;
  }
  const known = outbound.forkAcks.get(tag);
  if (known !== undefined) {
    flow.send(known);
    return;
  }
  if (outbound.forkAcks.size < FORKS_MAX) endFork(context, outbound, response, flow);
}

/** RFC 3261 §13.2.2.4: acknowledge the unwanted 2xx, then BYE. */
function endFork(
  context: EngineContext,
  outbound: OutboundRequest,
  response: SipResponse,
  flow: Flow,
): void {
  context.counters.forksEnded += 1;
  const fork = newUacDialog(outbound, response, flow);
  const ack = withVia(fork.createRequest('ACK', response.cseq.sequence), flow, newBranch());
  const packet = serialize(ack);
  outbound.forkAcks.set(toTag(response), packet);
  flow.send(packet);
  fork.state = 'confirmed';
  sendBye(context, fork, 'forked answer not wanted');
}

function followInDialog(
  context: EngineContext,
  outbound: OutboundRequest,
  response: SipResponse,
): boolean {
  const { dialog, method } = outbound;
  const { status } = response;
  if (dialog === undefined || status < 200) return true;
  if (method === 'BYE') {
    if (status !== 401 && status !== 407) removeDialog(context, dialog);
    return true;
  }
  if (method === 'NOTIFY' && dialog.usage === 'SUBSCRIBE' && isTerminating(outbound)) {
    removeDialog(context, dialog);
    return true;
  }
  if (status > 299) return true;
  if (method === 'INVITE') return followReInvite(context, outbound, response, dialog);
  if (method === 'UPDATE') startSessionTimer(context, dialog, response.headers, 'uac');
  if (method === 'UPDATE' || method === 'SUBSCRIBE') dialog.refreshTarget(response);
  return true;
}

function followReInvite(
  context: EngineContext,
  outbound: OutboundRequest,
  response: SipResponse,
  dialog: Dialog,
): boolean {
  if (dialog.ownAck?.sequence === response.cseq.sequence) {
    repeatedAccept(context, outbound, response, dialog.flow);
    return false;
  }
  dialog.refreshTarget(response);
  if (outbound.draft.body.length > 0) dialog.lastLocalSdp = outbound.draft.body;
  expectAck(context, outbound, response);
  startSessionTimer(context, dialog, response.headers, 'uac');
  return true;
}

function isTerminating(outbound: OutboundRequest): boolean {
  return /^terminated\b/i.test(outbound.draft.headers.first('subscription-state') ?? '');
}

function followSubscribe(
  context: EngineContext,
  outbound: OutboundRequest,
  response: SipResponse,
  flow: Flow,
): boolean {
  if (response.status < 200) return true;
  if (response.status >= 300) {
    followFailure(context, outbound);
    return true;
  }
  // A NOTIFY may have made the dialog before this answer came (RFC 6665 §4.1.2.4).
  outbound.dialog ??= context.dialogs.get(outbound.dialogId);
  outbound.dialog ??= createUacDialog(context, outbound, response, flow);
  outbound.dialog.state = 'confirmed';
  outbound.dialog.refreshTarget(response);
  return true;
}

function legOf(response: SipResponse, flow: Flow, reliableSequence: number): DialogLeg {
  return {
    remoteTag: toTag(response),
    remoteAddress: response.headers.first('to') ?? '',
    remoteTarget: contactUri(response) ?? response.to.uri,
    routeSet: response.headers.list('record-route').reverse(),
    flow,
    reliableSequence,
  };
}

function createUacDialog(
  context: EngineContext,
  outbound: OutboundRequest,
  response: SipResponse,
  flow: Flow,
): Dialog {
  const dialog = newUacDialog(outbound, response, flow);
  addDialog(context, dialog);
  return dialog;
}

function newUacDialog(outbound: OutboundRequest, response: SipResponse, flow: Flow): Dialog {
  const leg = legOf(response, flow, 0);
  const { headers } = outbound.draft;
  const dialog = new Dialog({
    ...leg,
    id: outbound.dialogId,
    role: 'uac',
    usage: outbound.method === 'SUBSCRIBE' ? 'SUBSCRIBE' : 'INVITE',
    app: outbound.app,
    callId: response.callId,
    localTag: outbound.fromTag,
    localAddress: headers.first('from') ?? '',
    localContact: headers.first('contact') ?? contactFor(flow),
    localSequence: response.cseq.sequence,
    remoteSequence: 0,
  });
  dialog.lastLocalSdp = outbound.draft.body;
  return dialog;
}
