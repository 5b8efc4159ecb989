import type { Dialog } from '../dialog/dialog.ts';
import { type AppPort, AppRoutes } from '../drachtio/app-port.ts';
import type { SipRequest } from '../message/message.ts';
import { ClientTransactions } from '../transaction/client-transactions.ts';
import { type ServerTransaction, ServerTransactions } from '../transaction/server-transactions.ts';
import type { Timer, TimerWheel } from '../transaction/timer-wheel.ts';
import type { SipTimers } from '../transaction/timers.ts';
import type { Flow, Outbound, Resolver } from '../transport/transport.ts';
import type { ReliableProvisionals } from '../dialog/reliable-provisionals.ts';
import { type Armour, NO_ARMOUR } from '../guard/armour.ts';
import { ContactFlows } from './contact-flows.ts';
import type { OutboundRequest } from './outbound-request.ts';
import { type Counters, newCounters } from './counters.ts';

/** Bounds of everything that grows. */
export interface EngineLimits {
  /** Live transactions, each direction. New requests beyond get 503. */
  readonly transactionsMax: number;
  readonly dialogsMax: number;
  /** Finished transactions remembered to answer repetitions. */
  readonly finishedMax: number;
  /** An INVITE that the application leaves unanswered gets 480. */
  readonly inviteAnswerMs: number;
  /** Any other request that the application leaves unanswered gets 500; a BYE gets 200. */
  readonly requestAnswerMs: number;
  /**
   * 100 goes out when the application has not answered by then; 0 sends it at once.
   * RFC 3261 §17.2.1 allows 200 ms.
   */
  readonly tryingAfterMs: number;
  /** A request whose UDP datagram would be larger goes by TCP, where `prefersTcp` says so. */
  readonly udpRequestBytesMax: number;
}

export const DEFAULT_LIMITS: EngineLimits = {
  transactionsMax: 20_000,
  dialogsMax: 20_000,
  finishedMax: 200_000,
  inviteAnswerMs: 300_000,
  requestAnswerMs: 20_000,
  tryingAfterMs: 150,
  udpRequestBytesMax: 1300,
};

/** A request from the network that an application is to answer. */
export interface InboundRequest {
  /** The application's name for the transaction. */
  readonly id: string;
  readonly request: SipRequest;
  readonly flow: Flow;
  readonly transaction: ServerTransaction;
  readonly app: AppPort;
  /** Our To tag, once one was chosen. */
  toTag: string | undefined;
  /** The dialog it came in, or the one it creates. */
  dialog: Dialog | undefined;
  readonly isInDialog: boolean;
  reliable: ReliableProvisionals | undefined;
  /** Ends the wait for an application that never answers. */
  deadline: Timer | undefined;
  /** Sends 100 when the application is slow. */
  trying: Timer | undefined;
}

export interface ContextOptions {
  readonly wheel: TimerWheel;
  readonly timers: SipTimers;
  readonly limits: EngineLimits;
  readonly outbound: Outbound;
  readonly resolver: Resolver;
  /** Unix time that belongs to the wheel's zero. */
  readonly epochMs: number;
  /** Destinations whose large requests go by TCP. */
  readonly prefersTcp: (address: string) => boolean;
  /** Default: everybody is trusted. */
  readonly armour?: Armour;
}

/** What the parts of the engine share. */
export class EngineContext {
  readonly wheel: TimerWheel;
  readonly timers: SipTimers;
  readonly limits: EngineLimits;
  readonly outbound: Outbound;
  readonly resolver: Resolver;
  readonly prefersTcp: (address: string) => boolean;
  readonly armour: Armour;
  readonly routes = new AppRoutes();
  readonly clients: ClientTransactions;
  readonly servers: ServerTransactions;
  /** By `Call-ID;from-tag=…`. */
  readonly dialogs = new Map<string, Dialog>();
  readonly inbound = new Map<string, InboundRequest>();
  /** INVITEs without a final answer, by Call-ID: drachtio-srf can hold one per Call-ID. */
  readonly pendingInvites = new Map<string, InboundRequest>();
  /** Requests of applications without a final answer. */
  readonly outboundRequests = new Map<string, OutboundRequest>();
  /** Ways to registered browsers. */
  readonly contactFlows = new ContactFlows();
  readonly counters: Counters = newCounters();
  readonly #epochMs: number;
  #timeText = '';
  #timeTextMs = -1;

  constructor(options: ContextOptions) {
    this.wheel = options.wheel;
    this.timers = options.timers;
    this.limits = options.limits;
    this.outbound = options.outbound;
    this.resolver = options.resolver;
    this.prefersTcp = options.prefersTcp;
    this.armour = options.armour ?? NO_ARMOUR;
    this.#epochMs = options.epochMs;
    const { wheel, timers } = options;
    const { transactionsMax, finishedMax } = options.limits;
    this.clients = new ClientTransactions({ wheel, timers, transactionsMax });
    this.servers = new ServerTransactions({ wheel, timers, transactionsMax, finishedMax });
  }

  /** `hh:mm:ss.uuuuuu` UTC, as exact as the wheel. */
  time(): string {
    if (this.wheel.nowMs !== this.#timeTextMs) {
      this.#timeTextMs = this.wheel.nowMs;
      this.#timeText = `${new Date(this.#epochMs + this.#timeTextMs).toISOString().slice(11, 23)}000`;
    }
    return this.#timeText;
  }
}
