import { randomInt } from 'node:crypto';
import { createSocket, type RemoteInfo, type Socket } from 'node:dgram';
import { once } from 'node:events';
import { performance } from 'node:perf_hooks';
import type { CodecName, SrtpKeys } from '../../src/model/media.ts';
import { type Pcm, rms } from './audio.ts';
import { openPhoneCodec, type PhoneCodec } from './phone-codec.ts';
import { cryptoLine, cryptoLineOf, newSrtpKeys, PhoneSrtp } from './phone-srtp.ts';

const FRAME_MS = 20;
const EVENT_PAYLOAD_TYPE = 101;
const DIGITS = '0123456789*#ABCD';
/** Packets that were due longer ago are sent later, one by one. */
const STALL_MS = 100;

/** A received packet louder than this is sound, not comfort silence. */
const SOUND_RMS = 200;

export interface TestPhoneOptions {
  readonly codec: CodecName;
  /** Real time between packets; smaller plays faster. Default 20. */
  readonly packetIntervalMs?: number;
  /** Offer telephone-event? Default true. */
  readonly hasTelephoneEvent?: boolean;
  /** Its own; default: loopback. */
  readonly address?: string;
  /** Sends where it hears from, whatever was signaled, as carriers do for who is behind a NAT. */
  readonly followsSource?: boolean;
  /** Encrypts, and says so in its descriptions. Default: plain RTP. */
  readonly srtp?: {
    readonly suite: SrtpKeys['suite'];
    /** RTP/AVP with a crypto line leaves the choice to the other side. */
    readonly protocol: 'RTP/SAVP' | 'RTP/AVP';
    /** Stands in its packets, and in what it says of its key. */
    readonly mki?: Buffer;
  };
}

/** One RTP packet as it arrived. */
export interface Arrival {
  /** On `performance.now`'s clock. */
  readonly atMs: number;
  readonly sequenceNumber: number;
  readonly rtpTimestamp: number;
  readonly ssrc: number;
  readonly payloadType: number;
  readonly hasMarker: boolean;
  readonly payload: Uint8Array;
  /** Level of the decoded frame; 0 for telephone events. */
  readonly rms: number;
}

/**
 * The media side of a telephone: sends a packet every 20 ms (silence when it has nothing to
 * say) and records what it hears. Its RTP code is its own, so that it can contradict ours.
 */
export class TestPhone {
  readonly codec: PhoneCodec;
  readonly ssrc = randomInt(0xffffffff);
  readonly telephoneEventPayloadType: number | null;
  /** Clock of telephone-event: the codec's own (RFC 4733 §2.2). */
  readonly telephoneEventClockRateHz: number;
  readonly arrivals: Arrival[] = [];
  /** RTCP packets that came to the RTP port. */
  readonly rtcpArrivals: Buffer[] = [];

  readonly #socket: Socket;
  readonly #intervalMs: number;
  readonly #heard: { readonly rtpTimestamp: number; readonly samples: Int16Array }[] = [];
  readonly #watchers = new Set<() => void>();
  #remote: { readonly address: string; readonly port: number } | null = null;
  #sequence = randomInt(0x8000);
  #rtpTimestamp = randomInt(0xffffffff);
  #timer: NodeJS.Timeout | undefined;
  #nextAtMs = 0;
  #queue: { readonly frames: Int16Array[]; readonly done: () => void }[] = [];
  #digits: { digit: string; frame: number; frames: number; start: number; done: () => void }[] = [];
  #heardDigits = '';
  #lastEventTimestamp = -1;
  #isMuted = false;
  readonly #srtpOptions: TestPhoneOptions['srtp'];
  readonly #followsSource: boolean;
  #keys: SrtpKeys | null = null;
  #speaks: PhoneSrtp | null = null;
  #hears: PhoneSrtp | null = null;
  #remoteKeys = '';
  #cryptoTag = '1';
  /** Packets whose tag was wrong. */
  unauthenticCount = 0;

