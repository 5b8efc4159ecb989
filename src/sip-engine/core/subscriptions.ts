import { contactUri, Dialog } from '../dialog/dialog.ts';
import { fromTag, type SipRequest, toTag } from '../message/message.ts';
import type { Flow } from '../transport/transport.ts';
import { contactFor } from './address-book.ts';
import type { EngineContext } from './context.ts';
import { addDialog } from './dialog-duties.ts';
import type { OutboundRequest } from './outbound-request.ts';

/** A NOTIFY that overtakes the answer to our SUBSCRIBE makes the dialog (RFC 6665 §4.1.2.4). */
export function adoptSubscription(
  context: EngineContext,
  request: SipRequest,
  flow: Flow,
): Dialog | undefined {
  if (request.method !== 'NOTIFY') return undefined;
  const outbound = findSubscribe(context, `${request.callId};from-tag=${toTag(request)}`);
  if (outbound === undefined) return undefined;
  const dialog = new Dialog({
    id: outbound.dialogId,
    role: 'uac',
    usage: 'SUBSCRIBE',
    app: outbound.app,
    callId: request.callId,
    localTag: outbound.fromTag,
    remoteTag: fromTag(request),
    localAddress: outbound.draft.headers.first('from') ?? '',
    remoteAddress: request.headers.first('from') ?? '',
    remoteTarget: contactUri(request) ?? request.from.uri,
    routeSet: request.headers.list('record-route'),
    localContact: outbound.draft.headers.first('contact') ?? contactFor(flow),
    localSequence: Number.parseInt(outbound.draft.headers.first('cseq') ?? '1', 10),
    remoteSequence: 0,
    flow,
  });
  dialog.state = 'confirmed';
  addDialog(context, dialog);
  return dialog;
}

function findSubscribe(context: EngineContext, dialogId: string): OutboundRequest | undefined {
  for (const outbound of context.outboundRequests.values()) {
    if (outbound.method === 'SUBSCRIBE' && outbound.dialogId === dialogId) return outbound;
  }
  return undefined;
}
