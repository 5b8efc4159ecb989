import { fork } from 'node:child_process';
import { once } from 'node:events';
import { Gateway } from '../support/gateway.ts';
import { type Percentiles, percentiles } from './percentiles.ts';
import { cpuSeconds, residentKib } from './process-figures.ts';

const MEASURE_SECONDS = 10;
const SETTLE_MS = 4_000;

export interface WholeCallFigures {
  readonly codec: 'pcmu' | 'opus';
  readonly calls: number;
  /** All threads of the daemon, user and system, as part of one core, for each call. */
  readonly cpuPercentPerCall: number;
  /** Resident memory above that of the idle, warm daemon. */
  readonly memoryKibPerCall: number;
  /** Answer → first packet of the greeting, by the daemon's own stamps. */
  readonly greetingMs: Percentiles;
  /** End of the caller's speech → first packet of the reply, by the same. */
  readonly replyMs: Percentiles;
}

/**
 * Real calls of telephones that ask and listen, with the embedded recognizer, voice and
 * phrasebook: everything a call costs, nothing stubbed. Linux only (/proc).
 */
export async function benchWholeCalls(
  codec: 'pcmu' | 'opus',
  calls: number,
): Promise<WholeCallFigures> {
  const gateway = await Gateway.start({
    // The compiler would be counted as memory of the daemon: 100 MB a thread.
    env: { TRUNKLINE_LOG_LEVEL: 'warn', TRUNKLINE_MEDIA_PORTS: '40000-41999' },
  });
  try {
    // One call first: what is loaded or compiled once is not a call's cost.
    await callers(gateway, codec, 1, 8).done;
    const pid = gateway.process.pid ?? 0;
    const idleKib = residentKib(pid);
    const farm = callers(gateway, codec, calls, MEASURE_SECONDS + SETTLE_MS / 1_000 + 1);
    await farm.up;
    await new Promise((resolve) => setTimeout(resolve, SETTLE_MS));
    const before = cpuSeconds(pid);
    const startedMs = performance.now();
    await new Promise((resolve) => setTimeout(resolve, MEASURE_SECONDS * 1_000));
    const cpu = cpuSeconds(pid) - before;
    const elapsed = (performance.now() - startedMs) / 1_000;
    const memoryKib = residentKib(pid) - idleKib;
    await farm.done;
    return {
      codec,
      calls,
      cpuPercentPerCall: (cpu / elapsed / calls) * 100,
      memoryKibPerCall: memoryKib / calls,
      ...(await latencies(gateway, calls)),
    };
  } finally {
    await gateway.stop();
  }
}

function callers(gateway: Gateway, codec: string, calls: number, seconds: number) {
  const file = new URL('caller-farm.ts', import.meta.url);
  const child = fork(file, [gateway.sipPort, codec, calls, seconds].map(String), {
    execArgv: ['--import', 'ts-blank-space/register'],
  });
  const failed = once(child, 'exit').then(([code]) => {
    if (code !== 0) throw new Error(`the callers ended with ${code}`);
  });
  const up = Promise.race([once(child, 'message'), failed]);
  return { up, done: failed };
}

async function latencies(gateway: Gateway, calls: number) {
  const ended = await gateway.endedCalls(Math.min(calls, 20) + 1, 60_000);
  const greetings: number[] = [];
  const replies: number[] = [];
  // The first is the warm-up.
  for (const { answered_at: answeredAt, transcript = [] } of ended.slice(1)) {
    for (const [index, { role, stamps }] of transcript.entries()) {
      const first = stamps['playout_started_at_ms'] ?? null;
      const spoken = stamps['speech_ended_at_ms'] ?? null;
      if (role !== 'agent' || first === null) continue;
      if (index === 0) greetings.push(first - Date.parse(String(answeredAt)));
      if (spoken !== null) replies.push(first - spoken);
    }
  }
  return { greetingMs: percentiles(greetings), replyMs: percentiles(replies) };
}
