import { asAgentId } from '../../src/model/ids.ts';
import { DEMO_WORKSPACE_ID } from '../../src/storage/bootstrap.ts';
import { billedCalls } from '../support/billed-calls.ts';
import { temporaryStorage } from '../support/storage.ts';
import { type Percentiles, percentiles } from './percentiles.ts';

const CALLS = 100_000;
const AT_ONCE = 400;
const DAYS = 90;
const AGENTS = 20;
const READS = 200;
const DAY_MS = 86_400_000;

export interface BillingFigures {
  readonly calls: number;
  /** Start, answer, end and ledger entry, durable; user + sys of this process. */
  readonly cpuMicrosecondsPerCall: number;
  readonly reads: readonly { readonly name: string; readonly ms: Percentiles }[];
}

/** 100,000 calls of 20 agents over 90 days, and what it takes to read what they came to. */
export async function benchBilling(): Promise<BillingFigures> {
  const { storage, remove } = await temporaryStorage();
  try {
    await storage.billingTerms.setRates(DEMO_WORKSPACE_ID, { currency: 'EUR', rates: [] }, 1);
    const calls = billedCalls(storage);
    const fromMs = Date.UTC(2027, 0, 1);
    const cpu = process.cpuUsage();
    for (let done = 0; done < CALLS; done += AT_ONCE) {
      await Promise.all(
        Array.from({ length: AT_ONCE }, (_, index) => {
          const number = done + index;
          return calls.past(`call_${number}`, {
            agentId: asAgentId(`agt_${number % AGENTS}`),
            direction: number % 3 === 0 ? 'outbound' : 'inbound',
            startedAtMs: fromMs + Math.floor((number * DAYS * DAY_MS) / CALLS),
            talkMs: (number % 600) * 1000,
          });
        }),
      );
    }
    const { user, system } = process.cpuUsage(cpu);
    const all = { fromDay: '2027-01-01', toDay: '2027-03-31' };
    const window = { fromMs, beforeMs: fromMs + DAYS * DAY_MS };
    const middle = { startedAtMs: fromMs + (DAYS / 2) * DAY_MS, id: '' };
    const usage = (by: 'day' | 'agent') => () =>
      storage.usage.groups(DEMO_WORKSPACE_ID, all, 'EUR', by, 1000);
    const list = (after?: typeof middle) => () =>
      storage.ledger.list(DEMO_WORKSPACE_ID, window, 50, after);
    return {
      calls: CALLS,
      cpuMicrosecondsPerCall: (user + system) / CALLS,
      reads: [
        {
          name: 'usage of 90 days, total',
          ms: await timed(() => storage.usage.total(DEMO_WORKSPACE_ID, all, 'EUR')),
        },
        { name: 'usage of 90 days by day', ms: await timed(usage('day')) },
        { name: 'usage of 90 days by agent', ms: await timed(usage('agent')) },
        { name: 'ledger, first page of 50', ms: await timed(list()) },
        { name: 'ledger, a page in the middle', ms: await timed(list(middle)) },
      ],
    };
  } finally {
    await remove();
  }
}

async function timed(work: () => Promise<unknown>): Promise<Percentiles> {
  const times: number[] = [];
  for (let done = 0; done < READS; done += 1) {
    const startedMs = performance.now();
    await work();
    times.push(performance.now() - startedMs);
  }
  return percentiles(times);
}
