import { type ChildProcess, fork } from 'node:child_process';
import { once } from 'node:events';
import { readdirSync, readFileSync } from 'node:fs';
import { Gateway } from '../support/gateway.ts';
import type { FarmReport } from './caller-farm.ts';
import { cpuSeconds, residentKib, untilIdle } from './process-figures.ts';
import { hasTcpdump, Wire, type WireFigures } from './wire.ts';

const MEASURE_SECONDS = 20;
const SETTLE_MS = 4_000;
const RTP_PORTS = '40000-41999';
const GREETING = 'Good day, this is the bench.';

export interface StubCallFigures {
  readonly codec: 'pcmu' | 'opus';
  readonly calls: number;
  /** All threads of the daemon, user and system, as part of one core, for each call. */
  readonly cpuPercentPerCall: number;
  readonly memoryKibPerCall: number;
  /** Part of the time that the daemon's threads were ready and had no core, all together. */
  readonly waitingForCorePercent: number;
  /** null without tcpdump. */
  readonly wire: WireFigures | null;
}

/**
 * Whole calls through the built daemon with providers that take no time, over HTTP, in a
 * process of their own: what is left is the gateway. Linux only (/proc).
 */
export async function benchStubCalls(
  codec: 'pcmu' | 'opus',
  calls: number,
): Promise<StubCallFigures> {
  const providers = forked('stub-providers.ts');
  const { baseUrl } = (await message(providers)) as { baseUrl: string };
  const gateway = await Gateway.start({
    env: {
      TRUNKLINE_LOG_LEVEL: 'warn',
      TRUNKLINE_MEDIA_PORTS: RTP_PORTS,
      TRUNKLINE_STT_BASE_URL: baseUrl,
      TRUNKLINE_LLM_BASE_URL: baseUrl,
      TRUNKLINE_LLM_MODEL: 'stub',
      TRUNKLINE_TTS_BASE_URL: baseUrl,
    },
  });
  try {
    await gateway.changeAgent({ greeting_text: GREETING });
    // One call first: what is loaded or compiled once is not a call's cost.
    await farmReport(farm(gateway, codec, 1, 8));
    await untilIdle(gateway.process.pid ?? 0);
    return await measured(gateway, codec, calls);
  } finally {
    await gateway.stop();
    providers.disconnect();
  }
}

async function measured(
  gateway: Gateway,
  codec: 'pcmu' | 'opus',
  calls: number,
): Promise<StubCallFigures> {
  const pid = gateway.process.pid ?? 0;
  const idleKib = residentKib(pid);
  const wire = hasTcpdump ? await Wire.open(gateway.sipPort, RTP_PORTS) : null;
  const callers = farm(gateway, codec, calls, MEASURE_SECONDS + SETTLE_MS / 1_000 + 1);
  await message(callers);
  const reported = farmReport(callers);
  await new Promise((resolve) => setTimeout(resolve, SETTLE_MS));
  const sinceMs = Date.now();
  const [cpuBefore, waitBefore] = [cpuSeconds(pid), waitedSeconds(pid)];
  await new Promise((resolve) => setTimeout(resolve, MEASURE_SECONDS * 1_000));
  const elapsed = (Date.now() - sinceMs) / 1_000;
  const cpu = cpuSeconds(pid) - cpuBefore;
  const waited = waitedSeconds(pid) - waitBefore;
  const memoryKib = residentKib(pid) - idleKib;
  const report = await reported;
  return {
    codec,
    calls,
    cpuPercentPerCall: (cpu / elapsed / calls) * 100,
    memoryKibPerCall: memoryKib / calls,
    waitingForCorePercent: (waited / elapsed) * 100,
    wire: wire === null ? null : await wire.close(report, sinceMs),
  };
}

function farm(gateway: Gateway, codec: string, calls: number, seconds: number): ChildProcess {
  return forked('caller-farm.ts', gateway.sipPort, codec, calls, seconds, 'interrupting');
}

function forked(file: string, ...args: readonly (string | number)[]): ChildProcess {
  return fork(new URL(file, import.meta.url), args.map(String), {
    execArgv: ['--import', 'ts-blank-space/register'],
  });
}

async function message(from: ChildProcess): Promise<unknown> {
  const failed = once(from, 'exit').then(([code]) => {
    throw new Error(`a process of the bench ended with ${code}`);
  });
  const [received] = (await Promise.race([once(from, 'message'), failed])) as [unknown];
  return received;
}

async function farmReport(callers: ChildProcess): Promise<FarmReport> {
  for (;;) {
    const received = (await message(callers)) as FarmReport | { type: 'up' };
    if (received.type === 'done') return received;
  }
}

/** Time that the process's threads spent ready to run, without a core. */
function waitedSeconds(pid: number): number {
  let nanoseconds = 0;
  for (const thread of readdirSync(`/proc/${pid}/task`)) {
    const fields = readFileSync(`/proc/${pid}/task/${thread}/schedstat`, 'utf8').split(' ');
    nanoseconds += Number(fields[1]);
  }
  return nanoseconds / 1e9;
}
