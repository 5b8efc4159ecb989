import { randomUUID } from 'node:crypto';
import type { Flow } from '../transport/transport.ts';

/** A message from the network, told to an application. */
export interface NetworkLeader {
  readonly flow: Flow | undefined;
  /** Octets on the wire; 0 for an answer that we made ourselves. */
  readonly size: number;
  readonly time: string;
  readonly transactionId: string;
  readonly dialogId: string;
  /** New requests say where they came in. */
  readonly isNewRequest?: boolean;
  /** An ACK inside a dialog goes without a protocol. */
  readonly isAck?: boolean;
}

/** `sip|network|…`: drachtio-srf wants more than nine tokens, hence the closing `|`. */
export function networkLeader(facts: NetworkLeader): string {
  const { flow, size, time, transactionId, dialogId } = facts;
  const protocol = facts.isAck === true ? '' : (flow?.protocol ?? '');
  const address = flow?.remote.address ?? '';
  const port = flow?.remote.port ?? 0;
  const received =
    facts.isNewRequest === true && flow ? `${flow.local.address}|${flow.local.port}|` : '';
  return `${randomUUID()}|sip|network|${size}|${protocol}|${address}|${port}|${time}|${transactionId}|${dialogId}|${received}`;
}

/** A BYE that the engine sent of its own accord. */
export function unsolicitedLeader(
  flow: Flow,
  size: number,
  time: string,
  dialogId: string,
): string {
  const { address, port } = flow.local;
  return `${randomUUID()}|sip|application|${size}|${flow.protocol}|${address}|${port}|${time}|unsolicited|${dialogId}|`;
}

export interface EchoFacts {
  /** Id of the application's frame. */
  readonly frameId: string;
  readonly flow: Flow;
  readonly size: number;
  readonly time: string;
  readonly transactionId: string;
}

/** Answers a request that an application had us send; token 10 is the transaction. */
export function requestEchoLeader(facts: EchoFacts): string {
  const { frameId, flow, size, time, transactionId } = facts;
  const place = flow.isReliable ? flow.remote : flow.local;
  return `${randomUUID()}|response|${frameId}|OK|application|${size}|${flow.protocol}|${place.address}|${place.port}|${time}|${transactionId}|Msg sent:|`;
}

/** Answers a response that an application had us send; token 11 is the dialog. */
export function responseEchoLeader(facts: EchoFacts & { readonly dialogId: string }): string {
  const { frameId, flow, size, time, transactionId, dialogId } = facts;
  return `${randomUUID()}|response|${frameId}|OK|application|${size}|${flow.protocol}|${flow.remote.address}|${flow.remote.port}|${time}|${transactionId}|${dialogId}||Msg sent:|`;
}

export function refusalLeader(frameId: string, text: string): string {
  return `${randomUUID()}|response|${frameId}|NOK|${text}`;
}
