import { type ChildProcess, fork } from 'node:child_process';
import { once } from 'node:events';
import { setTimeout as sleep } from 'node:timers/promises';
import { MediaEngine } from '../../src/media/media-engine.ts';
import { tone } from '../support/audio.ts';
import { WebRtcClient } from '../support/webrtc-client.ts';
import { Janus } from './janus.ts';
import { type Percentiles, percentiles } from './percentiles.ts';
import { cpuSeconds, residentKib } from './process-figures.ts';

const SETTLE_MS = 2000;
const MEASURE_MS = 5000;
const FRAME_MS = 20;

export interface WebCallFigures {
  readonly calls: number;
  /** CPU of the server's process from the offers until all have connected, divided by calls. */
  readonly setupCpuMs: number;
  readonly answerMs: Percentiles;
  readonly connectedMs: Percentiles;
  readonly cpuPercentPerCall: number;
  readonly memoryKibPerCall: number;
}

/** Somebody who answers browsers, in a process of its own. */
interface Answerer {
  readonly pid: number;
  /** Where the browsers must come from. */
  readonly address: string;
  answer(offerSdp: string): Promise<string>;
  stop(): Promise<void>;
}

/** Legs of ours: decode what they hear, and encode a tone all the time. */
export async function startTrunkline(): Promise<Answerer> {
  const child = fork(new URL('web-calls-server.ts', import.meta.url), {
    execArgv: ['--import', 'ts-blank-space/register', '--no-parallel-scavenge'],
  });
  await once(child, 'message');
  const waiting = new Map<number, (sdp: string) => void>();
  child.on('message', ({ id, sdp }: { id: number; sdp: string }) => waiting.get(id)?.(sdp));
  let ids = 0;
  return {
    pid: child.pid ?? 0,
    address: '127.0.0.1',
    answer: (sdp) =>
      new Promise((resolve) => {
        ids += 1;
        waiting.set(ids, resolve);
        child.send({ id: ids, sdp });
      }),
    stop: () => end(child),
  };
}

/** Null when it is not installed. */
export function startJanus(): Promise<Answerer | null> {
  return Janus.start();
}

/** So many calls at once: set up one after the other, then measured while all of them talk. */
export async function benchWebCalls(server: Answerer, calls: number): Promise<WebCallFigures> {
  const speech = await opusFrames();
  const memoryBefore = residentKib(server.pid);
  const cpuBefore = cpuSeconds(server.pid);
  const clients: WebRtcClient[] = [];
  const [answerMs, connectedMs]: [number[], number[]] = [[], []];
  let talking: NodeJS.Timeout | null = null;
  try {
    for (let at = 0; at < calls; at += 1) {
      const client = new WebRtcClient({ bindAddress: server.address });
      clients.push(client);
      const offeredAtMs = performance.now();
      const sdp = await server.answer(client.offerSdp);
      answerMs.push(performance.now() - offeredAtMs);
      client.answer(sdp);
      await client.opened.happened;
      connectedMs.push(performance.now() - offeredAtMs);
    }
    const setupCpuMs = ((cpuSeconds(server.pid) - cpuBefore) * 1000) / calls;
    let frame = 0;
    talking = setInterval(() => {
      const payload = speech[frame % speech.length];
      frame += 1;
      for (const client of clients) if (payload !== undefined) client.sendRtp(payload);
    }, FRAME_MS);
    await sleep(SETTLE_MS);
    const [cpuAt, atMs] = [cpuSeconds(server.pid), performance.now()];
    await sleep(MEASURE_MS);
    const seconds = (performance.now() - atMs) / 1000;
    const cpuPercentPerCall = ((cpuSeconds(server.pid) - cpuAt) / seconds / calls) * 100;
    const silent = clients.filter(({ rtp }) => rtp.length === 0).length;
    if (silent > 0) throw new Error(`${silent} browsers heard nothing`);
    return {
      calls,
      setupCpuMs,
      answerMs: percentiles(answerMs),
      connectedMs: percentiles(connectedMs),
      cpuPercentPerCall,
      memoryKibPerCall: (residentKib(server.pid) - memoryBefore) / calls,
    };
  } finally {
    if (talking !== null) clearInterval(talking);
    for (const client of clients) client.close();
  }
}

/** A second of a tone, as packets carry it. */
async function opusFrames(): Promise<readonly Buffer[]> {
  const engine = await MediaEngine.start({ bindAddress: '127.0.0.1', ports: { min: 1, max: 0 } });
  const { encoder, decoder } = await engine.shared.codecs.createPair('opus');
  const rateHz = encoder.sampleRateHz;
  const samples = tone(300, rateHz, 1000);
  const perFrame = rateHz / 50;
  const frames: Buffer[] = [];
  for (let at = 0; at + perFrame <= samples.length; at += perFrame) {
    frames.push(Buffer.from(encoder.encode(samples.subarray(at, at + perFrame), at === 0)));
  }
  encoder.close();
  decoder.close();
  engine.close();
  return frames;
}

async function end(child: ChildProcess): Promise<void> {
  const exited = once(child, 'exit');
  child.disconnect();
  await exited;
}
