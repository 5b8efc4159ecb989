import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { join } from 'node:path';
import { connectSipEngine } from '../../src/signaling/sip-engine-client.ts';
import type { Trunk } from '../../src/signaling/trunk/trunk.ts';
import { TrunkService } from '../../src/signaling/trunk/trunk-service.ts';
import { startSipEngine } from '../../src/sip-engine/sip-engine.ts';
import { aTrunk } from '../unit/signaling/trunk/a-trunk.ts';
import { type Percentiles, percentiles } from './percentiles.ts';

export interface TrunkBenchOptions {
  readonly registrations: number;
  readonly calls: number;
  /** Calls that are being set up at once. */
  readonly atOnce: number;
}

/** Times in milliseconds; CPU is user and system time of this process: engine and trunks. */
export interface TrunkBenchResult {
  readonly registered: number;
  readonly allRegisteredMs: number;
  readonly cpuPerRegistrationMs: number;
  /** Of one second in which all are merely held. */
  readonly cpuHeldMsPerSecond: number;
  readonly callsPerSecond: number;
  /** INVITE, 200, ACK, BYE, 200. */
  readonly cpuPerCallMs: number;
  readonly setupMs: Percentiles;
}

const SECRET = 'bench-secret';
const REGISTERED_WITHIN_MS = 60_000;
const HELD_MS = 5_000;
const SDP =
  'v=0\r\no=- 1 1 IN IP4 127.0.0.1\r\ns=-\r\nc=IN IP4 127.0.0.1\r\nt=0 0\r\nm=audio 41000 RTP/AVP 8\r\n';
const SILENT = { info() {}, warn() {}, error() {} };

/** Registrations held, and calls out, against a carrier in another process. */
export async function benchTrunks(options: TrunkBenchOptions): Promise<TrunkBenchResult> {
  const carrier = await startCarrier();
  const engine = await startSipEngine({
    host: '127.0.0.1',
    port: 0,
    secret: SECRET,
    guard: { packetsPerSecond: 1_000_000 },
  });
  const signaling = connectSipEngine({
    ...engine.admin,
    secret: SECRET,
    onInvite: () => {},
    log: SILENT,
  });
  await signaling.whenConnected();
  const trunks = Array.from({ length: options.registrations }, (_, at) =>
    trunkAt(carrier.port, at),
  );
  const service = new TrunkService({ trunks, signaling: () => signaling, log: SILENT });
  try {
    const registering = await measure(() => register(service, options.registrations));
    const held = await measure(() => new Promise((resolve) => setTimeout(resolve, HELD_MS)));
    const setupMs: number[] = [];
    const calling = await measure(() => callAll(service, options, setupMs));
    return {
      registered: service.views().filter(({ isUp }) => isUp).length,
      allRegisteredMs: registering.wallMs,
      cpuPerRegistrationMs: registering.cpuMs / options.registrations,
      cpuHeldMsPerSecond: held.cpuMs / (HELD_MS / 1000),
      callsPerSecond: (options.calls / calling.wallMs) * 1000,
      cpuPerCallMs: calling.cpuMs / options.calls,
      setupMs: percentiles(setupMs),
    };
  } finally {
    await service.stop();
    await signaling.close();
    await engine.close();
    carrier.process.kill();
  }
}

function trunkAt(port: number, at: number): Trunk {
  const username = `user${at}`;
  return aTrunk({
    name: `trunk-${at}`,
    hosts: [{ host: '127.0.0.1', port }],
    username,
    credentials: { username, password: 'secret', realm: null },
    registration: { expiresSeconds: 60 },
    codecs: ['pcma'],
    optionsSeconds: 30,
    channelsMax: 10_000,
    callsPerSecond: 10_000,
  });
}

async function register(service: TrunkService, wanted: number): Promise<void> {
  const deadlineMs = performance.now() + REGISTERED_WITHIN_MS;
  service.start();
  const count = () => service.views().filter((view) => view.registration?.isRegistered).length;
  while (count() < wanted && performance.now() < deadlineMs) {
    await new Promise((resolve) => setTimeout(resolve, 50));
  }
}

async function callAll(
  service: TrunkService,
  { calls, atOnce }: TrunkBenchOptions,
  setupMs: number[],
): Promise<void> {
  let left = calls;
  const line = async () => {
    while (left > 0) {
      left -= 1;
      setupMs.push(await callOnce(service));
    }
  };
  await Promise.all(Array.from({ length: atOnce }, line));
}

async function callOnce(service: TrunkService): Promise<number> {
  const startedMs = performance.now();
  const result = await service.dial(
    {
      to: '+34955666777',
      caller: { number: null },
      trunk: 'trunk-0',
      offerFor: () => SDP,
      signal: new AbortController().signal,
    },
    {
      onProgress: () => {},
      onEnded: () => {},
      onRemoteAnswer: () => {},
      onRemoteOffer: () => Promise.resolve({ type: 'refuse', status: 488 }),
      makeOffer: () => SDP,
      onDigit: () => {},
    },
  );
  const tookMs = performance.now() - startedMs;
  if (result.type === 'ended') throw new Error(`a call was not answered: ${result.reason}`);
  await result.leg.hangUp();
  return tookMs;
}

async function measure(work: () => Promise<unknown>) {
  const before = process.cpuUsage();
  const startedMs = performance.now();
  await work();
  const { user, system } = process.cpuUsage(before);
  return { cpuMs: (user + system) / 1000, wallMs: performance.now() - startedMs };
}

async function startCarrier(): Promise<{ readonly process: ChildProcess; readonly port: number }> {
  const script = join(import.meta.dirname, 'answering-carrier.mjs');
  const child = spawn(process.execPath, [script], { stdio: ['ignore', 'pipe', 'inherit'] });
  const [line] = (await once(child.stdout, 'data')) as [Buffer];
  return { process: child, port: Number(line.toString('utf8')) };
}
