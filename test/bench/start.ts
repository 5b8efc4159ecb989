import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { Gateway } from '../support/gateway.ts';
import { type Percentiles, percentiles } from './percentiles.ts';

const RUNS = 5;

/** Process born → banner printed, in milliseconds; and a Node that does nothing, beside it. */
export async function benchStart(): Promise<{ trunkline: Percentiles; node: Percentiles }> {
  const trunkline: number[] = [];
  const node: number[] = [];
  // The first one builds, which is a part of the install.
  await (await Gateway.start()).stop();
  for (let run = 0; run < RUNS; run += 1) {
    const startedMs = performance.now();
    const gateway = await Gateway.start();
    trunkline.push(performance.now() - startedMs);
    await gateway.stop();
    const emptyStartedMs = performance.now();
    await once(spawn(process.execPath, ['-e', '0'], { stdio: 'ignore' }), 'exit');
    node.push(performance.now() - emptyStartedMs);
  }
  return { trunkline: percentiles(trunkline), node: percentiles(node) };
}
