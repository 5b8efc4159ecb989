import { networkLeader } from '../drachtio/leaders.ts';
import { HeaderList } from '../message/header-list.ts';
import { NO_BODY, type SipRequest } from '../message/message.ts';
import { serialize, serializeReceived } from '../message/serialize.ts';
import type { EngineContext, InboundRequest } from './context.ts';
import { removeDialog } from './dialog-duties.ts';
import { answerForApp } from './inbound-answers.ts';

/** The caller canceled: 487 goes out here, and the application is told with the CANCEL itself. */
export function cancelInbound(
  context: EngineContext,
  inbound: InboundRequest,
  cancel: SipRequest,
): void {
  const packet = serializeReceived(`CANCEL ${cancel.uri} SIP/2.0`, cancel.headers, cancel.body);
  finishInvite(context, inbound, 487, packet, cancel.size);
}

/** The engine gives an INVITE up; the application sees a CANCEL that tells why. */
export function endInbound(
  context: EngineContext,
  inbound: InboundRequest,
  status: number,
  reason: string,
): void {
  const { request } = inbound;
  const headers = new HeaderList();
  for (const name of ['Via', 'From', 'To', 'Call-ID']) {
    headers.append(name, request.headers.first(name.toLowerCase()) ?? '');
  }
  headers.append('CSeq', `${request.cseq.sequence} CANCEL`);
  headers.append('Reason', `SIP;cause=${status};text="${reason}"`);
  const packet = serialize({ startLine: `CANCEL ${request.uri} SIP/2.0`, headers, body: NO_BODY });
  finishInvite(context, inbound, status, packet, 0);
}

function finishInvite(
  context: EngineContext,
  inbound: InboundRequest,
  status: number,
  toldApp: Buffer,
  size: number,
): void {
  const { dialog, flow, id, app, isInDialog } = inbound;
  answerForApp(context, inbound, status);
  const dialogId = dialog?.id ?? '';
  if (dialog !== undefined && !isInDialog) removeDialog(context, dialog);
  app.send(
    networkLeader({ flow, size, time: context.time(), transactionId: id, dialogId }),
    toldApp,
  );
}
