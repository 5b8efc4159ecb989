import type { Trunk } from './trunk.ts';

/** Why a trunk takes no further call. */
export type TrunkFull = 'channels' | 'rate';

interface Use {
  channels: number;
  /** Calls that may still begin, refilled with time. */
  tokens: number;
  atMs: number;
}

/**
 * Channels and calls per second of each trunk. It owns no clock. Uses outlive a reload of the
 * settings: they are kept by name.
 */
export class TrunkLimits {
  readonly #uses = new Map<string, Use>();

  channelsOf(name: string): number {
    return this.#uses.get(name)?.channels ?? 0;
  }

  /**
   * Takes a channel for an outbound call, or says why there is none. What `release` gives back
   * may be called more than once.
   */
  take(
    trunk: Pick<Trunk, 'name' | 'channelsMax' | 'callsPerSecond'>,
    nowMs: number,
  ): { readonly release: () => void } | TrunkFull {
    const full = this.fullness(trunk, nowMs);
    if (full !== null) return full;
    const use = this.#useOf(trunk, nowMs);
    use.tokens -= 1;
    return this.#hold(use);
  }

  /** Why an outbound call would not be taken now; null: it would. Takes nothing. */
  fullness(
    trunk: Pick<Trunk, 'name' | 'channelsMax' | 'callsPerSecond'>,
    nowMs: number,
  ): TrunkFull | null {
    const use = this.#useOf(trunk, nowMs);
    if (use.channels >= trunk.channelsMax) return 'channels';
    const earned = ((nowMs - use.atMs) / 1000) * trunk.callsPerSecond;
    use.tokens = Math.min(trunk.callsPerSecond, use.tokens + Math.max(0, earned));
    use.atMs = nowMs;
    return use.tokens < 1 ? 'rate' : null;
  }

  /** Takes a channel for an inbound call; the rate is the carrier's own business. */
  takeInbound(
    trunk: Pick<Trunk, 'name' | 'channelsMax' | 'callsPerSecond'>,
    nowMs: number,
  ): { readonly release: () => void } | TrunkFull {
    const use = this.#useOf(trunk, nowMs);
    return use.channels >= trunk.channelsMax ? 'channels' : this.#hold(use);
  }

  #hold(use: Use): { readonly release: () => void } {
    use.channels += 1;
    let isHeld = true;
    return {
      release: () => {
        if (isHeld) use.channels -= 1;
        isHeld = false;
      },
    };
  }

  #useOf({ name, callsPerSecond }: Pick<Trunk, 'name' | 'callsPerSecond'>, nowMs: number): Use {
    const known = this.#uses.get(name);
    if (known !== undefined) return known;
    const use = { channels: 0, tokens: callsPerSecond, atMs: nowMs };
    this.#uses.set(name, use);
    return use;
  }
}
