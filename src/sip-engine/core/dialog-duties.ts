import type { Dialog } from '../dialog/dialog.ts';
import { unsolicitedLeader } from '../drachtio/leaders.ts';
import { parseSipUri } from '../message/uri.ts';
import { transactionTimeoutMs } from '../transaction/timers.ts';
import { type Flow, isWebSocket } from '../transport/transport.ts';
import { serialize } from '../message/serialize.ts';
import type { MessageDraft } from '../message/message.ts';
import { HeaderList } from '../message/header-list.ts';
import { viaFor } from './address-book.ts';
import type { EngineContext } from './context.ts';
import { contactKey } from './contact-flows.ts';
import { newBranch } from './ids.ts';
import { nextHopOf, webSocketTo, withPlaces } from './next-hop.ts';

/** Puts a Via on top. */
export function withVia(draft: MessageDraft, flow: Flow, branch: string): MessageDraft {
  const headers = new HeaderList();
  headers.append('Via', viaFor(flow, branch));
  for (const { name, value } of draft.headers) headers.append(name, value);
  return { ...draft, headers };
}

/**
 * The flow for the next request of a dialog; undefined when there is no way.
 *
 * A connection is kept as long as it is open. Over UDP without Record-Route requests go back to
 * where the peer's came from, since its Contact may lie behind a NAT.
 */
export function withDialogFlow(
  context: EngineContext,
  dialog: Dialog,
  use: (flow: Flow | undefined) => void,
): void {
  if (dialog.flow.isReliable && dialog.flow.isOpen) {
    use(dialog.flow);
    return;
  }
  const hop = nextHopOf(dialog.nextHopUri());
  const staysOnSource = dialog.routeSet.length === 0 && !dialog.flow.isReliable;
  if (staysOnSource && (hop === undefined || isNatted(dialog, hop.host))) {
    use(dialog.flow);
    return;
  }
  if (hop === undefined) {
    use(undefined);
    return;
  }
  if (isWebSocket(hop.protocol)) {
    use(webSocketTo(context, hop, dialog.remoteTarget));
    return;
  }
  withPlaces(context, { ...hop, peer: dialog.flow.peer }, (places) => {
    const place = places[0];
    use(place === undefined ? undefined : context.outbound.flowTo(hop.protocol, place));
  });
}

/** A browser that connected anew and registered again takes its calls along. */
export function moveDialogs(context: EngineContext, contacts: readonly string[], to: Flow): void {
  for (const dialog of context.dialogs.values()) {
    const { flow } = dialog;
    const isLeft = isWebSocket(flow.protocol) && flow !== to;
    if (isLeft && contacts.includes(contactKey(dialog.remoteTarget) ?? '')) dialog.flow = to;
  }
}

/** UAS: any Contact but the source itself. UAC: a Contact on another host. */
function isNatted(dialog: Dialog, host: string): boolean {
  const { address, port } = dialog.flow.remote;
  if (host !== address) return true;
  const target = parseSipUri(dialog.remoteTarget);
  return dialog.role === 'uas' && (target?.port ?? 5060) !== port;
}

/** Resends a 2xx until its ACK comes; without one the call is ended (RFC 3261 §13.3.1.4). */
export function awaitAck(
  context: EngineContext,
  dialog: Dialog,
  facts: {
    readonly sequence: number;
    readonly transactionId: string;
    readonly packet: Buffer;
    readonly flow: Flow;
  },
): void {
  const { wheel, timers } = context;
  stopAckWait(context, dialog);
  const wait: NonNullable<Dialog['ackWait']> = {
    sequence: facts.sequence,
    transactionId: facts.transactionId,
    timer: undefined,
    endTimer: undefined,
    after: [],
  };
  dialog.ackWait = wait;
  const resendAfter = (intervalMs: number): void => {
    wait.timer = wheel.schedule(intervalMs, () => {
      facts.flow.send(facts.packet);
      resendAfter(Math.min(intervalMs * 2, timers.t2Ms));
    });
  };
  if (!facts.flow.isReliable) resendAfter(timers.t1Ms);
  wait.endTimer = wheel.schedule(transactionTimeoutMs(timers), () => {
    context.counters.ackTimeouts += 1;
    const isByeWanted = wait.after.length > 0;
    finishAckWait(context, dialog);
    if (!isByeWanted) endByEngine(context, dialog, 'ACK timeout');
  });
}

/** The ACK came: stops resending and does what had to wait for it. */
export function finishAckWait(context: EngineContext, dialog: Dialog): void {
  const after = dialog.ackWait?.after ?? [];
  stopAckWait(context, dialog);
  for (const act of after) act();
}

function stopAckWait(context: EngineContext, dialog: Dialog): void {
  context.wheel.cancel(dialog.ackWait?.timer);
  context.wheel.cancel(dialog.ackWait?.endTimer);
  dialog.ackWait = undefined;
}

/** Sends BYE without being asked, and tells the application with an `unsolicited` frame. */
export function endByEngine(context: EngineContext, dialog: Dialog, reason: string): void {
  const { app, id } = dialog;
  sendBye(context, dialog, reason, (packet, flow) => {
    app?.send(unsolicitedLeader(flow, packet.length, context.time(), id), packet);
  });
}

/** A BYE of the engine's own. The dialog is gone from the application's view at once. */
export function sendBye(
  context: EngineContext,
  dialog: Dialog,
  reason: string,
  onSent: (packet: Buffer, flow: Flow) => void = () => {},
): void {
  if (dialog.state === 'closing' || dialog.state === 'ended') return;
  dialog.state = 'closing';
  const draft = dialog.createRequest('BYE');
  draft.headers.append('Reason', `SIP;cause=200;text="${reason}"`);
  withDialogFlow(context, dialog, (flow) => {
    removeDialog(context, dialog);
    // Without a way to the peer the application must still learn that the call is over.
    const way = flow ?? dialog.flow;
    const branch = newBranch();
    const request = withVia(draft, way, branch);
    if (flow === undefined) {
      onSent(serialize(request), way);
      return;
    }
    const packet = context.clients.start({
      method: 'BYE',
      draft: request,
      branch,
      flow,
      onResponse: () => {},
      onFailure: () => {},
    });
    onSent(packet, flow);
  });
}

export function addDialog(context: EngineContext, dialog: Dialog): void {
  context.dialogs.set(dialog.id, dialog);
  context.counters.dialogsCreated += 1;
}

/** Forgets a dialog and everything that waits in it. */
export function removeDialog(context: EngineContext, dialog: Dialog): void {
  stopAckWait(context, dialog);
  context.wheel.cancel(dialog.ownAck?.timer);
  dialog.ownAck = undefined;
  dialog.sessionTimer?.stop();
  dialog.state = 'ended';
  if (context.dialogs.get(dialog.id) === dialog) context.dialogs.delete(dialog.id);
}
