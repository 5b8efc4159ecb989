import { refusalLeader, requestEchoLeader } from '../drachtio/leaders.ts';
import { HeaderList } from '../message/header-list.ts';
import { type MessageDraft, NO_BODY } from '../message/message.ts';
import { serialize } from '../message/serialize.ts';
import { transactionTimeoutMs } from '../transaction/timers.ts';
import type { AppPort } from '../drachtio/app-port.ts';
import { viaFor } from './address-book.ts';
import { copyAppHeaders } from './app-headers.ts';
import type { EngineContext } from './context.ts';
import { randomToken } from './ids.ts';
import type { OutboundRequest } from './outbound-request.ts';

/** `<id>|sip|<INVITE's transaction id>|` with CANCEL. */
export function cancelForApp(
  context: EngineContext,
  app: AppPort,
  frameId: string,
  transactionId: string,
  template: MessageDraft,
): void {
  const outbound = context.outboundRequests.get(transactionId);
  if (outbound === undefined || outbound.app !== app || outbound.method !== 'INVITE') {
    app.send(refusalLeader(frameId, `unable to cancel unknown transaction id: ${transactionId}`));
    return;
  }
  const draft = cancelOf(outbound, template);
  const packet = serialize(draft);
  const { flow } = outbound;
  const time = context.time();
  app.send(
    requestEchoLeader({ frameId, flow, size: packet.length, time, transactionId: randomToken() }),
    packet,
  );
  wantCancel(context, outbound, draft);
}

/** Cancels for an application that is gone. */
export function cancelOrphan(context: EngineContext, outbound: OutboundRequest): void {
  outbound.isOrphaned = true;
  const nothing = { startLine: '', headers: new HeaderList(), body: NO_BODY };
  if (outbound.method === 'INVITE') wantCancel(context, outbound, cancelOf(outbound, nothing));
}

function wantCancel(context: EngineContext, outbound: OutboundRequest, draft: MessageDraft): void {
  if (outbound.cancel !== undefined) return;
  outbound.cancel = { state: 'wanted', draft };
  if (outbound.hasProvisional) sendWantedCancel(context, outbound);
}

/** A CANCEL leaves once a provisional answer showed that the INVITE arrived (RFC 3261 §9.1). */
export function sendWantedCancel(context: EngineContext, outbound: OutboundRequest): void {
  const { cancel, flow, branch } = outbound;
  if (cancel?.state !== 'wanted') return;
  cancel.state = 'sent';
  context.clients.start({
    method: 'CANCEL',
    draft: cancel.draft,
    branch,
    flow,
    onResponse: () => {},
    onFailure: () => {},
  });
  // The INVITE ends even if the peer never says 487 (§9.1: after 64 × T1).
  outbound.cancelTimer = context.wheel.schedule(transactionTimeoutMs(context.timers), () => {
    context.clients.abandon(branch, 'INVITE');
    outbound.onCancelTimeout();
  });
}

/** Same Request-URI, Via, Route, From, To, Call-ID and CSeq number as the INVITE. */
function cancelOf(outbound: OutboundRequest, template: MessageDraft): MessageDraft {
  const invite = outbound.draft;
  const headers = new HeaderList();
  headers.append('Via', viaFor(outbound.flow, outbound.branch));
  headers.append('Max-Forwards', '70');
  for (const route of invite.headers.lines('route')) headers.append('Route', route);
  for (const name of ['From', 'To', 'Call-ID']) {
    headers.append(name, invite.headers.first(name.toLowerCase()) ?? '');
  }
  const sequence = Number.parseInt(invite.headers.first('cseq') ?? '0', 10);
  headers.append('CSeq', `${sequence} CANCEL`);
  copyAppHeaders(template, headers, outbound.flow, ['route']);
  return { startLine: invite.startLine.replace(/^INVITE /, 'CANCEL '), headers, body: NO_BODY };
}
