import { createSocket, type Socket } from 'node:dgram';
import { once } from 'node:events';
import { seededRandom } from './random.ts';

export interface LossyRelayOptions {
  readonly seed: number;
  /** Chance of a packet to vanish, 0..1; the others alike. */
  readonly loss?: number;
  readonly duplicate?: number;
  /** Chance of a packet to be held back by two packet times, so that others overtake it. */
  readonly reorder?: number;
  readonly delayMs?: number;
  /** Random extra delay, 0 to this. */
  readonly jitterMs?: number;
  /** Where packets from the phone's side go. */
  readonly targetAddress: string;
  readonly targetPort: number;
}

const REORDER_MS = 45;

/**
 * A bad network between a phone and a gateway. The phone sends to `port`; the gateway sees
 * everything come from `gatewaySidePort` and sends there.
 */
export class LossyRelay {
  readonly #options: LossyRelayOptions;
  readonly #phoneSide: Socket;
  readonly #gatewaySide: Socket;
  readonly #random: () => number;
  readonly #timers = new Set<NodeJS.Timeout>();
  #target: { readonly address: string; readonly port: number };
  #phone: { readonly address: string; readonly port: number } | null = null;

  forwarded = 0;
  dropped = 0;

  private constructor(options: LossyRelayOptions, phoneSide: Socket, gatewaySide: Socket) {
    this.#options = options;
    this.#phoneSide = phoneSide;
    this.#gatewaySide = gatewaySide;
    this.#random = seededRandom(options.seed);
    this.#target = { address: options.targetAddress, port: options.targetPort };
    phoneSide.on('message', (packet, from) => {
      this.#phone = from;
      this.#pass(packet, gatewaySide, this.#target.port, this.#target.address);
    });
    gatewaySide.on('message', (packet) => {
      if (this.#phone === null) return;
      this.#pass(packet, phoneSide, this.#phone.port, this.#phone.address);
    });
  }

  static async open(options: LossyRelayOptions): Promise<LossyRelay> {
    const phoneSide = createSocket('udp4').bind(0, '127.0.0.1');
    const gatewaySide = createSocket('udp4').bind(0, '127.0.0.1');
    await Promise.all([once(phoneSide, 'listening'), once(gatewaySide, 'listening')]);
    return new LossyRelay(options, phoneSide, gatewaySide);
  }

  get port(): number {
    return this.#phoneSide.address().port;
  }

  get gatewaySidePort(): number {
    return this.#gatewaySide.address().port;
  }

  /** Packets from the phone's side go there from now on, for a target known only later. */
  pointTo(address: string, port: number): void {
    this.#target = { address, port };
  }

  close(): void {
    for (const timer of this.#timers) clearTimeout(timer);
    this.#phoneSide.close();
    this.#gatewaySide.close();
  }

  #pass(packet: Buffer, out: Socket, port: number, address: string): void {
    const { loss = 0, duplicate = 0, reorder = 0, delayMs = 0, jitterMs = 0 } = this.#options;
    if (this.#random() < loss) {
      this.dropped += 1;
      return;
    }
    this.forwarded += 1;
    const copies = this.#random() < duplicate ? 2 : 1;
    for (let copy = 0; copy < copies; copy += 1) {
      const held = this.#random() < reorder ? REORDER_MS : 0;
      const wait = delayMs + this.#random() * jitterMs + held;
      if (wait < 1) {
        out.send(packet, port, address);
        continue;
      }
      const timer = setTimeout(() => {
        this.#timers.delete(timer);
        out.send(packet, port, address);
      }, wait);
      this.#timers.add(timer);
    }
  }
}
