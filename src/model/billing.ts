import type { WorkspaceId } from './ids.ts';
import type { CallDirection, CallDoor } from './call.ts';

/**
 * Money is whole micro-units: millionths of the currency's unit (1 EUR = 1,000,000), as integers
 * that a number holds exactly. Names of such amounts end in `Micros`.
 */

/** What a minute costs, and in which steps time is counted. */
export interface Price {
  readonly perMinuteMicros: number;
  /** Of an answered call, once. */
  readonly setupMicros: number;
  /** An answered call is billed at least so long; 60/60, 6/6, 30/6 are this and the next one. */
  readonly firstSeconds: number;
  /** After that, every step of so long that has begun. */
  readonly nextSeconds: number;
}

/** The price of some calls of a workspace. Of several that fit, the longest prefix wins. */
export interface Rate extends Price {
  readonly direction: CallDirection;
  /** null: every door. At the same prefix a rate with a door wins. */
  readonly door: CallDoor | null;
  /** Beginning of the dialed number, `+34`; empty: every number. Of outbound calls only. */
  readonly prefix: string;
}

export interface RateCard {
  /** ISO 4217. */
  readonly currency: string;
  readonly rates: readonly Rate[];
}

/** What one call will be rated by: taken when it starts, and kept with it. */
export interface Tariff extends Price {
  readonly currency: string;
  /** The call is rated, and nothing is charged: a demo workspace. */
  readonly isFree: boolean;
}

/** What one call comes to. */
export interface Charge {
  readonly isAnswered: boolean;
  /** Answer to end, every begun second counted. */
  readonly seconds: number;
  /** Those that are paid for. */
  readonly billedSeconds: number;
  /** What is charged: the list price, or nothing. */
  readonly amountMicros: number;
  /** What the call costs by its tariff. */
  readonly listPriceMicros: number;
  readonly currency: string;
}

/** What a workspace may have; null: as much as there is. Days and months are those of UTC. */
export interface Caps {
  readonly minutesPerDay: number | null;
  readonly minutesPerMonth: number | null;
  /** Answered ones, and every one that we made. */
  readonly callsPerDay: number | null;
  readonly callsPerMonth: number | null;
  /** By list price: so they hold for a demo workspace too. */
  readonly microsPerDay: number | null;
  readonly microsPerMonth: number | null;
  readonly callsAtOnce: number | null;
  readonly callSecondsMax: number | null;
  /** How numbers begin that may be called; `+` is everywhere. Beside what the trunks allow. */
  readonly destinations: readonly string[] | null;
}

/** Caps that count something over a day or a month. */
export type CountedCap = Exclude<keyof Caps, 'callsAtOnce' | 'callSecondsMax' | 'destinations'>;

/** A workspace comes near a cap, or a call was refused because of it. */
export interface CapNotice {
  readonly workspaceId: WorkspaceId;
  readonly level: 'near' | 'reached';
  readonly cap: CountedCap;
  /** `2026-01-31` or `2026-01`. */
  readonly period: string;
  /** Calls, minutes or micro-units, as the cap counts. */
  readonly used: number;
  readonly limit: number;
}
