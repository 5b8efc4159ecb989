import { networkLeader } from '../drachtio/leaders.ts';
import type { AppPort } from '../drachtio/app-port.ts';
import type { Dialog } from '../dialog/dialog.ts';
import { splitOutside } from '../message/tokens.ts';
import { isInDialog, type SipRequest } from '../message/message.ts';
import { dialogIdOf, serializeReceived } from '../message/serialize.ts';
import { transactionKey } from '../transaction/server-transactions.ts';
import type { Flow } from '../transport/transport.ts';
import { ALLOW, KNOWN_METHODS, SUPPORTED, UNDERSTOOD } from './capabilities.ts';
import { isScanner, mayCancel, noteSpoofed } from './attacks.ts';
import type { EngineContext, InboundRequest } from './context.ts';
import { randomToken } from './ids.ts';
import { answerForApp, answerStateless, settle } from './inbound-answers.ts';
import { receiveAck, receiveInDialog } from './inbound-dialog.ts';
import { cancelInbound, endInbound } from './inbound-end.ts';
import { isSessionTooShort, MIN_SESSION_SECONDS } from './session-timing.ts';

/** Why and how a new request is refused before any application sees it. */
interface Refusal {
  readonly status: number;
  readonly headers?: readonly (readonly [string, string])[];
}

/** A request from the network, parsed and from an allowed source. */
export function receiveRequest(
  context: EngineContext,
  request: SipRequest,
  flow: Flow,
  isOverloaded: boolean,
): void {
  if (isScanner(context, request, flow)) return;
  if (request.method === 'CANCEL') return receiveCancel(context, request, flow);
  if (context.servers.absorb(request, flow)) {
    context.counters.retransmissionsIn += 1;
    return;
  }
  stampVia(request, flow);
  if (request.method === 'ACK') return receiveAck(context, request, flow);
  const refusal = refuseAnywhere(request);
  if (refusal !== undefined) return refuse(request, flow, refusal);
  if (isInDialog(request)) return receiveInDialog(context, request, flow, deliver);
  receiveNew(context, request, flow, isOverloaded);
}

/** RFC 3581 §4, always: `rport` is filled in, and `received` when sent-by names another host. */
function stampVia(request: SipRequest, flow: Flow): void {
  const line = request.headers.first('via') ?? '';
  const [top = '', ...others] = splitOutside(line, ',');
  const { via } = request;
  const bare = top.replace(/\s*;\s*(?:rport|received)(?:\s*=\s*[^;,\s]*)?(?=\s*;|\s*$)/gi, '');
  const asked = via.params.has('rport');
  const { address, port } = flow.remote;
  const received = asked || via.host !== address ? `;received=${address}` : '';
  request.headers.replaceFirst('via', [`${bare};rport=${port}${received}`, ...others].join(', '));
}

function refuse(request: SipRequest, flow: Flow, refusal: Refusal): void {
  answerStateless(request, flow, refusal.status, refusal.headers);
}

/** Refusals that hold inside and outside of dialogs. */
function refuseAnywhere(request: SipRequest): Refusal | undefined {
  const required = request.headers.list('require');
  const unknown = required.filter((option) => !UNDERSTOOD.has(option.toLowerCase()));
  if (unknown.length > 0) return { status: 420, headers: [['Unsupported', unknown.join(', ')]] };
  const isInvite = request.method === 'INVITE';
  if (isInvite && !request.headers.has('contact')) return { status: 400 };
  if ((isInvite || request.method === 'UPDATE') && isSessionTooShort(request)) {
    return { status: 422, headers: [['Min-SE', String(MIN_SESSION_SECONDS)]] };
  }
  if (isInvite && !isBodyUnderstood(request)) {
    return { status: 415, headers: [['Accept', 'application/sdp, multipart/mixed']] };
  }
  const accept = isInvite ? request.headers.list('accept') : [];
  if (accept.length > 0 && !accept.some(acceptsSdp)) return { status: 406 };
  return undefined;
}

