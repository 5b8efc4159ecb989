import type { RegistrationClient } from './registration-client.ts';
import type { SipTarget } from './sip-targets.ts';
import type { Trunk } from './trunk.ts';

export interface TrunkKeepAliveOptions {
  readonly trunk: Trunk;
  readonly registration: Pick<RegistrationClient, 'registrar' | 'renew'> | null;
  readonly targets: () => Promise<readonly SipTarget[]>;
  /** False: there is no connection that could be kept. */
  readonly send: (target: SipTarget) => boolean;
}

/**
 * Keeps the way to a carrier open, and with it the way back (RFC 5626 §3.5): line ends to the
 * registrar that has us, else to the first host. Over a lost connection nobody can call us, so
 * that is registered anew at once.
 */
export class TrunkKeepAlive {
  readonly #options: TrunkKeepAliveOptions;
  #timer: NodeJS.Timeout | null = null;

  constructor(options: TrunkKeepAliveOptions) {
    this.#options = options;
  }

  start(): void {
    const { keepAliveSeconds } = this.#options.trunk;
    if (keepAliveSeconds === 0) return;
    this.#timer = setInterval(() => void this.#round(), keepAliveSeconds * 1000);
    this.#timer.unref();
  }

  stop(): void {
    if (this.#timer !== null) clearInterval(this.#timer);
    this.#timer = null;
  }

  async #round(): Promise<void> {
    const { registration, targets, send } = this.#options;
    const registrar = registration?.registrar ?? null;
    if (registrar !== null) {
      if (!send(registrar)) registration?.renew();
      return;
    }
    const [first] = await targets();
    if (first !== undefined && this.#timer !== null) send(first);
  }
}
