import { contactUri, Dialog } from '../dialog/dialog.ts';
import { ReliableProvisionals } from '../dialog/reliable-provisionals.ts';
import type { AppPort } from '../drachtio/app-port.ts';
import { refusalLeader, responseEchoLeader } from '../drachtio/leaders.ts';
import { parseNameAddr } from '../message/header-values.ts';
import { fromTag, type MessageDraft } from '../message/message.ts';
import { dialogIdOf, responseTo } from '../message/serialize.ts';
import { isWebSocket } from '../transport/transport.ts';
import { contactFor } from './address-book.ts';
import { noteRefusal } from './attacks.ts';
import { copyAppHeaders, ensureContentType } from './app-headers.ts';
import type { EngineContext, InboundRequest } from './context.ts';
import { addDialog, awaitAck, moveDialogs, removeDialog } from './dialog-duties.ts';
import { firstCSeq, randomToken } from './ids.ts';
import { sendAnswer } from './inbound-answers.ts';
import { ALLOW, SUPPORTED } from './capabilities.ts';
import { applySessionTimer, startSessionTimer } from './session-timing.ts';
import { endInbound } from './inbound-end.ts';

/** An answer as an application wrote it. */
interface AppAnswer {
  readonly frameId: string;
  readonly app: AppPort;
  readonly inbound: InboundRequest;
  readonly status: number;
  readonly reason: string;
  readonly template: MessageDraft;
}

const TEXT = {
  unknown: 'Response not sent due to unknown transaction',
  closed: 'transport for response has been shutdown or closed',
  failed: 'Unknown server error sending response',
  no100rel: 'Remote endpoint does not support 100rel',
};

/** `<id>|sip|<transactionId>|` with a status line. */
export function respondForApp(
  context: EngineContext,
  app: AppPort,
  frameId: string,
  transactionId: string,
  template: MessageDraft,
): void {
  const refuse = (text: string): void => app.send(refusalLeader(frameId, text));
  const inbound = context.inbound.get(transactionId);
  if (inbound === undefined || inbound.app !== app) return refuse(TEXT.unknown);
  const found = /^SIP\/2\.0 ([1-6]\d\d)(?: (.*))?$/.exec(template.startLine);
  if (found === null) return refuse(TEXT.failed);
  if (!inbound.flow.isOpen) return refuse(TEXT.closed);
  const status = Number(found[1]);
  send(context, { frameId, app, inbound, status, reason: found[2] ?? '', template });
}

function send(context: EngineContext, answer: AppAnswer): void {
  const { inbound, status, frameId, app } = answer;
  const isInvite = inbound.request.method === 'INVITE';
  const isReliable =
    isInvite && !inbound.isInDialog && status > 100 && status < 200 && wantsReliable(answer);
  if (isReliable && !peerSupports100rel(inbound)) {
    return app.send(refusalLeader(frameId, TEXT.no100rel));
  }
  const { reliable } = inbound;
  const mustWait =
    reliable?.isOutstanding === true &&
    (isReliable || (status >= 200 && status < 300 && reliable.holdsFinal));
  if (mustWait) {
    if (reliable.hold(() => send(context, answer))) return;
    return app.send(refusalLeader(frameId, TEXT.failed));
  }
  const draft = buildAnswer(context, answer, isReliable);
  if (draft === undefined) return app.send(refusalLeader(frameId, 'missing content-type'));
  followDialog(context, answer, draft);
  noteRefusal(context, inbound, status, answer.template);
  const packet = sendAnswer(context, inbound, status, draft);
  if (isReliable) keepSending(inbound, packet, draft);
  afterSending(context, answer, packet, draft);
  app.send(
    responseEchoLeader({
      frameId,
      flow: inbound.flow,
      size: packet.length,
      time: context.time(),
      transactionId: inbound.id,
      dialogId: echoedDialogId(inbound, status),
    }),
    packet,
  );
}

/** RFC 3262 §3: also when the caller insists. */
function wantsReliable({ template, inbound }: AppAnswer): boolean {
  return (
    template.headers.list('require').includes('100rel') ||
    inbound.request.headers.list('require').includes('100rel')
  );
}

function peerSupports100rel({ request }: InboundRequest): boolean {
  const options = [...request.headers.list('supported'), ...request.headers.list('require')];
  return options.includes('100rel');
}

function buildAnswer(
  context: EngineContext,
  { inbound, status, reason, template }: AppAnswer,
  isReliable: boolean,
): MessageDraft | undefined {
  const { request, flow } = inbound;
  if (status > 100) inbound.toTag ??= chosenTag(template) ?? randomToken();
  const draft = responseTo(request, status, {
    toTag: inbound.toTag,
    body: template.body,
    ...(reason === '' ? {} : { reason }),
  });
  const alsoOwned = isReliable ? ['route', 'require'] : ['route'];
  copyAppHeaders(template, draft.headers, flow, alsoOwned);
  if (needsContact(request.method, status) && !draft.headers.has('contact')) {
    draft.headers.append('Contact', inbound.dialog?.localContact ?? contactFor(flow));
  }
  if (isReliable) {
    inbound.reliable ??= newReliable(context, inbound);
    draft.headers.append('Require', requireWith100rel(template));
    draft.headers.append('RSeq', String(inbound.reliable.nextSequence()));
  }
  addCapabilities(inbound, status, draft);
  applySessionTimer(inbound, status, draft);
  return ensureContentType(draft.headers, draft.body) ? draft : undefined;
}