function acceptsSdp(range: string): boolean {
  const type = range.split(';')[0]?.trim().toLowerCase();
  return type === 'application/sdp' || type === 'application/*' || type === '*/*';
}

/** RFC 3261 §8.2.3: a body that must be understood and is not SDP. */
function isBodyUnderstood(request: SipRequest): boolean {
  if (request.body.length === 0) return true;
  if (/handling\s*=\s*optional/i.test(request.headers.first('content-disposition') ?? ''))
    return true;
  const type = request.headers.first('content-type')?.split(';')[0]?.trim().toLowerCase() ?? '';
  return type === '' || type === 'application/sdp' || type.startsWith('multipart/');
}

function receiveNew(
  context: EngineContext,
  request: SipRequest,
  flow: Flow,
  isOverloaded: boolean,
): void {
  const refusal = refuseNew(context, request, isOverloaded);
  if (refusal !== undefined) {
    if (refusal.status === 503) context.counters.rejectedOverload += 1;
    return refuse(request, flow, refusal);
  }
  if (request.method === 'INVITE' && !context.armour.mayCall(flow)) {
    context.counters.rejectedCallRate += 1;
    context.armour.offend(flow, 'flood');
    return refuse(request, flow, { status: 503, headers: [['Retry-After', '1']] });
  }
  const app = context.routes.next(request.method);
  if (app !== undefined) {
    deliver(context, request, flow, { app, dialog: undefined });
    return;
  }
  if (request.method === 'OPTIONS') {
    return refuse(request, flow, {
      status: context.routes.hasApp ? 200 : 503,
      headers: [
        ['Allow', ALLOW],
        ['Accept', 'application/sdp'],
        ['Supported', SUPPORTED],
      ],
    });
  }
  refuse(request, flow, unrouted(context, request.method));
}

function unrouted(context: EngineContext, method: string): Refusal {
  if (!context.routes.hasApp) return { status: 503, headers: [['Retry-After', '5']] };
  if (!KNOWN_METHODS.has(method)) return { status: 501 };
  const allowed = new Set([...context.routes.methods(), 'ACK', 'CANCEL', 'BYE', 'OPTIONS']);
  return { status: 405, headers: [['Allow', [...allowed].join(', ')]] };
}

const NEEDS_DIALOG = new Set(['BYE', 'UPDATE', 'PRACK', 'INFO', 'NOTIFY']);
/** Requests that an application may pass on, so a hop count of 0 ends them here. */
const MAY_TRAVEL_ON = new Set(['INVITE', 'SUBSCRIBE', 'REFER', 'MESSAGE', 'PUBLISH']);

function refuseNew(
  context: EngineContext,
  request: SipRequest,
  isOverloaded: boolean,
): Refusal | undefined {
  const { method } = request;
  const hops = Number(request.headers.first('max-forwards') ?? '70');
  if (hops === 0 && MAY_TRAVEL_ON.has(method)) return { status: 483 };
  if (NEEDS_DIALOG.has(method) && !(method === 'NOTIFY' || method === 'INFO'))
    return { status: 481 };
  if (isMerged(context, request)) return { status: 482 };
  const isFull = context.servers.isFull || context.dialogs.size >= context.limits.dialogsMax;
  if (isOverloaded || isFull) return { status: 503, headers: [['Retry-After', '5']] };
  return undefined;
}

/** RFC 3261 §8.2.2.2, and drachtio-srf holds one INVITE per Call-ID. */
function isMerged(context: EngineContext, request: SipRequest): boolean {
  if (request.method !== 'INVITE') return false;
  return context.pendingInvites.has(request.callId) || context.dialogs.has(dialogIdOf(request));
}

