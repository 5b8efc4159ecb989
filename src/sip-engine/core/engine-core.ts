import type { AppPort } from '../drachtio/app-port.ts';
import type { Frame } from '../drachtio/frame-reader.ts';
import { refusalLeader } from '../drachtio/leaders.ts';
import { parseCSeq, parseNameAddr, parseVia } from '../message/header-values.ts';
import type { MessageDraft } from '../message/message.ts';
import { parseMessage, readTemplate, SipParseError } from '../message/parse-message.ts';
import { responseFromHeaders, serialize } from '../message/serialize.ts';
import type { Flow } from '../transport/transport.ts';
import { dialogRequestForApp } from './app-dialog-requests.ts';
import { readAppRequest, requestForApp } from './app-requests.ts';
import { respondForApp } from './app-responses.ts';
import { cancelForApp, cancelOrphan } from './client-cancel.ts';
import { type ContextOptions, EngineContext } from './context.ts';
import { removeDialog, sendBye } from './dialog-duties.ts';
import { randomToken } from './ids.ts';
import { answerForApp } from './inbound-answers.ts';
import { receiveRequest } from './inbound-requests.ts';

/**
 * The SIP engine without sockets and clock: packets, frames of applications and the time go in;
 * packets go out through flows, frames through application ports.
 */
export class EngineCore {
  readonly context: EngineContext;
  /** Set by whoever measures load: new requests get 503 while true. Asked for each. */
  isOverloaded: () => boolean = () => false;

  constructor(options: ContextOptions) {
    this.context = new EngineContext(options);
  }

  /** Time only moves here. */
  advance(nowMs: number): void {
    this.context.wheel.advance(nowMs);
  }

  /** One datagram, or one message of a stream. */
  receive(packet: Buffer, flow: Flow): void {
    const { context } = this;
    context.counters.packetsIn += 1;
    if (isKeepAlive(packet)) return;
    try {
      const message = parseMessage(packet);
      if (message.type === 'request') {
        context.counters.requestsIn += 1;
        receiveRequest(context, message, flow, this.isOverloaded());
      } else {
        context.counters.responsesIn += 1;
        if (!context.clients.receive(message, flow)) context.counters.strays += 1;
      }
    } catch (error) {
      if (!(error instanceof SipParseError)) throw error;
      this.malformed(flow, error.status === 513);
      answerMalformed(error, flow);
    }
  }

  /** What came is no SIP, or more than we take. */
  malformed(flow: Flow, isTooLarge: boolean): void {
    const { counters, armour } = this.context;
    counters.malformed += 1;
    if (isTooLarge) counters.oversized += 1;
    armour.offend(flow, 'malformed');
  }

  /** A connection failed or closed. */
  flowClosed(flow: Flow): void {
    this.context.contactFlows.closed(flow);
    this.context.clients.flowClosed(flow);
  }

  appConnected(app: AppPort): void {
    this.context.routes.connect(app);
  }

  /** A `sip` frame of an application that has authenticated. */
  sipFrame(app: AppPort, frame: Frame): void {
    const [frameId = '', , transactionId = '', dialogId = '', nextHop = ''] = frame.tokens;
    const template = readAppMessage(frame.message);
    if (template === undefined) {
      app.send(refusalLeader(frameId, 'invalid message'));
      return;
    }
    const { context } = this;
    if (template.startLine.startsWith('SIP/')) {
      return respondForApp(context, app, frameId, transactionId, template);
    }
    const request = readAppRequest(app, frameId, template);
    if (request === undefined) return;
    if (request.method === 'CANCEL') {
      return cancelForApp(context, app, frameId, transactionId, template);
    }
    if (dialogId !== '') return dialogRequestForApp(context, request, dialogId);
    requestForApp(context, request, nextHop);
  }

  /** Nobody is left to speak for these calls: refuse, cancel and hang up. */
  appGone(app: AppPort): void {
    const { context } = this;
    context.routes.disconnect(app);
    for (const inbound of context.inbound.values()) {
      if (inbound.app !== app) continue;
      const { dialog, isInDialog } = inbound;
      const isBye = inbound.request.method === 'BYE';
      answerForApp(context, inbound, isBye ? 200 : 503, {
        headers: isBye ? [] : [['Retry-After', '5']],
      });
      if (dialog !== undefined && !isInDialog) removeDialog(context, dialog);
    }
    for (const outbound of context.outboundRequests.values()) {
      if (outbound.app === app) cancelOrphan(context, outbound);
    }
    for (const dialog of context.dialogs.values()) {
      if (dialog.app !== app) continue;
      dialog.app = undefined;
      if (dialog.state === 'confirmed' && dialog.usage === 'INVITE' && !dialog.hasSentBye) {
        sendBye(context, dialog, 'application gone');
      } else if (dialog.usage === 'SUBSCRIBE') removeDialog(context, dialog);
    }
  }
}

/** CRLF between messages, RFC 5626 §3.5.1 and RFC 3261 §7.5; anything tiny is noise. */
function isKeepAlive(packet: Buffer): boolean {
  return packet.length < 16;
}

function readAppMessage(message: Buffer): MessageDraft | undefined {
  try {
    return readTemplate(message);
  } catch (error) {
    if (error instanceof SipParseError) return undefined;
    throw error;
  }
}

/** A request whose sender and transaction can still be told apart gets its refusal (RFC 4475 §3). */
function answerMalformed(error: SipParseError, flow: Flow): void {
  const { draft, status } = error;
  if (draft === undefined || /^SIP\//i.test(draft.startLine)) return;
  const { headers } = draft;
  const via = parseVia(headers.list('via')[0] ?? '');
  const cseq = parseCSeq(headers.first('cseq') ?? '');
  const from = parseNameAddr(headers.first('from') ?? '');
  const isAck = /^ACK\b/.test(draft.startLine) || cseq?.method === 'ACK';
  if (via === undefined || from === undefined || isAck || !headers.has('call-id')) return;
  const toTag = randomToken();
  flow.send(serialize(responseFromHeaders(headers, status, { toTag })));
}
