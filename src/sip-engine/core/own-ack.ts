import type { Dialog } from '../dialog/dialog.ts';
import type { MessageDraft } from '../message/message.ts';
import { serialize } from '../message/serialize.ts';
import type { Flow } from '../transport/transport.ts';
import type { EngineContext } from './context.ts';
import { withDialogFlow, withVia } from './dialog-duties.ts';
import { newBranch } from './ids.ts';

/** Sends the ACK of a 2xx by itself: no transaction, its own branch (RFC 3261 §13.2.2.4). */
export function acknowledge(
  context: EngineContext,
  dialog: Dialog,
  sequence: number,
  complete: (draft: MessageDraft, flow: Flow) => MessageDraft = (draft) => draft,
  onSent: (packet: Buffer, flow: Flow) => void = () => {},
): void {
  const draft = dialog.createRequest('ACK', sequence);
  withDialogFlow(context, dialog, (flow) => {
    const way = flow ?? dialog.flow;
    const packet = serialize(withVia(complete(draft, way), way, newBranch()));
    if (way.isOpen) way.send(packet);
    const { ownAck } = dialog;
    if (ownAck?.sequence === sequence) {
      ownAck.packet = packet;
      context.wheel.cancel(ownAck.timer);
    }
    onSent(packet, way);
  });
}