  private constructor(options: TestPhoneOptions, codec: PhoneCodec, socket: Socket) {
    this.codec = codec;
    this.#socket = socket;
    this.#srtpOptions = options.srtp;
    this.#followsSource = options.followsSource ?? false;
    if (options.srtp !== undefined) this.rekey();
    this.#intervalMs = options.packetIntervalMs ?? FRAME_MS;
    this.telephoneEventPayloadType =
      (options.hasTelephoneEvent ?? true) ? EVENT_PAYLOAD_TYPE : null;
    this.telephoneEventClockRateHz = codec.frameTicks * 50;
    socket.on('message', (packet, from) => this.#onPacket(packet, from));
  }

  static async open(options: TestPhoneOptions): Promise<TestPhone> {
    const codec = await openPhoneCodec(options.codec);
    const socket = createSocket('udp4').bind(0, options.address ?? '127.0.0.1');
    await once(socket, 'listening');
    return new TestPhone(options, codec, socket);
  }

  get address(): string {
    return this.#socket.address().address;
  }

  get port(): number {
    return this.#socket.address().port;
  }

  /** Keypad digits heard as telephone events, once per press. */
  get heardDigits(): string {
    return this.#heardDigits;
  }

  /** Whether the other side agreed on encryption. */
  get isEncrypted(): boolean {
    return this.#speaks !== null;
  }

  /** Another key from the next `connectTo` on; `sdp()` says it at once. */
  rekey(): void {
    this.#keys = newSrtpKeys(this.#srtpOptions?.suite ?? 'AES_CM_128_HMAC_SHA1_80');
  }

  /** Encrypts with this key from the next `connectTo` on. */
  adoptKeys(keys: SrtpKeys): void {
    this.#keys = keys;
  }

  /** A session description offering (or answering with) this phone's codec. */
  sdp(direction = 'sendrecv'): string {
    const { payloadType, rtpmap } = this.codec;
    const event = this.telephoneEventPayloadType;
    const lines = [
      'v=0',
      `o=phone ${this.ssrc} 1 IN IP4 ${this.address}`,
      's=-',
      `c=IN IP4 ${this.address}`,
      't=0 0',
      `m=audio ${this.port} ${this.#srtpOptions?.protocol ?? 'RTP/AVP'} ${payloadType}${event === null ? '' : ` ${event}`}`,
      `a=rtpmap:${payloadType} ${rtpmap}`,
    ];
    if (event !== null) {
      const clock = this.telephoneEventClockRateHz;
      lines.push(`a=rtpmap:${event} telephone-event/${clock}`, `a=fmtp:${event} 0-15`);
    }
    if (this.#keys !== null) {
      lines.push(cryptoLine(this.#cryptoTag, this.#keys, this.#srtpOptions?.mki));
    }
    lines.push('a=ptime:20', `a=${direction}`, '');
    return lines.join('\r\n');
  }

  /** Takes the address from the far side's description and starts sending. */
  connectTo(sdp: string): void {
    const address = /^c=IN IP4 (\S+)/m.exec(sdp)?.[1];
    const port = /^m=audio (\d+)/m.exec(sdp)?.[1];
    if (address === undefined || port === undefined) throw new Error('the answer has no audio');
    this.#secure(sdp);
    this.start(address, Number(port));
  }

  #secure(sdp: string): void {
    // Of an offer's lines the one of our own suite, of an answer's the only one.
    const line = cryptoLineOf(sdp, this.#srtpOptions?.suite) ?? cryptoLineOf(sdp);
    this.#cryptoTag = line?.tag ?? '1';
    const remote = line?.keys ?? null;
    if (remote === null || this.#keys === null) {
      this.#speaks = null;
      this.#hears = null;
      return;
    }
    // What came with it before goes on; anything new begins anew.
    const keys = `${remote.keySaltBase64} ${this.#keys.keySaltBase64}`;
    if (keys === this.#remoteKeys) return;
    this.#remoteKeys = keys;
    this.#speaks = new PhoneSrtp({ ...this.#keys, suite: remote.suite });
    this.#hears = new PhoneSrtp(remote);
  }

  /** Starts sending a packet every 20 ms to that address; again: changes the address. */
  start(address: string, port: number): void {
    this.#remote = { address, port };
    if (this.#timer !== undefined) return;
    this.#nextAtMs = performance.now();
    this.#tick();
  }

  /** Speaks; resolves when the last packet was sent. Must be in the codec's own rate. */
  say({ samples, sampleRateHz }: Pcm): Promise<void> {
    if (sampleRateHz !== this.codec.sampleRateHz) {
      throw new Error(`this phone speaks ${this.codec.sampleRateHz} Hz, not ${sampleRateHz}`);
    }
    const frames: Int16Array[] = [];
    const frameSamples = sampleRateHz / 50;
    for (let at = 0; at < samples.length; at += frameSamples) {
      const frame = new Int16Array(frameSamples);
      frame.set(samples.subarray(at, at + frameSamples));
      frames.push(frame);
    }
    return new Promise((done) => this.#queue.push({ frames, done }));
  }

  /** Presses a key; resolves after its last end packet. */
  press(digit: string, ms = 100): Promise<void> {
    const frames = Math.max(1, Math.round(ms / FRAME_MS));
    return new Promise((done) => this.#digits.push({ digit, frame: 0, frames, start: 0, done }));
  }

  /** Sends nothing at all until `unmute`; the RTP clock runs on. */
  mute(): void {
    this.#isMuted = true;
  }

  unmute(): void {
    this.#isMuted = false;
  }

  /** Sends one datagram as it is. */
  sendRaw(packet: Uint8Array): void {
    if (this.#remote !== null) this.#socket.send(packet, this.#remote.port, this.#remote.address);
  }

  /** Resolves at the first arrival after which `condition` holds; rejects after `withinMs`. */
  waitFor(condition: (phone: TestPhone) => boolean, withinMs = 5000): Promise<void> {
    return new Promise((resolve, reject) => {
      const finish = (outcome: () => void) => {
        clearTimeout(timer);
        this.#watchers.delete(check);
        outcome();
      };
      const check = () => {
        if (condition(this)) finish(resolve);
      };
      const timer = setTimeout(
        () => finish(() => reject(new Error(`not heard within ${withinMs} ms`))),
        withinMs,
      );
      this.#watchers.add(check);
      check();
    });
  }

  /** Resolves with the arrival of the first sound after now. */
  async nextSound(withinMs = 5000): Promise<Arrival> {
    const from = this.arrivals.length;
    const find = () => this.arrivals.slice(from).find((arrival) => arrival.rms > SOUND_RMS);
    await this.waitFor(() => find() !== undefined, withinMs);
    return find()!;
  }

  /** Resolves when nothing loud came for `ms` of the far side's media clock. */
  quietFor(ms: number, withinMs = 10_000): Promise<void> {
    return this.waitFor(() => this.#quietMs() >= ms, withinMs);
  }

  /** Everything heard since the first packet, by RTP timestamp, with silence in the gaps. */
  recording(): Pcm {
    const { sampleRateHz, frameTicks } = this.codec;
    const first = this.#heard[0];
    if (first === undefined) return { samples: new Int16Array(0), sampleRateHz };
    const samplesPerTick = sampleRateHz / 50 / frameTicks;
    const placed = this.#heard.map(({ rtpTimestamp, samples }) => {
      const at = Math.round(((rtpTimestamp - first.rtpTimestamp) | 0) * samplesPerTick);
      return { at, samples };
    });
    const end = Math.max(...placed.map(({ at, samples }) => at + samples.length));
    const recorded = new Int16Array(end);
    for (const { at, samples } of placed) if (at >= 0) recorded.set(samples, at);
    return { samples: recorded, sampleRateHz };
  }

  close(): void {
    clearTimeout(this.#timer);
    this.#timer = undefined;
    this.#socket.close();
    this.codec.close();
  }

  #quietMs(): number {
    const last = this.arrivals.at(-1);
    if (last === undefined) return 0;
    const loud = this.arrivals.findLast((arrival) => arrival.rms > SOUND_RMS) ?? this.arrivals[0]!;
    return (((last.rtpTimestamp - loud.rtpTimestamp) | 0) / this.codec.frameTicks) * FRAME_MS;
  }

  /** After a stall of this process it goes on as a phone does that was held up: no burst. */
  #tick(): void {
    if (performance.now() - this.#nextAtMs > STALL_MS) this.#nextAtMs = performance.now();
    while (performance.now() >= this.#nextAtMs) {
      this.#sendNext();
      this.#nextAtMs += this.#intervalMs;
    }
    const wait = Math.max(1, this.#nextAtMs - performance.now());
    this.#timer = setTimeout(() => this.#tick(), wait);
  }

  #sendNext(): void {
    if (!this.#isMuted) {
      if (this.#digits.length > 0) this.#sendEvent();
      else this.#sendAudio();
    }
    this.#rtpTimestamp = (this.#rtpTimestamp + this.codec.frameTicks) >>> 0;
  }

  #sendAudio(): void {
    const utterance = this.#queue[0];
    const frame = utterance?.frames.shift() ?? new Int16Array(this.codec.sampleRateHz / 50);
    this.#send(this.codec.payloadType, this.codec.encode(frame), false, this.#rtpTimestamp);
    if (utterance?.frames.length === 0) {
      this.#queue.shift();
      utterance.done();
    }
  }

  /** A press is `frames` updates, the last of them sent three times with the end bit. */
  #sendEvent(): void {
    const press = this.#digits[0]!;
    if (press.frame === 0) press.start = this.#rtpTimestamp;
    const isEnd = press.frame >= press.frames - 1;
    const duration = Math.min(press.frame + 1, press.frames) * this.codec.frameTicks;
    const payload = Buffer.from([DIGITS.indexOf(press.digit), isEnd ? 0x8a : 0x0a, 0, 0]);
    payload.writeUInt16BE(Math.min(0xffff, duration), 2);
    this.#send(this.telephoneEventPayloadType ?? 101, payload, press.frame === 0, press.start);
    press.frame += 1;
    if (press.frame < press.frames + 2) return;
    this.#digits.shift();
    press.done();
  }

  #send(payloadType: number, payload: Uint8Array, hasMarker: boolean, rtpTimestamp: number): void {
    const packet = Buffer.alloc(12 + payload.length);
    packet[0] = 0x80;
    packet[1] = payloadType + (hasMarker ? 128 : 0);
    packet.writeUInt16BE(this.#sequence, 2);
    packet.writeUInt32BE(rtpTimestamp, 4);
    packet.writeUInt32BE(this.ssrc, 8);
    packet.set(payload, 12);
    this.#sequence = (this.#sequence + 1) % 65536;
    this.sendRaw(this.#speaks?.protect(packet, this.#srtpOptions?.mki) ?? packet);
  }

  #onPacket(datagram: Buffer, from: RemoteInfo): void {
    if (this.#followsSource) this.#remote = from;
    const atMs = performance.now();
    const second = datagram[1] ?? 0;
    if (datagram.length < 12 || (second >= 192 && second <= 223)) {
      this.rtcpArrivals.push(datagram);
      this.#notify();
      return;
    }
    const packet = this.#hears === null ? datagram : this.#hears.unprotect(datagram);
    if (packet === null) {
      this.unauthenticCount += 1;
      return;
    }
    const payloadType = second % 128;
    const rtpTimestamp = packet.readUInt32BE(4);
    const payload = packet.subarray(12);
    let level = 0;
    if (payloadType === this.codec.payloadType) {
      const samples = this.codec.decode(payload);
      this.#heard.push({ rtpTimestamp, samples });
      level = rms(samples);
    } else if (payloadType === this.telephoneEventPayloadType) {
      this.#hearEvent(payload, rtpTimestamp);
    }
    this.arrivals.push({
      atMs,
      sequenceNumber: packet.readUInt16BE(2),
      rtpTimestamp,
      ssrc: packet.readUInt32BE(8),
      payloadType,
      hasMarker: second >= 128,
      payload,
      rms: level,
    });
    this.#notify();
  }

  #hearEvent(payload: Buffer, rtpTimestamp: number): void {
    if (rtpTimestamp === this.#lastEventTimestamp) return;
    this.#lastEventTimestamp = rtpTimestamp;
    this.#heardDigits += DIGITS[payload[0]!] ?? '';
  }

  #notify(): void {
    for (const check of this.#watchers) check();
  }
}
