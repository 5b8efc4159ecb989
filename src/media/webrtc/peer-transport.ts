import { randomBytes, randomInt } from 'node:crypto';
import type { Audio, DataChannel, PeerConnection, Track } from 'node-datachannel';
import { MediaError } from '../media-error.ts';
import type { NativeBinding } from './native-binding.ts';
import {
  canonicalOffer,
  EVENT_BYTES_MAX,
  type LocalIdentity,
  readLocalIdentity,
  writeAnswer,
} from './webrtc-answer.ts';
import type { WebRtcOffer } from './webrtc-offer.ts';
import type {
  WebRtcCloseReason,
  WebRtcRefused,
  WebRtcSender,
  WebRtcTransport,
  WebRtcTransportEvents,
} from './webrtc-transport.ts';

/** A browser sends 50 packets a second and some for key presses; 10 ms frames make it 100. */
const PACKETS_PER_SECOND_MAX = 400;
const PACKET_BYTES_MIN = 8;
const PACKET_BYTES_MAX = 1500;
/** Captions that the browser does not fetch are dropped beyond this. */
const EVENTS_BUFFERED_BYTES_MAX = 65_536;
const EVENTS_LABEL = 'events';

export interface PeerTransportOptions {
  readonly binding: NativeBinding;
  readonly offer: WebRtcOffer;
  readonly events: WebRtcTransportEvents;
  readonly sender: WebRtcSender;
  readonly bindAddress: string;
  readonly port: number;
  readonly addresses: readonly string[];
  readonly connectTimeoutMs: number;
  readonly silenceTimeoutMs: number;
  readonly onGone: (peer: PeerTransport) => void;
}

/**
 * One libdatachannel peer. An exception inside one of its callbacks would end the process, so
 * all of them go through `#guard`.
 *
 *     answered ──track open──▶ connected ──┐
 *        │ 15 s, ICE or DTLS failed        │ silent, consent lost, closed by either side
 *        └───────────────▶ closed ◀────────┘
 */
export class PeerTransport implements WebRtcTransport {
  readonly sender: WebRtcSender;
  readonly #options: PeerTransportOptions;
  readonly #peer: PeerConnection;
  readonly #track: Track;
  readonly #identity: LocalIdentity;
  #offer: WebRtcOffer;
  #answerSdp: string;
  #answers = 0;
  #events: DataChannel | null = null;
  #isEventsOpen = false;
  #watch: NodeJS.Timeout;
  #isConnected = false;
  #isClosed = false;
  #hadIce = false;
  #lostIce = false;
  #lastPacketAtMs = 0;
  #rateWindowStartMs = 0;
  #rateWindowPackets = 0;
  #packetsOverRate = 0;
  #packetsMalformed = 0;

