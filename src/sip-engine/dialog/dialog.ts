import type { AppPort } from '../drachtio/app-port.ts';
import { HeaderList } from '../message/header-list.ts';
import { parseNameAddr } from '../message/header-values.ts';
import { type MessageDraft, NO_BODY, type SipMessage } from '../message/message.ts';
import { parseSipUri } from '../message/uri.ts';
import type { Flow } from '../transport/transport.ts';
import type { Timer } from '../transaction/timer-wheel.ts';

/**
 *   early ──2xx──▶ confirmed ──BYE sent or received──▶ closing ──▶ ended
 *     └──────────────────300-699, app gone─────────────────────────▲
 */
export type DialogState = 'early' | 'confirmed' | 'closing' | 'ended';

export interface DialogOptions {
  readonly id: string;
  readonly role: 'uas' | 'uac';
  readonly usage: 'INVITE' | 'SUBSCRIBE';
  readonly app: AppPort;
  readonly callId: string;
  readonly localTag: string;
  readonly remoteTag: string;
  /** From of our requests, tag included. */
  readonly localAddress: string;
  /** To of our requests, tag included. */
  readonly remoteAddress: string;
  readonly remoteTarget: string;
  /** In the order of our Route headers. */
  readonly routeSet: readonly string[];
  readonly localContact: string;
  readonly localSequence: number;
  readonly remoteSequence: number;
  readonly flow: Flow;
}

/** A 2xx of ours that waits for its ACK. */
export interface AckWait {
  readonly sequence: number;
  /** Id under which the application knows the INVITE. */
  readonly transactionId: string;
  timer: Timer | undefined;
  endTimer: Timer | undefined;
  /** What the application wanted meanwhile: a BYE may not leave before the ACK came. */
  readonly after: (() => void)[];
}

/** A 2xx of theirs: acknowledged by the application once, repeated by us. */
export interface OwnAck {
  readonly sequence: number;
  /** Undefined until the application sent it. */
  packet: Buffer | undefined;
  timer: Timer | undefined;
  /** Our CANCEL lost the race: BYE follows the ACK. */
  readonly isCanceled: boolean;
}

/** What one early answer said: each branch of a forked INVITE has its own. */
export interface DialogLeg {
  readonly remoteTag: string;
  readonly remoteAddress: string;
  readonly remoteTarget: string;
  readonly routeSet: readonly string[];
  readonly flow: Flow;
  /** Last RSeq passed on, 0 for none. */
  reliableSequence: number;
}

/** State of RFC 3261 §12. Knows how to write its requests; sends nothing itself. */
export class Dialog {
  readonly id: string;
  readonly role: 'uas' | 'uac';
  readonly usage: 'INVITE' | 'SUBSCRIBE';
  readonly callId: string;
  readonly localTag: string;
  readonly localAddress: string;
  readonly localContact: string;
  app: AppPort | undefined;
  state: DialogState = 'early';
  remoteTag: string;
  remoteAddress: string;
  remoteTarget: string;
  routeSet: readonly string[];
  localSequence: number;
  remoteSequence: number;
  flow: Flow;
  ackWait: AckWait | undefined;
  ownAck: OwnAck | undefined;
  /** Our INVITE or UPDATE that waits for its final answer. */
  isOfferPending = false;
  /** The application's BYE is out; a challenge may still come back. */
  hasSentBye = false;
  /** Their re-INVITE that the application has not answered, by CSeq. */
  pendingInviteSequence: number | undefined;
  /** What the peer said in Allow. */
  peerAllows: ReadonlySet<string> = new Set();
  lastLocalSdp: Buffer = NO_BODY;
  sessionTimer: { stop(): void } | undefined;
  /** Branches of an INVITE of ours before its 2xx, by their tag. */
  readonly legs = new Map<string, DialogLeg>();

  constructor(options: DialogOptions) {
    this.id = options.id;
    this.role = options.role;
    this.usage = options.usage;
    this.app = options.app;
    this.callId = options.callId;
    this.localTag = options.localTag;
    this.remoteTag = options.remoteTag;
    this.localAddress = options.localAddress;
    this.remoteAddress = options.remoteAddress;
    this.remoteTarget = options.remoteTarget;
    this.routeSet = options.routeSet;
    this.localContact = options.localContact;
    this.localSequence = options.localSequence;
    this.remoteSequence = options.remoteSequence;
    this.flow = options.flow;
  }

  /** Contact of a target refresh request or its 2xx, RFC 3261 §12.2. */
  refreshTarget(message: SipMessage): void {
    const contact = contactUri(message);
    if (contact !== undefined) this.remoteTarget = contact;
    const allow = message.headers.list('allow');
    if (allow.length > 0) this.peerAllows = new Set(allow);
  }

  /** Speaks to this branch from now on. */
  adoptLeg(leg: DialogLeg): void {
    this.remoteTag = leg.remoteTag;
    this.remoteAddress = leg.remoteAddress;
    this.remoteTarget = leg.remoteTarget;
    this.routeSet = leg.routeSet;
    this.flow = leg.flow;
  }

  /** Where the next request goes first: the top route, or the target. */
  nextHopUri(): string {
    const first = this.routeSet[0];
    return first === undefined
      ? this.remoteTarget
      : (parseNameAddr(first)?.uri ?? this.remoteTarget);
  }

  /**
   * A request inside this dialog, without Via. The caller appends more headers.
   * `sequence` defaults to the next one.
   */
  createRequest(method: string, sequence = this.#nextSequence()): MessageDraft {
    const { requestUri, routes } = this.#routing();
    const headers = new HeaderList();
    headers.append('Max-Forwards', '70');
    for (const route of routes) headers.append('Route', route);
    headers.append('From', this.localAddress);
    headers.append('To', this.remoteAddress);
    headers.append('Call-ID', this.callId);
    headers.append('CSeq', `${sequence} ${method}`);
    return { startLine: `${method} ${requestUri} SIP/2.0`, headers, body: NO_BODY };
  }

  #nextSequence(): number {
    this.localSequence += 1;
    return this.localSequence;
  }

  /** RFC 3261 §12.2.1.1: a first route without `lr` takes the Request-URI's place. */
  #routing(): { readonly requestUri: string; readonly routes: readonly string[] } {
    const first = this.routeSet[0];
    if (first === undefined) return { requestUri: this.remoteTarget, routes: [] };
    const uri = parseNameAddr(first)?.uri ?? '';
    if (parseSipUri(uri)?.params.has('lr') === true) {
      return { requestUri: this.remoteTarget, routes: this.routeSet };
    }
    return { requestUri: uri, routes: [...this.routeSet.slice(1), `<${this.remoteTarget}>`] };
  }
}

/** The first Contact's URI, or undefined. */
export function contactUri(message: SipMessage): string | undefined {
  const contact = message.headers.list('contact')[0];
  return contact === undefined ? undefined : parseNameAddr(contact)?.uri;
}