function requireWith100rel(template: MessageDraft): string {
  const others = template.headers.list('require').filter((option) => option !== '100rel');
  return [...others, '100rel'].join(', ');
}

function chosenTag(template: MessageDraft): string | undefined {
  return parseNameAddr(template.headers.first('to') ?? '')?.params.get('tag');
}

function needsContact(method: string, status: number): boolean {
  if (method === 'INVITE') return status > 100 && status < 300;
  return (method === 'SUBSCRIBE' || method === 'UPDATE') && status >= 200 && status < 300;
}

function addCapabilities(inbound: InboundRequest, status: number, draft: MessageDraft): void {
  const { method } = inbound.request;
  if (status < 200 || status > 299 || (method !== 'INVITE' && method !== 'OPTIONS')) return;
  if (!draft.headers.has('allow')) draft.headers.append('Allow', ALLOW);
  if (!draft.headers.has('supported')) draft.headers.append('Supported', SUPPORTED);
}

function newReliable(context: EngineContext, inbound: InboundRequest): ReliableProvisionals {
  return new ReliableProvisionals({
    wheel: context.wheel,
    timers: context.timers,
    firstSequence: firstCSeq(),
    inviteSequence: inbound.request.cseq.sequence,
    onTimeout: () => endInbound(context, inbound, 504, 'PRACK timeout'),
  });
}

function keepSending(inbound: InboundRequest, packet: Buffer, draft: MessageDraft): void {
  const { flow, reliable } = inbound;
  reliable?.sent(() => flow.send(packet), draft.body.length > 0, flow.isReliable);
}

/** Creates, confirms or drops the dialog that this answer is about. */
function followDialog(
  context: EngineContext,
  { inbound, status }: AppAnswer,
  draft: MessageDraft,
): void {
  const { request } = inbound;
  if (status <= 100 || inbound.isInDialog) return;
  const isInvite = request.method === 'INVITE';
  if (!isInvite && !(request.method === 'SUBSCRIBE' && status >= 200 && status < 300)) return;
  if (status >= 300) {
    if (inbound.dialog !== undefined) removeDialog(context, inbound.dialog);
    inbound.dialog = undefined;
    return;
  }
  if (inbound.dialog === undefined) {
    inbound.dialog = createUasDialog(inbound, draft);
    addDialog(context, inbound.dialog);
  }
  if (status >= 200) inbound.dialog.state = 'confirmed';
}

function createUasDialog(inbound: InboundRequest, draft: MessageDraft): Dialog {
  const { request, flow, app } = inbound;
  const dialog = new Dialog({
    id: dialogIdOf(request),
    role: 'uas',
    usage: request.method === 'SUBSCRIBE' ? 'SUBSCRIBE' : 'INVITE',
    app,
    callId: request.callId,
    localTag: inbound.toTag ?? '',
    remoteTag: fromTag(request),
    localAddress: draft.headers.first('to') ?? '',
    remoteAddress: request.headers.first('from') ?? '',
    remoteTarget: contactUri(request) ?? request.from.uri,
    routeSet: request.headers.list('record-route'),
    localContact: draft.headers.first('contact') ?? contactFor(flow),
    localSequence: firstCSeq(),
    remoteSequence: request.cseq.sequence,
    flow,
  });
  dialog.refreshTarget(request);
  return dialog;
}

function afterSending(
  context: EngineContext,
  { inbound, status }: AppAnswer,
  packet: Buffer,
  draft: MessageDraft,
): void {
  const { dialog, request, flow, id } = inbound;
  const isRegistered = request.method === 'REGISTER' && status >= 200 && status < 300;
  if (isRegistered && isWebSocket(flow.protocol)) {
    moveDialogs(context, context.contactFlows.learn(request, flow), flow);
  }
  if (dialog === undefined || status < 200 || status > 299) return;
  if (draft.body.length > 0) dialog.lastLocalSdp = draft.body;
  if (request.method === 'INVITE' || request.method === 'UPDATE') {
    dialog.refreshTarget(request);
    startSessionTimer(context, dialog, draft.headers, 'uas');
  }
  if (request.method !== 'INVITE') return;
  awaitAck(context, dialog, { sequence: request.cseq.sequence, transactionId: id, packet, flow });
}

/** srf makes its Dialog from this id; BYE and requests outside dialogs go without. */
function echoedDialogId(inbound: InboundRequest, status: number): string {
  if (inbound.dialog === undefined || inbound.request.method === 'BYE' || status <= 100) return '';
  return inbound.dialog.id;
}
