import type { LegId } from '../model/ids.ts';
import { Bridge } from './bridge.ts';
import { PhoneLeg } from './phone-leg.ts';
import { Ringback } from './ringback.ts';
import type { WorkerLeg } from './worker-leg.ts';

/** Which legs of a worker hear each other, and which hear ringing. */
export class Bridges {
  readonly #legs: ReadonlyMap<LegId, WorkerLeg>;
  readonly #onError: (error: unknown) => void;
  readonly #bridges = new Map<LegId, Bridge>();
  readonly #ringing = new Map<LegId, Ringback>();

  constructor(legs: ReadonlyMap<LegId, WorkerLeg>, onError: (error: unknown) => void) {
    this.#legs = legs;
    this.#onError = onError;
  }

  ring(legId: LegId, isOn: boolean): void {
    const media = this.#legs.get(legId)?.media ?? null;
    this.#ringing.get(legId)?.stop();
    this.#ringing.delete(legId);
    if (isOn && media !== null) this.#ringing.set(legId, new Ringback(media));
  }

  /** Waits until both have media; a leg that is gone by then is joined to nobody. */
  async join(legId: LegId, otherLegId: LegId): Promise<void> {
    const ids = [legId, otherLegId];
    await Promise.all(ids.map((id) => updatedOf(this.#legs.get(id))));
    const [a, b] = ids.map((id) => this.#legs.get(id)?.media ?? null);
    if (!a || !b) return;
    for (const id of ids) this.forget(id);
    const bridge = new Bridge(a, b, this.#onError);
    for (const id of ids) this.#bridges.set(id, bridge);
  }

  /** The leg is closed, or joined to somebody else. */
  forget(legId: LegId): void {
    this.#ringing.get(legId)?.stop();
    this.#ringing.delete(legId);
    this.#bridges.get(legId)?.close();
    this.#bridges.delete(legId);
  }
}

function updatedOf(leg: WorkerLeg | undefined): Promise<void> {
  return leg instanceof PhoneLeg ? leg.updated : Promise.resolve();
}
