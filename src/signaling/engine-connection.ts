import type { Socket } from 'node:net';
import { connect, createServer } from 'node:net';

import type { SrfClient } from './drachtio.ts';
import { createSrf } from './drachtio.ts';
import type { SipLeg } from './sip-leg.ts';
import type { SignalingTimeouts } from './sip-settings.ts';
import { CALLS_PER_CONNECTION_MAX } from './sip-settings.ts';

export interface EngineAddress {
  readonly host: string;
  readonly port: number;
  readonly secret: string;
}

const CLOSE_SOON_MS = 1_000;

export interface EngineConnectionEvents {
  /** Authenticated; routes are registered. `contacts` like `udp/127.0.0.1:5060`. */
  onReady(contacts: readonly string[]): void;
  /** Exactly once, also when it never became ready. */
  onLost(why: string): void;
}

/**
 * One TCP connection to the SIP engine, from connect to loss, with a drachtio-srf object of its
 * own. srf would reconnect by itself, but its pending operations and dialogs never settle then
 * (and a bad frame throws out of its data handler), so the socket is ours: srf is given it as if
 * the engine had dialed us, and whoever waits on this connection is told when it is gone.
 */
export class EngineConnection {
  readonly srf: SrfClient = createSrf();
  readonly #socket: Socket;
  readonly #events: EngineConnectionEvents;
  /** Live legs by the key of their dialog (`dialogKey`). */
  readonly legs = new Map<string, SipLeg>();
  readonly #calls = new Set<() => void>();
  readonly #connectTimer: NodeJS.Timeout;
  #pingTimer: NodeJS.Timeout | null = null;
  #wasHeard = true;
  #lostWhy: string | null = null;

  /** `register` gives srf its handlers: all of them must stand before the connection does. */
  constructor(
    { host, port, secret }: EngineAddress,
    register: (srf: SrfClient) => void,
    timeouts: SignalingTimeouts,
    events: EngineConnectionEvents,
  ) {
    this.#events = events;
    register(this.srf);
    const door = createServer();
    this.srf.listen({ server: door, secret });
    this.srf.on('error', () => {});
    this.srf.on('connect', (error, contacts) => {
      if (error === null) this.#ready(contacts ?? '', timeouts.pingMs);
      else this.close('the engine refused our secret');
    });
    this.#connectTimer = setTimeout(() => {
      this.close('no answer from the engine');
    }, timeouts.connectMs);
    this.#socket = connect({ host, port, noDelay: true, keepAlive: true });
    this.#socket.on('data', () => {
      this.#wasHeard = true;
    });
    this.#socket.on('error', (error) => {
      this.#lostWhy ??= error.message;
    });
    this.#socket.on('close', () => {
      this.#lose(this.#lostWhy ?? 'the engine closed the connection');
    });
    this.#socket.on('connect', () => {
      door.emit('connection', this.#socket);
    });
  }

  get isOpen(): boolean {
    return this.#lostWhy === null;
  }

  get callCount(): number {
    return this.#calls.size;
  }

  /**
   * Tells `onLost` when the connection goes, until the returned function is called. Null when
   * there are as many calls as there may be; on a lost connection `onLost` is called at once.
   */
  track(onLost: () => void): (() => void) | null {
    if (this.#calls.size >= CALLS_PER_CONNECTION_MAX) return null;
    if (!this.isOpen) {
      queueMicrotask(onLost);
      return () => {};
    }
    this.#calls.add(onLost);
    return () => {
      this.#calls.delete(onLost);
    };
  }

  /** Gives up the connection at once. */
  close(why: string): void {
    this.#lostWhy ??= why;
    this.#socket.destroy();
  }

  /** Lets what was written go out first, for a second at most. */
  closeSoon(why: string): void {
    this.#lostWhy ??= why;
    if (this.#socket.readyState !== 'open') this.#socket.destroy();
    else this.#socket.destroySoon();
    const timer = setTimeout(() => this.#socket.destroy(), CLOSE_SOON_MS);
    this.#socket.once('close', () => {
      clearTimeout(timer);
    });
  }

  #ready(contacts: string, pingMs: number): void {
    if (!this.isOpen) return;
    clearTimeout(this.#connectTimer);
    this.srf.app.client.routeVerbs(this.#socket);
    this.#pingTimer = setInterval(() => {
      this.#ping();
    }, pingMs);
    this.#pingTimer.unref();
    this.#events.onReady(contacts.split(',').filter((contact) => contact !== ''));
  }

  /** srf's own ping ignores a missing pong; here a silent engine is a lost one. */
  #ping(): void {
    if (!this.#wasHeard) {
      this.close('the engine is silent');
      return;
    }
    this.#wasHeard = false;
    this.srf.app.client.wp.send(this.#socket, 'ping');
  }

  #lose(why: string): void {
    this.#lostWhy = why;
    clearTimeout(this.#connectTimer);
    if (this.#pingTimer !== null) clearInterval(this.#pingTimer);
    const calls = [...this.#calls];
    this.#calls.clear();
    for (const onLost of calls) onLost();
    this.#events.onLost(why);
  }
}
