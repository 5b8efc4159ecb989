import { readdirSync } from 'node:fs';
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { join } from 'node:path';
import { Gateway } from '../support/gateway.ts';
import { residentKib } from './process-figures.ts';

const SCENARIO = join(import.meta.dirname, '../../sip/scenarios/caller-hangs-up.xml');
const CALLS = 10_000;
const WARM_UP_CALLS = 2_000;
const CALLS_PER_SECOND = 40;
const CALL_MS = 200;
/** Transactions are forgotten and released ports closed. */
const SETTLED_AFTER_MS = 45_000;

interface Snapshot {
  readonly descriptors: number;
  readonly residentMib: number;
  readonly heapMib: number;
}

export interface GrowthFigures {
  readonly calls: number;
  readonly before: Snapshot;
  readonly after: Snapshot;
}

/** Ten thousand short calls through the built daemon, and what is left of them. Needs SIPp. */
export async function benchGrowth(): Promise<GrowthFigures> {
  const gateway = await Gateway.start({
    env: { TRUNKLINE_LOG_LEVEL: 'error', TRUNKLINE_MEDIA_PORTS: '40000-41999' },
  });
  try {
    await call(gateway.sipPort, WARM_UP_CALLS);
    const before = await snapshot(gateway);
    await call(gateway.sipPort, CALLS);
    const after = await snapshot(gateway);
    return { calls: CALLS, before, after };
  } finally {
    await gateway.stop();
  }
}

async function snapshot(gateway: Gateway): Promise<Snapshot> {
  await new Promise((resolve) => setTimeout(resolve, SETTLED_AFTER_MS));
  const pid = gateway.process.pid ?? 0;
  const heap = await gateway.metric('nodejs_heap_size_used_bytes');
  // The connection that asked is counted too, each time.
  return {
    descriptors: readdirSync(`/proc/${pid}/fd`).length,
    residentMib: residentKib(pid) / 1024,
    heapMib: heap / 1024 / 1024,
  };
}

async function call(port: number, calls: number): Promise<void> {
  const args = [
    ['-sf', SCENARIO],
    ['-i', '127.0.0.1'],
    ['-r', String(CALLS_PER_SECOND)],
    ['-m', String(calls)],
    ['-d', String(CALL_MS)],
    ['-l', '200'],
    ['-nostdin', `127.0.0.1:${port}`],
  ].flat();
  const child = spawn('sipp', args, { stdio: 'ignore' });
  const [code] = await once(child, 'exit');
  if (code !== 0) throw new Error(`SIPp ended with ${code}: calls failed`);
}
