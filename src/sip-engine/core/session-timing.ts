import { randomInt } from 'node:crypto';
import type { Dialog } from '../dialog/dialog.ts';
import type { HeaderList } from '../message/header-list.ts';
import type { MessageDraft, SipRequest, SipResponse } from '../message/message.ts';
import type { Timer } from '../transaction/timer-wheel.ts';
import type { EngineContext, InboundRequest } from './context.ts';
import { endByEngine, withDialogFlow, withVia } from './dialog-duties.ts';
import { newBranch } from './ids.ts';
import { acknowledge } from './own-ack.ts';

/** RFC 4028 §5: no session interval is shorter. */
export const MIN_SESSION_SECONDS = 90;
/** Longest interval we keep; a longer one is treated as this. */
const MAX_SESSION_SECONDS = 86_400;

export interface SessionExpires {
  readonly seconds: number;
  readonly refresher: 'uac' | 'uas' | undefined;
}

export function readSessionExpires(headers: HeaderList): SessionExpires | undefined {
  const value = headers.first('session-expires');
  const found = /^(\d+)/.exec(value ?? '');
  if (value === undefined || found === null) return undefined;
  const named = /;\s*refresher\s*=\s*(uac|uas)/i.exec(value)?.[1]?.toLowerCase();
  const refresher = named === 'uac' || named === 'uas' ? named : undefined;
  return { seconds: Math.min(Number(found[1]), MAX_SESSION_SECONDS), refresher };
}

/** RFC 4028 §9: such a request gets 422 with Min-SE. */
export function isSessionTooShort(request: SipRequest): boolean {
  const asked = readSessionExpires(request.headers);
  if (asked === undefined || asked.seconds >= MIN_SESSION_SECONDS) return false;
  return request.headers.list('supported').includes('timer');
}

/** Completes our 2xx: who refreshes, and how often. The application's own header wins. */
export function applySessionTimer(
  { request }: InboundRequest,
  status: number,
  draft: MessageDraft,
): void {
  if (status < 200 || status > 299) return;
  if (request.method !== 'INVITE' && request.method !== 'UPDATE') return;
  const asked = readSessionExpires(request.headers);
  const ours = readSessionExpires(draft.headers);
  if (asked === undefined && ours === undefined) return;
  const peerCan = request.headers.list('supported').includes('timer');
  const seconds = Math.max(ours?.seconds ?? asked?.seconds ?? 0, MIN_SESSION_SECONDS);
  const wanted = asked?.refresher ?? ours?.refresher ?? 'uac';
  const refresher = peerCan ? wanted : 'uas';
  draft.headers.set('Session-Expires', `${seconds};refresher=${refresher}`);
  const required = draft.headers.list('require');
  if (refresher === 'uac' && !required.includes('timer')) {
    draft.headers.set('Require', [...required, 'timer'].join(', '));
  }
}

/** (Re)arms the timer after a 2xx to INVITE or UPDATE. `role` is ours in that transaction. */
export function startSessionTimer(
  context: EngineContext,
  dialog: Dialog,
  answer: HeaderList,
  role: 'uac' | 'uas',
): void {
  const agreed = readSessionExpires(answer);
  dialog.sessionTimer?.stop();
  dialog.sessionTimer = undefined;
  if (agreed === undefined) return;
  const isOurs = (agreed.refresher ?? 'uac') === role;
  const seconds = Math.max(agreed.seconds, MIN_SESSION_SECONDS);
  dialog.sessionTimer = new SessionTimer(context, dialog, seconds, isOurs);
}

/** Refreshes at half of the interval, or ends the call when nobody did (RFC 4028 §10). */
class SessionTimer {
  readonly #context: EngineContext;
  readonly #dialog: Dialog;
  #seconds: number;
  #refreshTimer: Timer | undefined;
  readonly #expiryTimer: Timer;

