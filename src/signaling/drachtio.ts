/**
 * What we use of drachtio-srf 5.0.29, typed by what its code does: its own declarations lack or
 * contradict much of this. Nothing else in the project imports the package.
 */
import type { Server, Socket } from 'node:net';

import Srf from 'drachtio-srf';

/** A SIP message as the engine reported it. Repeated headers come joined by commas. */
export interface SrfMessage {
  readonly method?: string;
  readonly uri?: string;
  /** Undefined when the message ended without a blank line. */
  readonly body?: string;
  readonly payload?: readonly {
    readonly type?: string | null;
    readonly content?: string | undefined;
  }[];
  readonly headers: Readonly<Record<string, string>>;
  get(name: string): string | undefined;
  has(name: string): boolean;
}

export interface SrfRequest extends SrfMessage {
  readonly method: string;
  readonly uri: string;
  /** `network`, or `application` when the engine itself made it (ACK timeout and the like). */
  readonly source: string;
  readonly source_address: string;
  readonly source_port: number;
  readonly protocol: string;
  /** CANCEL came; the engine has answered the INVITE with 487 already. */
  on(event: 'cancel', listener: (cancel: SrfMessage | undefined) => void): void;
  /** Of a request of ours. Provisional responses come here too. */
  on(event: 'response', listener: (res: SrfResponse) => void): void;
  /** Of a request of ours: sends CANCEL. Throws when it is no INVITE of ours. */
  cancel(
    options: { readonly headers?: Record<string, string> },
    callback: (error: unknown) => void,
  ): void;
}

export interface SrfSendOptions {
  readonly headers?: Record<string, string>;
  readonly body?: string;
}

export interface SrfResponse extends SrfMessage {
  readonly status: number;
  readonly reason: string;
  /** Of a response to a request of ours: who sent it; empty when the engine made it. */
  readonly source_address: string;
  /**
   * `onPrack` is called for a reliable provisional response only. Throws for a status it does
   * not know; after a final response it does nothing but call back with an error.
   */
  send(
    status: number,
    options?: SrfSendOptions,
    callback?: (error: unknown) => void,
    onPrack?: () => void,
  ): void;
  send(status: number, reasonPhrase: string, options: SrfSendOptions): void;
}

export interface SrfDialog {
  readonly id: string;
  readonly sip: { readonly callId: string; readonly localTag: string; readonly remoteTag: string };
  readonly local: { readonly contact: string | undefined };
  /** `uri` is the Contact of the message that made the dialog. */
  readonly remote: { readonly sdp: string | undefined; readonly uri: string };
  on(event: 'destroy', listener: (bye: SrfRequest, reason: string) => void): void;
  on(event: 'ack', listener: (ack: SrfRequest) => void): void;
  on(event: SrfDialogRequest, listener: (req: SrfRequest, res: SrfResponse) => void): void;
  /** Calls back for provisional responses too. ACKs the final response of an INVITE itself. */
  request(
    options: SrfSendOptions & { readonly method: string },
    callback: (error: unknown, response?: SrfResponse) => void,
  ): void;
  /** Sends BYE; calls back when it was answered. */
  destroy(
    options: { readonly headers?: Record<string, string> },
    callback: (error: unknown) => void,
  ): void;
}

/** In-dialog requests that wait for our response. Re-INVITE is called `modify`. */
export type SrfDialogRequest =
  | 'modify'
  | 'update'
  | 'info'
  | 'options'
  | 'refer'
  | 'message'
  | 'notify'
  | 'publish'
  | 'subscribe';

/** A 200 with an offer, to an INVITE without one: our ACK carries the answer (RFC 3264 §4). */
export interface SrfLateOffer {
  readonly sdp: string;
  ack(localSdp: string): Promise<SrfDialog>;
  /** Acknowledges it and hangs up. */
  destroy(): Promise<void>;
}

export interface SrfDialOptions {
  /** Left out: the other side offers, and the callback is given an `SrfLateOffer`. */
  readonly localSdp?: string;
  /** Goes with that: else srf itself answers such an offer, with nonsense. */
  readonly noAck?: boolean;
  readonly headers: Record<string, string>;
  readonly proxy?: string;
  readonly auth?: { readonly username: string; readonly password: string };
}

type Middleware = (req: SrfRequest, res: SrfResponse, next: () => void) => void;

export interface SrfClient {
  listen(options: { readonly server: Server; readonly secret: string }): void;
  on(
    event: 'connect',
    listener: (error: Error | null, contacts?: string, version?: string) => void,
  ): void;
  on(event: 'error' | 'close', listener: () => void): void;
  /** Called for every request outside a dialog; a later one only when the earlier passes on. */
  use(middleware: Middleware): void;
  use(method: string, middleware: Middleware): void;
  createUAS(
    req: SrfRequest,
    res: SrfResponse,
    options: { readonly localSdp: string; readonly headers: Record<string, string> },
    callback: (error: unknown, dialog?: SrfDialog) => void,
  ): void;
  /** Sends a request outside any dialog; calls back when the engine has sent it, or will not. */
  request(
    uri: string,
    options: SrfSendOptions & { readonly method: string; readonly proxy?: string },
    callback: (error: unknown, sent?: SrfRequest) => void,
  ): void;
  /** A refusal calls back with an error that has `status` and `res`. */
  createUAC(
    uri: string,
    options: SrfDialOptions,
    progress: {
      readonly cbRequest: (error: unknown, req?: SrfRequest) => void;
      readonly cbProvisional: (res: SrfResponse) => void;
    },
    callback: (error: unknown, answered?: SrfDialog | SrfLateOffer) => void,
  ): void;
  readonly app: {
    readonly client: {
      /** Sends one `route` frame for each method given to `use`. */
      routeVerbs(socket: Socket): void;
      readonly wp: { send(socket: Socket, frame: string): string };
    };
  };
}

/** One per connection: what an old connection left pending dies with its object. */
export function createSrf(): SrfClient {
  // oxlint-disable-next-line typescript/no-unsafe-type-assertion -- its own types are wrong
  return new Srf() as unknown as SrfClient;
}

/** What drachtio-srf gives as an error: an Error, a SipError, or the engine's text. */
export function engineErrorText(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}
