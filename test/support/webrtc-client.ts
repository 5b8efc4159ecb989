import { createSocket } from 'node:dgram';
import { once } from 'node:events';
import type { Audio, DataChannel, PeerConnection, Track } from 'node-datachannel';
import { loadNativeBinding } from '../../src/media/webrtc/native-binding.ts';
import type {
  WebRtcCloseReason,
  WebRtcTransportEvents,
} from '../../src/media/webrtc/webrtc-transport.ts';

/** A port that was free a moment ago. */
export async function freeUdpPort(address = '127.0.0.1'): Promise<number> {
  const socket = createSocket(address.includes(':') ? 'udp6' : 'udp4');
  socket.bind(0, address);
  await once(socket, 'listening');
  const { port } = socket.address();
  socket.close();
  await once(socket, 'close');
  return port;
}

/** Something that happens once and is awaited. */
export class Signal<Value> {
  readonly happened: Promise<Value>;
  #resolve: (value: Value) => void = () => {};

  constructor() {
    this.happened = new Promise((resolve) => {
      this.#resolve = resolve;
    });
  }

  fire(value: Value): void {
    this.#resolve(value);
  }
}

/** Transport events of the server's side, awaitable. */
export class RecordedEvents implements WebRtcTransportEvents {
  readonly connected = new Signal<void>();
  readonly closed = new Signal<WebRtcCloseReason>();
  readonly messagesOpen = new Signal<void>();
  readonly rtp: Buffer[] = [];
  readonly rtcp: Buffer[] = [];
  readonly messages: string[] = [];
  #waiting: { readonly isEnough: () => boolean; readonly signal: Signal<void> }[] = [];

  onConnected(): void {
    this.connected.fire();
  }

  onRtp(packet: Buffer): void {
    this.rtp.push(packet);
    this.#check();
  }

  onRtcp(compound: Buffer): void {
    this.rtcp.push(compound);
    this.#check();
  }

  onMessage(text: string): void {
    this.messages.push(text);
    this.#check();
  }

  onMessagesOpen(): void {
    this.messagesOpen.fire();
  }

  onClosed(reason: WebRtcCloseReason): void {
    this.closed.fire(reason);
  }

  /** Resolves when a condition on what was recorded holds. */
  until(isEnough: () => boolean): Promise<void> {
    const signal = new Signal<void>();
    this.#waiting.push({ isEnough, signal });
    this.#check();
    return signal.happened;
  }

  #check(): void {
    this.#waiting = this.#waiting.filter(({ isEnough, signal }) => {
      if (!isEnough()) return true;
      signal.fire();
      return false;
    });
  }
}

export interface ClientOptions {
  readonly withEvents?: boolean;
  readonly bindAddress?: string;
}

/** A browser's stand-in: another libdatachannel peer that offers audio. */
export class WebRtcClient {
  readonly offerSdp: string;
  readonly opened = new Signal<void>();
  readonly rtp: Buffer[] = [];
  readonly messages: string[] = [];
  readonly received = new Signal<void>();
  readonly gotMessage = new Signal<string>();
  readonly ended = new Signal<string>();
  readonly #peer: PeerConnection;
  readonly #track: Track;
  readonly #channel: DataChannel | null;
  #sequence = 0;

  constructor({ withEvents = false, bindAddress = '127.0.0.1' }: ClientOptions = {}) {
    const { PeerConnection: Peer, Audio: AudioClass } = loadNativeBinding();
    this.#peer = new Peer('client', {
      iceServers: [],
      bindAddress,
      disableAutoNegotiation: true,
    });
    const audio: Audio = new AudioClass('0', 'SendRecv');
    audio.addOpusCodec(111);
    audio.addSSRC(4711, 'client');
    this.#track = this.#peer.addTrack(audio);
    this.#track.onClosed(() => {});
    this.#track.onOpen(() => this.opened.fire());
    this.#track.onMessage((packet) => {
      this.rtp.push(packet);
      this.received.fire();
    });
    this.#channel = withEvents ? this.#peer.createDataChannel('events') : null;
    this.#channel?.onClosed(() => {});
    this.#channel?.onMessage((message) => {
      if (typeof message !== 'string') return;
      this.messages.push(message);
      this.gotMessage.fire(message);
    });
    this.#peer.onStateChange((state) => {
      if (['failed', 'disconnected', 'closed'].includes(state)) this.ended.fire(state);
    });
    this.#peer.setLocalDescription('offer');
    this.offerSdp = this.#peer.localDescription()?.sdp ?? '';
  }

  answer(sdp: string): void {
    this.#peer.setRemoteDescription(sdp, 'answer');
  }

  /** Sends one RTP packet whose payload is `payload`. */
  sendRtp(payload: Buffer, payloadType = 111): boolean {
    this.#sequence += 1;
    const header = Buffer.alloc(12);
    header[0] = 0x80;
    header[1] = payloadType;
    header.writeUInt16BE(this.#sequence, 2);
    header.writeUInt32BE(this.#sequence * 960, 4);
    header.writeUInt32BE(4711, 8);
    return this.#track.sendMessageBinary(Buffer.concat([header, payload]));
  }

  sendRaw(packet: Buffer): boolean {
    return this.#track.sendMessageBinary(packet);
  }

  sendMessage(text: string): boolean {
    return this.#channel?.sendMessage(text) ?? false;
  }

  close(): void {
    this.#channel?.close();
    this.#track.close();
    this.#peer.close();
  }
}
