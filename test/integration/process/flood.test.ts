import assert from 'node:assert/strict';
import { CallPhone } from '../../support/call-phone.ts';
import { Gateway } from '../../support/gateway.ts';
import { flood } from '../../support/sip-flood.ts';

const PACKETS = 6_000;
const TRANSACTIONS_MAX = 400;
/** Timers H and J (32 s) hold a transaction, and a busy machine is late. */
const EMPTY_WITHIN_MS = 120_000;
/** Of main's heap, for what is compiled and cached under load. Leaked, the flood is over 20 MiB. */
const HEAP_GROWTH_MAX = 12 * 1024 * 1024;

describe('a flood of SIP requests that are never acknowledged', function () {
  this.timeout(240_000);
  let gateway: Gateway;

  before(async () => {
    gateway = await Gateway.start({
      env: {
        TRUNKLINE_SIP_TRANSACTIONS_MAX: String(TRANSACTIONS_MAX),
        TRUNKLINE_LOG_LEVEL: 'warn',
      },
    });
  });
  after(() => gateway?.stop());

  const transactions = () => gateway.metric('trunkline_sip_transactions');
  const heap = () => gateway.metric('nodejs_heap_size_used_bytes');
  const events = (event: string) =>
    gateway.metric('trunkline_sip_events', new RegExp(`event="${event}"`));

  async function until(what: string, holds: () => Promise<boolean>): Promise<void> {
    const deadline = Date.now() + EMPTY_WITHIN_MS;
    while (!(await holds())) {
      if (Date.now() > deadline) assert.fail(what);
      await new Promise((resolve) => setTimeout(resolve, 500));
    }
  }

  it('fills no table beyond its limit, and leaves nothing behind', async () => {
    // What one flood compiles and caches is no growth: a small one comes first.
    await flood({ sipPort: gateway.sipPort, packets: 800, packetsPerSecond: 800, sources: 20 });
    await until('the first flood was not forgotten', async () => (await transactions()) === 0);
    const heapBefore = await heap();

    const sizes: number[] = [];
    const over = new AbortController();
    const watched = (async () => {
      while (!over.signal.aborted) {
        sizes.push(await transactions());
        await new Promise((resolve) => setTimeout(resolve, 100));
      }
    })();
    await flood({
      sipPort: gateway.sipPort,
      packets: PACKETS,
      packetsPerSecond: 1_500,
      sources: 100,
    });
    over.abort();
    await watched;
    assert.ok(Math.max(...sizes) <= TRANSACTIONS_MAX, `${Math.max(...sizes)} transactions`);
    assert.ok(Math.max(...sizes) > TRANSACTIONS_MAX / 2, 'the flood never came near the limit');
    assert.ok((await events('rejectedOverload')) > 0, 'nothing was refused');
    assert.ok((await events('malformed')) > 0, 'nothing was malformed');

    await until('transactions were left', async () => (await transactions()) === 0);
    for (const table of ['dialogs', 'clientTransactions', 'timers']) {
      await until(`${table} were left`, async () => (await events(table)) === 0);
    }
    assert.equal(await gateway.metric('trunkline_calls_live'), 0);
    assert.equal((await gateway.calls()).length, 0);
    let heapAfter = Number.POSITIVE_INFINITY;
    await until(`the heap stayed large`, async () => {
      heapAfter = Math.min(heapAfter, await heap());
      return heapAfter - heapBefore <= HEAP_GROWTH_MAX;
    });
  });

  it('is followed by calls like any other, after which its last traces are gone', async () => {
    // What must be remembered of a finished transaction is forgotten when the next one comes.
    await until('finished transactions were left', async () => {
      const phone = await CallPhone.open(gateway.sipPort);
      await phone.call();
      await phone.hangUp();
      phone.close();
      const { end_reason: reason } = await gateway.nextEndedCall();
      assert.equal(reason, 'caller-hung-up');
      return (await events('finishedTransactions')) < 200;
    });
  });
});