  constructor(context: EngineContext, dialog: Dialog, seconds: number, isOurs: boolean) {
    this.#context = context;
    this.#dialog = dialog;
    this.#seconds = seconds;
    const graceSeconds = Math.min(32, Math.floor(seconds / 3));
    this.#expiryTimer = context.wheel.schedule((seconds - graceSeconds) * 1000, () =>
      this.#expire(),
    );
    if (isOurs) this.#refreshAfter((seconds / 2) * 1000);
  }

  stop(): void {
    this.#context.wheel.cancel(this.#refreshTimer);
    this.#context.wheel.cancel(this.#expiryTimer);
  }

  #refreshAfter(delayMs: number): void {
    this.#context.wheel.cancel(this.#refreshTimer);
    this.#refreshTimer = this.#context.wheel.schedule(delayMs, () => this.#refresh());
  }

  #expire(): void {
    this.#context.counters.sessionsExpired += 1;
    endByEngine(this.#context, this.#dialog, 'Session timer expired');
  }

  #refresh(): void {
    const dialog = this.#dialog;
    if (dialog.state !== 'confirmed') return;
    const isBusy =
      dialog.isOfferPending || dialog.pendingInviteSequence !== undefined || dialog.ackWait;
    if (isBusy) return this.#refreshAfter(2000);
    withDialogFlow(this.#context, dialog, (flow) => {
      if (flow === undefined) return;
      const method = dialog.peerAllows.has('UPDATE') ? 'UPDATE' : 'INVITE';
      const draft = this.#refreshRequest(method);
      const branch = newBranch();
      // An UPDATE without a description offers nothing.
      dialog.isOfferPending = method === 'INVITE';
      this.#context.clients.start({
        method,
        draft: withVia(draft, flow, branch),
        branch,
        flow,
        onResponse: (response) => this.#answered(method, response),
        onFailure: () => this.#expire(),
        onTerminated: () => {},
      });
    });
  }

  #refreshRequest(method: 'UPDATE' | 'INVITE'): MessageDraft {
    const draft = this.#dialog.createRequest(method);
    draft.headers.append('Contact', this.#dialog.localContact);
    draft.headers.append('Session-Expires', `${this.#seconds};refresher=uac`);
    draft.headers.append('Supported', 'timer');
    if (method === 'UPDATE' || this.#dialog.lastLocalSdp.length === 0) return draft;
    draft.headers.append('Content-Type', 'application/sdp');
    return { ...draft, body: this.#dialog.lastLocalSdp };
  }

  #answered(method: 'UPDATE' | 'INVITE', response: SipResponse): void {
    if (response.status < 200) return;
    const dialog = this.#dialog;
    dialog.isOfferPending = false;
    if (response.status < 300) {
      if (method === 'INVITE') acknowledge(this.#context, dialog, response.cseq.sequence);
      if (dialog.sessionTimer !== this) return;
      dialog.refreshTarget(response);
      const { headers } = response;
      if (readSessionExpires(headers) === undefined) {
        headers.append('Session-Expires', `${this.#seconds};refresher=uac`);
      }
      startSessionTimer(this.#context, dialog, headers, 'uac');
      return;
    }
    this.#refused(response);
  }

  #refused(response: SipResponse): void {
    switch (response.status) {
      case 408:
      case 481:
        return this.#expire();
      case 405:
      case 501:
        this.#dialog.peerAllows = new Set();
        return this.#refreshAfter(10);
      case 422: {
        const least = Number.parseInt(response.headers.first('min-se') ?? '', 10);
        if (least > this.#seconds && least <= MAX_SESSION_SECONDS) this.#seconds = least;
        return this.#refreshAfter(10);
      }
      case 491:
        return this.#refreshAfter(glareDelayMs(this.#dialog));
      default:
        return this.#refreshAfter(5000);
    }
  }
}

/** RFC 3261 §14.1: who made the Call-ID waits longer, so that the two do not cross again. */
function glareDelayMs({ role }: Dialog): number {
  return role === 'uac' ? randomInt(210, 401) * 10 : randomInt(0, 201) * 10;
}