  constructor(options: PeerTransportOptions) {
    this.#options = options;
    this.#offer = options.offer;
    this.sender = options.sender;
    const { binding, bindAddress, port } = options;
    this.#peer = new binding.PeerConnection('', {
      iceServers: [],
      bindAddress,
      enableIceUdpMux: true,
      portRangeBegin: port,
      portRangeEnd: port,
      maxMessageSize: EVENT_BYTES_MAX,
    });
    try {
      this.#track = this.#peer.addTrack(
        describeAudio(binding.Audio, options.offer, this.sender.ssrc),
      );
      this.#listen();
      this.#peer.setRemoteDescription(canonicalOffer(options.offer), 'offer');
      this.#identity = this.#readIdentity();
      this.#answerSdp = this.#writeAnswer();
    } catch (error) {
      this.#isClosed = true;
      this.#release();
      if (error instanceof MediaError) throw error;
      const message = 'libdatachannel refused a checked offer';
      throw new MediaError('MEDIA_WEBRTC_UNAVAILABLE', message, { cause: error });
    }
    this.#watch = setTimeout(() => this.#giveUpConnecting(), options.connectTimeoutMs);
  }

  get offer(): WebRtcOffer {
    return this.#offer;
  }

  get answerSdp(): string {
    return this.#answerSdp;
  }

  get isConnected(): boolean {
    return this.#isConnected;
  }

  get refused(): WebRtcRefused {
    return { packetsOverRate: this.#packetsOverRate, packetsMalformed: this.#packetsMalformed };
  }

  answerAgain(offer: WebRtcOffer): string {
    this.#offer = offer;
    // Held, it may have been silent for long.
    this.#lastPacketAtMs = performance.now();
    this.#answerSdp = this.#writeAnswer();
    return this.#answerSdp;
  }

  sendPacket(packet: Buffer): boolean {
    if (!this.#isConnected) return false;
    try {
      return this.#track.sendMessageBinary(packet);
    } catch {
      // The track closed on its own thread a moment before we hear of it.
      return false;
    }
  }

  sendMessage(text: string): boolean {
    const events = this.#events;
    if (events === null || this.#isClosed) return false;
    try {
      if (!events.isOpen() || events.bufferedAmount() > EVENTS_BUFFERED_BYTES_MAX) return false;
      return events.sendMessage(text);
    } catch {
      return false;
    }
  }

  close(): void {
    this.#finish('closed-by-us');
  }

  #readIdentity(): LocalIdentity {
    const local = this.#peer.localDescription();
    if (local === null) throw new Error('no local description');
    return readLocalIdentity(local.sdp);
  }

  #writeAnswer(): string {
    const { addresses, port } = this.#options;
    this.#answers += 1;
    const version = this.#answers;
    return writeAnswer(this.#offer, this.#identity, { addresses, port, version, ...this.sender });
  }

  #listen(): void {
    const peer = this.#peer;
    peer.onIceStateChange(this.#guard((state: string) => this.#onIceState(state)));
    peer.onStateChange(this.#guard((state: string) => this.#onState(state)));
    peer.onDataChannel(this.#guard((channel: DataChannel) => this.#onChannel(channel)));
    this.#track.onOpen(this.#guard(() => this.#onOpen()));
    this.#track.onMessage(this.#guard((packet: Buffer) => this.#onPacket(packet)));
    this.#track.onError(this.#guard(() => this.#finish('internal-error')));
    // Without a listener for its end the addon never frees what keeps the event loop alive.
    this.#track.onClosed(() => {});
  }

  /** Nothing may leave a callback, and nothing may come out of a closed peer. */
  #guard<Args extends readonly unknown[]>(listener: (...args: Args) => void) {
    return (...args: Args): void => {
      if (this.#isClosed) return;
      try {
        listener(...args);
      } catch {
        this.#finish('internal-error');
      }
    };
  }

  #onIceState(state: string): void {
    if (state === 'connected' || state === 'completed') this.#hadIce = true;
    if (state === 'disconnected' || state === 'failed') this.#lostIce = true;
  }

  #onState(state: string): void {
    if (state !== 'failed' && state !== 'disconnected' && state !== 'closed') return;
    // The two state callbacks come through different queues: let the other one be heard first.
    setImmediate(() => this.#finish(this.#reasonOf(state)));
  }

  #reasonOf(state: 'failed' | 'disconnected' | 'closed'): WebRtcCloseReason {
    if (this.#isConnected) return this.#lostIce ? 'network-lost' : 'remote-closed';
    if (!this.#hadIce) return 'ice-timeout';
    return state === 'failed' || !this.#lostIce ? 'dtls-failed' : 'network-lost';
  }

  #onOpen(): void {
    this.#isConnected = true;
    this.#lastPacketAtMs = performance.now();
    clearTimeout(this.#watch);
    this.#watch = setInterval(() => this.#checkSilence(), this.#options.silenceTimeoutMs / 4);
    this.#options.events.onConnected();
  }

  #onPacket(packet: Buffer): void {
    const nowMs = performance.now();
    this.#lastPacketAtMs = nowMs;
    if (nowMs - this.#rateWindowStartMs >= 1000) {
      this.#rateWindowStartMs = nowMs;
      this.#rateWindowPackets = 0;
    }
    this.#rateWindowPackets += 1;
    if (this.#rateWindowPackets > PACKETS_PER_SECOND_MAX) {
      this.#packetsOverRate += 1;
      return;
    }
    if (packet.length < PACKET_BYTES_MIN || packet.length > PACKET_BYTES_MAX) {
      this.#packetsMalformed += 1;
      return;
    }
    // RFC 5761 §4: RTCP packet types are 192 to 223.
    const type = packet[1] ?? 0;
    if (type >= 192 && type <= 223) this.#options.events.onRtcp(packet);
    else this.#options.events.onRtp(packet);
  }

  #onChannel(channel: DataChannel): void {
    if (this.#events !== null || channel.getLabel() !== EVENTS_LABEL) {
      channel.onClosed(() => {});
      channel.close();
      return;
    }
    this.#events = channel;
    channel.onMessage(
      this.#guard((message: string | Buffer | ArrayBuffer) => {
        if (typeof message === 'string') this.#options.events.onMessage(message);
      }),
    );
    channel.onError(this.#guard(() => {}));
    channel.onClosed(() => {});
    channel.onOpen(this.#guard(() => this.#onEventsOpen()));
    // It may have opened before we could listen.
    if (channel.isOpen()) this.#onEventsOpen();
  }

  #onEventsOpen(): void {
    if (this.#isEventsOpen) return;
    this.#isEventsOpen = true;
    this.#options.events.onMessagesOpen();
  }

  #checkSilence(): void {
    // Nobody is to be heard: whether the browser is still there, its ICE consent tells.
    if (this.#offer.direction === 'inactive') return;
    const silentMs = performance.now() - this.#lastPacketAtMs;
    if (silentMs >= this.#options.silenceTimeoutMs) this.#finish('network-lost');
  }

  #giveUpConnecting(): void {
    this.#finish(this.#hadIce ? 'dtls-failed' : 'ice-timeout');
  }

  #finish(reason: WebRtcCloseReason): void {
    if (this.#isClosed) return;
    this.#isClosed = true;
    this.#isConnected = false;
    clearTimeout(this.#watch);
    this.#release();
    this.#options.onGone(this);
    try {
      this.#options.events.onClosed(reason);
    } catch {
      // The last listener has nobody left to tell.
    }
  }

  /** Each object holds callbacks that keep the event loop alive until it is closed itself. */
  #release(): void {
    this.#events?.close();
    this.#track?.close();
    this.#peer.close();
  }
}

export function newWebRtcSender(): WebRtcSender {
  return { ssrc: randomInt(1, 0xffffffff), cname: randomBytes(9).toString('base64url') };
}

function describeAudio(AudioClass: typeof Audio, offer: WebRtcOffer, ssrc: number): Audio {
  const audio = new AudioClass(offer.audioMid, 'SendRecv');
  audio.addOpusCodec(offer.opusPayloadType);
  audio.addSSRC(ssrc);
  return audio;
}
