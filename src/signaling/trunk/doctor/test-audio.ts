import { randomInt } from 'node:crypto';
import { createSocket, type RemoteInfo, type Socket } from 'node:dgram';
import { once } from 'node:events';
import type { RtpParameters } from '../../../model/media.ts';
import type { MediaPlace, PacketGuard } from './patient.ts';

const FRAME_SAMPLES = 160;
const FRAME_MS = 20;
const BIND_TRIES = 20;
const TONE_HZ = 1_000;
/** Share of a packet's energy at our tone, above which it is ours. */
const ECHO_SHARE = 0.5;
const LOUD_ENOUGH = 1e6;

/** A phone of two sentences: it sends a tone, and counts what comes. PCMU and PCMA alone. */
export class TestAudio {
  packetsSent = 0;
  packetsReceived = 0;
  hasEcho = false;
  isReported = false;
  from: string | null = null;
  readonly #socket: Socket;
  readonly #ssrc = randomInt(0xffffffff);
  #sequence = randomInt(0x8000);
  #timestamp = randomInt(0xffffffff);
  #timer: NodeJS.Timeout | null = null;
  #guard: PacketGuard | null = null;
  #isLinear: (code: number) => number = () => 0;

  private constructor(socket: Socket) {
    this.#socket = socket;
    socket.on('message', (packet, from) => this.#onPacket(packet, from));
    socket.on('error', () => {});
  }

  /** On a free port of the range that the firewall is open for. Throws when there is none. */
  static async open({ bindAddress, ports }: MediaPlace): Promise<TestAudio> {
    for (let tries = 1; ; tries += 1) {
      const socket = createSocket(bindAddress.includes(':') ? 'udp6' : 'udp4');
      try {
        socket.bind(randomInt(ports.first, ports.last + 1), bindAddress);
        await once(socket, 'listening');
        return new TestAudio(socket);
      } catch (error) {
        socket.close();
        if (tries >= BIND_TRIES) throw error;
      }
    }
  }

  get port(): number {
    return this.#socket.address().port;
  }

  start(parameters: RtpParameters, guard: PacketGuard | null): void {
    if (this.#timer !== null) return;
    const { codec, remoteAddress, remotePort } = parameters;
    this.#guard = guard;
    const isMu = codec !== 'pcma';
    this.#isLinear = isMu ? linearOfMu : linearOfA;
    const tone = toneOf(isMu ? linearOfMu : linearOfA);
    this.#timer = setInterval(() => {
      const packet = this.#packet(isMu ? 0 : 8, tone);
      const sent = guard === null ? packet : guard.protectRtp(packet);
      this.#socket.send(sent, remotePort, remoteAddress, () => {});
      this.packetsSent += 1;
    }, FRAME_MS);
  }

  close(): void {
    if (this.#timer !== null) clearInterval(this.#timer);
    this.#socket.close();
  }

  #packet(payloadType: number, tone: Uint8Array): Buffer {
    const packet = Buffer.alloc(12 + FRAME_SAMPLES);
    packet.writeUInt16BE(0x8000 | payloadType, 0);
    packet.writeUInt16BE(this.#sequence, 2);
    packet.writeUInt32BE(this.#timestamp, 4);
    packet.writeUInt32BE(this.#ssrc, 8);
    packet.set(tone, 12);
    this.#sequence = (this.#sequence + 1) % 0x10000;
    this.#timestamp = (this.#timestamp + FRAME_SAMPLES) >>> 0;
    return packet;
  }

  /** Of the plain packet; -1: it is not from whom we talk with. */
  #lengthOf(packet: Buffer, isReport: boolean): number {
    if (this.#guard === null) return packet.length;
    const nowMs = performance.now();
    return isReport
      ? this.#guard.unprotectRtcp(packet, nowMs)
      : this.#guard.unprotectRtp(packet, nowMs);
  }

  #onPacket(packet: Buffer, { address, port }: RemoteInfo): void {
    if (packet.length < 12 || packet.readUInt8(0) >> 6 !== 2) return;
    const type = packet.readUInt8(1);
    const isReport = type === 200 || type === 201;
    const length = this.#lengthOf(packet, isReport);
    if (length === -1) return;
    if (isReport) {
      this.isReported ||= speaksOf(packet.subarray(0, length), type, this.#ssrc);
      return;
    }
    this.packetsReceived += 1;
    this.from ??= `${address}:${port}`;
    const samples = Array.from(packet.subarray(12, length), (code) => this.#isLinear(code));
    this.hasEcho ||= isTone(samples);
  }
}

/** A report block (RFC 3550 §6.4.1) about our stream. */
function speaksOf(packet: Buffer, type: number, ssrc: number): boolean {
  const start = type === 200 ? 28 : 8;
  const count = packet.readUInt8(0) & 0x1f;
  for (let block = 0; block < count; block += 1) {
    const at = start + block * 24;
    if (at + 4 <= packet.length && packet.readUInt32BE(at) === ssrc) return true;
  }
  return false;
}

function isTone(samples: readonly number[]): boolean {
  let energy = 0;
  let [s1, s2] = [0, 0];
  const coefficient = 2 * Math.cos((2 * Math.PI * TONE_HZ) / 8_000);
  for (const sample of samples) {
    energy += sample * sample;
    [s1, s2] = [sample + coefficient * s1 - s2, s1];
  }
  const atTone = (2 * (s1 * s1 + s2 * s2 - coefficient * s1 * s2)) / Math.max(1, samples.length);
  return energy > LOUD_ENOUGH && atTone / energy > ECHO_SHARE;
}

/** One frame holds 20 whole periods, so that it may be repeated. */
function toneOf(linear: (code: number) => number): Uint8Array {
  const table = Array.from({ length: 256 }, (_, code) => linear(code));
  return Uint8Array.from({ length: FRAME_SAMPLES }, (_, n) => {
    const wanted = 8_000 * Math.sin((2 * Math.PI * TONE_HZ * n) / 8_000);
    let best = 0;
    for (let code = 1; code < 256; code += 1) {
      const isCloser =
        Math.abs((table[code] ?? 0) - wanted) < Math.abs((table[best] ?? 0) - wanted);
      if (isCloser) best = code;
    }
    return best;
  });
}

/** ITU-T G.711, one value. */
function linearOfMu(code: number): number {
  const inverted = ~code & 0xff;
  const magnitude = (((inverted & 0x0f) << 3) + 0x84) << ((inverted & 0x70) >> 4);
  return inverted & 0x80 ? 0x84 - magnitude : magnitude - 0x84;
}

function linearOfA(code: number): number {
  const inverted = code ^ 0x55;
  const segment = (inverted & 0x70) >> 4;
  const step = ((inverted & 0x0f) << 4) + (segment === 0 ? 8 : 0x108);
  const magnitude = segment > 1 ? step << (segment - 1) : step;
  return inverted & 0x80 ? magnitude : -magnitude;
}