/** Opens a server transaction and hands the request to an application. */
export function deliver(
  context: EngineContext,
  request: SipRequest,
  flow: Flow,
  to: { readonly app: AppPort; readonly dialog: Dialog | undefined },
): void {
  const { app, dialog } = to;
  const isInvite = request.method === 'INVITE';
  const inbound: InboundRequest = {
    id: randomToken(),
    request,
    flow,
    app,
    dialog,
    isInDialog: dialog !== undefined,
    toTag: dialog?.localTag,
    reliable: undefined,
    deadline: undefined,
    trying: undefined,
    transaction: isInvite
      ? context.servers.startInvite(request, flow, () => {})
      : context.servers.startNonInvite(request, flow),
  };
  context.inbound.set(inbound.id, inbound);
  watch(context, inbound);
  if (isInvite) {
    if (dialog === undefined) context.pendingInvites.set(request.callId, inbound);
    else dialog.pendingInviteSequence = request.cseq.sequence;
    sayTryingInTime(context, inbound);
  }
  app.send(
    networkLeader({
      flow,
      size: request.size,
      time: context.time(),
      transactionId: inbound.id,
      dialogId: dialog?.id ?? '',
      isNewRequest: dialog === undefined,
    }),
    serializeReceived(`${request.method} ${request.uri} SIP/2.0`, request.headers, request.body),
  );
}

function sayTryingInTime(context: EngineContext, inbound: InboundRequest): void {
  const { tryingAfterMs } = context.limits;
  const say = (): void => answerForApp(context, inbound, 100);
  if (tryingAfterMs <= 0) say();
  else inbound.trying = context.wheel.schedule(tryingAfterMs, say);
}

/** An application that never answers must not leave the caller, or our tables, waiting. */
function watch(context: EngineContext, inbound: InboundRequest): void {
  const { limits, wheel } = context;
  const { method } = inbound.request;
  const waitMs = method === 'INVITE' ? limits.inviteAnswerMs : limits.requestAnswerMs;
  inbound.deadline = wheel.schedule(waitMs, () => {
    if (method === 'INVITE') endInbound(context, inbound, 480, 'no answer from the application');
    else answerForApp(context, inbound, method === 'BYE' ? 200 : 500);
  });
}

function receiveCancel(context: EngineContext, request: SipRequest, flow: Flow): void {
  if (context.servers.absorb(request, flow)) return;
  stampVia(request, flow);
  const inviteKey = transactionKey(request, 'INVITE');
  const inbound = findInvite(context, request, inviteKey);
  if (inbound !== undefined && !mayCancel(context, inbound, flow)) {
    noteSpoofed(context, flow);
    // Without a transaction, which the caller's own CANCEL would be taken for a repetition of.
    return answerStateless(request, flow, 481);
  }
  // An INVITE that was answered finally is known, but CANCEL has no effect on it (§9.2).
  const isKnown = inbound !== undefined || context.servers.has(inviteKey);
  const transaction = context.servers.startNonInvite(request, flow);
  const own: InboundRequest = {
    id: randomToken(),
    request,
    flow,
    transaction,
    app: inbound?.app ?? NOBODY,
    dialog: undefined,
    isInDialog: false,
    toTag: inbound?.toTag,
    reliable: undefined,
    deadline: undefined,
    trying: undefined,
  };
  answerForApp(context, own, isKnown ? 200 : 481);
  settle(context, own);
  if (inbound !== undefined) cancelInbound(context, inbound, request);
}

const NOBODY: AppPort = { send: () => {} };

function findInvite(
  context: EngineContext,
  cancel: SipRequest,
  inviteKey: string,
): InboundRequest | undefined {
  const pending = context.pendingInvites.get(cancel.callId);
  if (pending !== undefined && transactionKey(pending.request) === inviteKey) return pending;
  for (const inbound of context.inbound.values()) {
    const isReInvite = inbound.isInDialog && inbound.request.method === 'INVITE';
    if (isReInvite && transactionKey(inbound.request) === inviteKey) return inbound;
  }
  return undefined;
}
