import type { Dialog } from '../dialog/dialog.ts';
import type { MessageDraft, SipRequest } from '../message/message.ts';
import { isScannerName } from '../guard/scanners.ts';
import type { Flow } from '../transport/transport.ts';
import { REFUSAL_HEADER } from './app-headers.ts';
import type { EngineContext, InboundRequest } from './context.ts';

/** A program that looks for open doors gets no answer, by which it would know that we are here. */
export function isScanner(context: EngineContext, request: SipRequest, flow: Flow): boolean {
  const name = request.headers.first('user-agent');
  if (name === undefined || !isScannerName(name)) return false;
  context.counters.scanners += 1;
  if (context.armour.isTrusted(flow.remote.address)) return false;
  context.armour.offend(flow, 'scanner');
  return true;
}

/** A call with a carrier, or from this machine, is nobody else's to end or change. */
export function mayReach(context: EngineContext, dialog: Dialog, flow: Flow): boolean {
  const { armour } = context;
  return !armour.isTrusted(dialog.flow.remote.address) || armour.isTrusted(flow.remote.address);
}

/** Whether a CANCEL comes from where its INVITE came (RFC 3261 §9.1: hop by hop). */
export function mayCancel(context: EngineContext, invite: InboundRequest, flow: Flow): boolean {
  const from = invite.flow.remote.address;
  const { address } = flow.remote;
  if (invite.flow.protocol !== flow.protocol) return false;
  // A carrier may be a cluster.
  return from === address || (context.armour.isTrusted(from) && context.armour.isTrusted(address));
}

export function noteSpoofed(context: EngineContext, flow: Flow): void {
  context.counters.spoofed += 1;
  context.armour.offend(flow, 'spoofed');
}

/**
 * An application refused credentials: 401, 403 or 407 to a request that had some. A nonce that
 * was too old says nothing against them, nor does a refusal that the application put down to policy.
 */
export function noteRefusal(
  context: EngineContext,
  { request, flow }: InboundRequest,
  status: number,
  { headers: answer }: MessageDraft,
): void {
  if (status !== 401 && status !== 403 && status !== 407) return;
  const { headers } = request;
  if (!headers.has('authorization') && !headers.has('proxy-authorization')) return;
  if (answer.first(REFUSAL_HEADER) === 'policy') return;
  if (answer.lines('www-authenticate').some((line) => /stale\s*=\s*"?true/i.test(line))) return;
  context.counters.credentialFailures += 1;
  context.armour.offend(flow, 'credentials');
}
