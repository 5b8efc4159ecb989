import { randomBytes } from 'node:crypto';
import type { AudioFrame, EncodedClip } from '../model/audio.ts';
import type { CodecName } from '../model/media.ts';
import { CodecSet } from './codec/codec-set.ts';
import type { OpusEncodeRateHz, OpusEngineChoice } from './codec/opus-codec.ts';
import { encodeClip } from './encode-clip.ts';
import type { LatenessHistogram } from './lateness-histogram.ts';
import { reachableAddress } from './own-address.ts';
import { PortPool, type PortRange } from './port-pool.ts';
import { RtpLeg } from './rtp-leg.ts';
import { Ticker } from './ticker.ts';

const PORT_DRAIN_MS = 2000;
const RTP_TIMEOUT_MS = 30_000;
const OPUS_RATE_HZ: OpusEncodeRateHz = 24000;

export interface MediaEngineOptions {
  /** Literal IP address the sockets bind to. */
  readonly bindAddress: string;
  /** What session descriptions announce; default: the bind address, or one of its own. */
  readonly announcedAddress?: string;
  /** This worker's own slice: see `sliceOfPortRange`. */
  readonly ports: PortRange;
  /** How long a released port stays bound. Default 2 s. */
  readonly portDrainMs?: number;
  /** Default 30 s. */
  readonly rtpTimeoutMs?: number;
  /** Audio only from the signaled address or the host of the signaling. Default false. */
  readonly hasStrictSources?: boolean;
  /** Default `auto`: the addon, else WebAssembly. */
  readonly opus?: OpusEngineChoice;
  /** Rate Opus is encoded at; best that of the text-to-speech. Default 24 kHz. */
  readonly opusSampleRateHz?: OpusEncodeRateHz;
  /** Errors of listeners and sockets, which end nothing. */
  readonly onError?: (error: unknown) => void;
}

/** All media of one voice worker: its ports, its ticker, its codecs. */
export class MediaEngine {
  readonly #options: MediaEngineOptions;
  readonly #codecs: CodecSet;
  readonly #pool: PortPool;
  readonly #ticker = new Ticker();
  readonly #legs = new Set<RtpLeg>();
  readonly #cname = randomBytes(12).toString('base64url');
  #isClosed = false;

  private constructor(options: MediaEngineOptions, codecs: CodecSet) {
    this.#options = options;
    this.#codecs = codecs;
    const drainMs = options.portDrainMs ?? PORT_DRAIN_MS;
    this.#pool = new PortPool(options.bindAddress, options.ports, drainMs);
  }

  /** Loads the codecs. */
  static async start(options: MediaEngineOptions): Promise<MediaEngine> {
    const rateHz = options.opusSampleRateHz ?? OPUS_RATE_HZ;
    return new MediaEngine(options, await CodecSet.load(options.opus ?? 'auto', rateHz));
  }

  /** For legs of other transports: they live on the same ticker, with the same codecs. */
  get shared(): { readonly codecs: CodecSet; readonly ticker: Ticker } {
    return { codecs: this.#codecs, ticker: this.#ticker };
  }

  /** What this worker can speak, best first. */
  get codecs(): readonly CodecName[] {
    return this.#codecs.names;
  }

  get opusEngine(): 'native' | 'wasm' | null {
    return this.#codecs.opusEngine;
  }

  /** Each codec by itself, for audio that is encoded before there is a leg. */
  clipEncoders(): readonly { readonly format: string; encode(frame: AudioFrame): EncodedClip }[] {
    return this.codecs.map((name) => {
      const encoder = this.#codecs.clipEncoder(name);
      return { format: encoder.format, encode: (frame) => encodeClip(encoder, frame) };
    });
  }

  get legCount(): number {
    return this.#legs.size;
  }

  /** How late ticks ran, since the start. */
  get lateness(): LatenessHistogram {
    return this.#ticker.lateness;
  }

  /** Part of the worker's time that ticks take, 0..1. */
  get load(): number {
    return this.#ticker.load;
  }

  /**
   * Reserves ports for one leg; media starts with its first `update`.
   * Throws `MEDIA_PORTS_EXHAUSTED` or `MEDIA_SOCKET_FAILED`.
   */
  async openLeg(): Promise<RtpLeg> {
    const ports = await this.#pool.acquire();
    const { bindAddress, announcedAddress, rtpTimeoutMs, onError } = this.#options;
    const { hasStrictSources = false } = this.#options;
    const leg = new RtpLeg({
      ports,
      local: { address: announcedAddress ?? reachableAddress(bindAddress), port: ports.port },
      codecs: this.#codecs,
      ticker: this.#ticker,
      cname: this.#cname,
      rtpTimeoutMs: rtpTimeoutMs ?? RTP_TIMEOUT_MS,
      hasStrictSources,
      release: (closed) => {
        this.#legs.delete(closed);
        this.#pool.release(ports);
      },
      onError: onError ?? (() => {}),
    });
    this.#legs.add(leg);
    if (this.#isClosed) leg.close();
    return leg;
  }

  /** Closes every leg and every socket. */
  close(): void {
    if (this.#isClosed) return;
    this.#isClosed = true;
    for (const leg of this.#legs) leg.close();
    this.#pool.close();
    this.#codecs.close();
  }
}
