import { isIP } from 'node:net';
import { networkInterfaces } from 'node:os';
import type { IceUdpMuxListener } from 'node-datachannel';
import { MediaError } from '../media-error.ts';
import { loadNativeBinding, type NativeBinding } from './native-binding.ts';
import { newWebRtcSender, PeerTransport } from './peer-transport.ts';
import { ANNOUNCED_ADDRESSES_MAX } from './webrtc-answer.ts';
import { parseWebRtcOffer } from './webrtc-offer.ts';
import type { WebRtcSender, WebRtcTransport, WebRtcTransportEvents } from './webrtc-transport.ts';

export const WEBRTC_PEERS_MAX = 500;

export interface WebRtcPortOptions {
  /** Literal address to bind; `0.0.0.0`, or `::` for both families. */
  readonly bindAddress: string;
  /** UDP port of its own for each worker, not 0. */
  readonly port: number;
  /** Literal addresses written into answers instead of the bound ones, best first. */
  readonly announcedAddresses?: readonly string[];
  /** Peers at once, connecting ones included. */
  readonly peersMax?: number;
  /** From the answer until packets can pass. */
  readonly connectTimeoutMs?: number;
  /** A connected peer that sends nothing at all for so long is lost. */
  readonly silenceTimeoutMs?: number;
}

const CONNECT_TIMEOUT_MS = 15_000;
const SILENCE_TIMEOUT_MS = 12_000;

/**
 * One UDP port that all browsers of a worker share. Packets are told apart by source address,
 * and a new source by the user name of its STUN check (RFC 8445 §7.3).
 */
export class WebRtcPort {
  readonly #binding: NativeBinding;
  readonly #listener: IceUdpMuxListener;
  readonly #options: Required<WebRtcPortOptions>;
  readonly #addresses: readonly string[];
  readonly #peers = new Set<PeerTransport>();
  #strangerCount = 0;
  #isClosed = false;

  private constructor(binding: NativeBinding, options: Required<WebRtcPortOptions>) {
    this.#binding = binding;
    this.#options = options;
    this.#addresses = addressesOf(options);
    // The listener keeps the socket bound while there is no peer.
    this.#listener = new binding.IceUdpMuxListener(options.port, options.bindAddress);
    // Its callbacks must not throw, and this one cannot.
    this.#listener.onUnhandledStunRequest(() => {
      this.#strangerCount += 1;
    });
  }

  /**
   * Throws `MediaError`: `MEDIA_WEBRTC_UNAVAILABLE`, or `MEDIA_SOCKET_FAILED` when the port is
   * taken or the address is not ours.
   */
  static open(options: WebRtcPortOptions): WebRtcPort {
    const settings = { ...DEFAULTS, ...options };
    checkAddresses(settings);
    const binding = loadNativeBinding();
    try {
      return new WebRtcPort(binding, settings);
    } catch (error) {
      const message = `cannot bind UDP port ${settings.port} for WebRTC`;
      throw new MediaError('MEDIA_SOCKET_FAILED', message, { cause: error });
    }
  }

  get port(): number {
    return this.#options.port;
  }

  get peerCount(): number {
    return this.#peers.size;
  }

  /** STUN checks for peers we do not have: late ones of ended calls, and scans. */
  get strangerCount(): number {
    return this.#strangerCount;
  }

  /**
   * Answers an offer; the answer is ready when this returns.
   *
   * Throws `MediaError`: what `parseWebRtcOffer` throws, `MEDIA_PEERS_EXHAUSTED` (retryable) or
   * `MEDIA_WEBRTC_UNAVAILABLE`.
   */
  accept(
    offerSdp: string,
    events: WebRtcTransportEvents,
    sender: WebRtcSender = newWebRtcSender(),
  ): WebRtcTransport {
    if (this.#isClosed) throw new MediaError('MEDIA_WEBRTC_UNAVAILABLE', 'the port is closed');
    const offer = parseWebRtcOffer(offerSdp);
    if (this.#peers.size >= this.#options.peersMax) {
      throw new MediaError('MEDIA_PEERS_EXHAUSTED', 'this worker has as many browsers as it may', {
        retryable: true,
        facts: { peersMax: this.#options.peersMax },
      });
    }
    const { bindAddress, port, connectTimeoutMs, silenceTimeoutMs } = this.#options;
    const peer = new PeerTransport({
      binding: this.#binding,
      offer,
      events,
      sender,
      bindAddress,
      port,
      addresses: this.#addresses,
      connectTimeoutMs,
      silenceTimeoutMs,
      onGone: (gone) => this.#peers.delete(gone),
    });
    this.#peers.add(peer);
    return peer;
  }

  /** Closes every peer, each with `closed-by-us`, and gives the port back. Idempotent. */
  close(): void {
    if (this.#isClosed) return;
    this.#isClosed = true;
    for (const peer of this.#peers) peer.close();
    this.#listener.stop();
  }
}

const DEFAULTS = {
  announcedAddresses: [],
  peersMax: WEBRTC_PEERS_MAX,
  connectTimeoutMs: CONNECT_TIMEOUT_MS,
  silenceTimeoutMs: SILENCE_TIMEOUT_MS,
} as const;

/** Everything that goes into an answer must be a literal: a name would be resolved by browsers. */
function checkAddresses(options: Required<WebRtcPortOptions>): void {
  const all = [options.bindAddress, ...options.announcedAddresses];
  const wrong = all.find((address) => isIP(address) === 0);
  if (wrong !== undefined) throw new TypeError(`not an IP address: ${JSON.stringify(wrong)}`);
  if (!Number.isInteger(options.port) || options.port < 1 || options.port > 65535) {
    throw new TypeError('a WebRTC port is 1 to 65535');
  }
}

function addressesOf(options: Required<WebRtcPortOptions>): readonly string[] {
  const { announcedAddresses, bindAddress } = options;
  if (announcedAddresses.length > 0) return announcedAddresses;
  if (bindAddress !== '0.0.0.0' && bindAddress !== '::') return [bindAddress];
  return interfaceAddresses(bindAddress === '::');
}

/** Own addresses, IPv4 first; loopback only when there is nothing else. */
function interfaceAddresses(withIpv6: boolean): readonly string[] {
  const all = Object.values(networkInterfaces()).flatMap((list) => list ?? []);
  const usable = all.filter(
    ({ family, address }) => family === 'IPv4' || (withIpv6 && !address.startsWith('fe80:')),
  );
  const outward = usable.filter(({ internal }) => !internal);
  return (outward.length > 0 ? outward : usable)
    .toSorted((a, b) => a.family.localeCompare(b.family))
    .slice(0, ANNOUNCED_ADDRESSES_MAX)
    .map(({ address }) => address);
}
