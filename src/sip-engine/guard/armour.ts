import type { Flow } from '../transport/transport.ts';
import type { Offence } from './ban-list.ts';

/** What the core asks of whoever keeps bad sources out. */
export interface Armour {
  /** Loopback and trunks. */
  isTrusted(address: string): boolean;
  /** False: too many new calls of that source. */
  mayCall(flow: Flow): boolean;
  offend(flow: Flow, offence: Offence): void;
}

export const NO_ARMOUR: Armour = {
  isTrusted: () => true,
  mayCall: () => true,
  offend: () => {},
};
