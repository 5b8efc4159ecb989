import { type ChildProcess, spawn, spawnSync } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { FarmReport } from './caller-farm.ts';
import { type Percentiles, percentiles } from './percentiles.ts';

/** What the wire showed of some calls, by the kernel's own times. */
export interface WireFigures {
  /** |gap - 20 ms| between two packets of sound of one leg. */
  readonly pacingMs: Percentiles;
  /** 200 of the INVITE to the first packet of sound. */
  readonly greetingMs: Percentiles;
  /** Packet with the last of the caller's voice to the first packet of the reply. */
  readonly turnMs: Percentiles;
  /** Packet with the first of the caller's voice to the first packet without the agent's. */
  readonly bargeInMs: Percentiles;
}

interface Packet {
  readonly atMs: number;
  readonly sourcePort: number;
  readonly targetPort: number;
  readonly payload: Buffer;
}

/** A packet of RTP that the gateway sent. */
interface Sent {
  readonly atMs: number;
  readonly isSound: boolean;
}

const FRAME_MS = 20;
/** A reply that comes later is one to something else. */
const REPLY_WITHIN_MS = 3_000;
/** The agent speaks when it was heard this lately. */
const SPEAKING_MS = 45;
/** A pause this long is a hold, not a gap between clauses. */
const HELD_PACKETS = 4;

export const hasTcpdump = spawnSync('tcpdump', ['--version']).status === 0;

/** Reads along on loopback with tcpdump, whose times are the kernel's and not a program's. */
export class Wire {
  readonly #folder = mkdtempSync(join(tmpdir(), 'bench-wire-'));
  readonly #child: ChildProcess;

  private constructor(filter: string) {
    const args = ['-i', 'lo', '-n', '-p', '-B', '32768', '--time-stamp-precision=micro'];
    this.#child = spawn('tcpdump', [...args, '-w', this.#file, filter], {
      stdio: ['ignore', 'ignore', 'pipe'],
    });
  }

  static async open(sipPort: number, rtpPorts: string): Promise<Wire> {
    const wire = new Wire(`udp and (port ${sipPort} or portrange ${rtpPorts})`);
    if (wire.#child.stderr !== null) await once(wire.#child.stderr, 'data');
    return wire;
  }

  get #file(): string {
    return join(this.#folder, 'wire.pcap');
  }

  async close(report: FarmReport, sinceMs: number): Promise<WireFigures> {
    const exited = once(this.#child, 'exit');
    this.#child.kill('SIGINT');
    await exited;
    const packets = readPcap(readFileSync(this.#file));
    rmSync(this.#folder, { recursive: true });
    return analyze(packets, report, sinceMs);
  }
}

function analyze(packets: readonly Packet[], report: FarmReport, sinceMs: number): WireFigures {
  const sent = new Map<number, Sent[]>();
  const spoken = new Map<number, Map<number, number>>();
  const answeredAtMs = new Map<number, number>();
  for (const { gatewayPort } of report.lines) {
    sent.set(gatewayPort, []);
    spoken.set(gatewayPort, new Map());
  }
  for (const { atMs, sourcePort, targetPort, payload } of packets) {
    const port = answeredPort(payload);
    if (port !== null) answeredAtMs.set(port, answeredAtMs.get(port) ?? atMs);
    if (!isRtp(payload)) continue;
    sent.get(sourcePort)?.push({ atMs, isSound: isSound(payload) });
    spoken.get(targetPort)?.set(payload.readUInt16BE(2), atMs);
  }
  const pacing: number[] = [];
  const greeting: number[] = [];
  const turn: number[] = [];
  const bargeIn: number[] = [];
  for (const { gatewayPort, marks } of report.lines) {
    const own = sent.get(gatewayPort) ?? [];
    addGaps(own, sinceMs, pacing);
    const answered = answeredAtMs.get(gatewayPort);
    const first = own.find(({ isSound }) => isSound);
    if (answered !== undefined && first !== undefined) greeting.push(first.atMs - answered);
    for (const { kind, sequence } of marks) {
      const atMs = spoken.get(gatewayPort)?.get(sequence);
      if (atMs === undefined || atMs < sinceMs) continue;
      if (kind === 'end') addReply(own, atMs, turn);
      else addHold(own, atMs, bargeIn);
    }
  }
  return {
    pacingMs: percentiles(pacing),
    greetingMs: percentiles(greeting),
    turnMs: percentiles(turn),
    bargeInMs: percentiles(bargeIn),
  };
}

function addGaps(sent: readonly Sent[], sinceMs: number, out: number[]): void {
  for (const [index, { atMs, isSound }] of sent.entries()) {
    const before = sent[index - 1];
    if (before === undefined || before.atMs < sinceMs) continue;
    if (isSound && before.isSound) out.push(Math.abs(atMs - before.atMs - FRAME_MS));
  }
}

function addReply(sent: readonly Sent[], endedAtMs: number, out: number[]): void {
  if (isSpeaking(sent, endedAtMs)) return;
  const reply = sent.find(({ atMs, isSound }) => atMs > endedAtMs && isSound);
  if (reply === undefined || reply.atMs - endedAtMs > REPLY_WITHIN_MS) return;
  out.push(reply.atMs - endedAtMs);
}

function addHold(sent: readonly Sent[], onsetAtMs: number, out: number[]): void {
  if (!isSpeaking(sent, onsetAtMs)) return;
  const start = sent.findIndex(({ atMs }) => atMs > onsetAtMs);
  for (let at = start; at >= 0 && at + HELD_PACKETS <= sent.length; at += 1) {
    if (sent.slice(at, at + HELD_PACKETS).some(({ isSound }) => isSound)) continue;
    out.push((sent[at]?.atMs ?? 0) - onsetAtMs);
    return;
  }
}

function isSpeaking(sent: readonly Sent[], nowMs: number): boolean {
  return sent.some(({ atMs, isSound }) => isSound && atMs <= nowMs && nowMs - atMs <= SPEAKING_MS);
}

/** The media port that a 200 with a description names. */
function answeredPort(payload: Buffer): number | null {
  if (payload.toString('latin1', 0, 11) !== 'SIP/2.0 200') return null;
  const port = /\r\nm=audio (\d+)/.exec(payload.toString('latin1'))?.[1];
  return port === undefined ? null : Number(port);
}

function isRtp(payload: Buffer): boolean {
  const [first = 0, second = 0] = payload;
  return payload.length > 12 && first === 0x80 && !(second >= 192 && second <= 223);
}

/** Not the constant frame of silence of either codec. */
function isSound(payload: Buffer): boolean {
  const isPcmu = (payload[1]! & 0x7f) === 0;
  return isPcmu ? payload.subarray(12).some((byte) => byte !== 0xff) : payload.length > 12 + 3;
}

/** UDP over IPv4 over Ethernet, as loopback is captured; microseconds. */
function readPcap(file: Buffer): Packet[] {
  const packets: Packet[] = [];
  for (let at = 24; at + 16 <= file.length; ) {
    const atMs = file.readUInt32LE(at) * 1_000 + file.readUInt32LE(at + 4) / 1_000;
    const length = file.readUInt32LE(at + 8);
    const ip = at + 16 + 14;
    const udp = ip + (file[ip]! & 0x0f) * 4;
    const end = at + 16 + length;
    if (end > file.length) break;
    packets.push({
      atMs,
      sourcePort: file.readUInt16BE(udp),
      targetPort: file.readUInt16BE(udp + 2),
      payload: file.subarray(udp + 8, end),
    });
    at = end;
  }
  return packets;
}
