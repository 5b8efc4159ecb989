import assert from 'node:assert/strict';
import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { rateCall } from '../../../src/billing/rate-call.ts';
import { asCallId } from '../../../src/model/ids.ts';
import { silentLogger } from '../../../src/observability/logger.ts';
import { DEMO_WORKSPACE_ID } from '../../../src/storage/bootstrap.ts';
import { Connection } from '../../../src/storage/connection.ts';
import { openStorage, type Storage } from '../../../src/storage/storage.ts';
import { testMeter } from '../../support/billing.ts';
import {
  addPayingWorkspace,
  newCall,
  PAYING_RATE,
  PAYING_WORKSPACE_ID,
  temporaryStorage,
} from '../../support/storage.ts';

/** `CRASH_ROUNDS=200` for the figure in `src/billing/README.md`. */
const ROUNDS = Number(process.env.CRASH_ROUNDS ?? 15);
const ROOT = join(import.meta.dirname, '../../..');
const WRITER = join(ROOT, 'test/support/call-writer.ts');

/** A child that writes calls, and everything it was told is durable. */
function startWriter(file: string, round: string) {
  const child: ChildProcess = spawn(
    process.execPath,
    ['--import', 'ts-blank-space/register', WRITER, file, round],
    { cwd: ROOT, stdio: ['ignore', 'pipe', 'inherit'] },
  );
  const said = new Map<string, string[]>();
  assert.ok(child.stdout !== null);
  const lines = createInterface({ input: child.stdout });
  const closed = once(lines, 'close');
  let seen = 0;
  let wanted = { count: Number.POSITIVE_INFINITY, reached: () => {} };
  lines.on('line', (line) => {
    const [what = '', id = ''] = line.split(' ');
    said.set(what, [...(said.get(what) ?? []), id]);
    seen += 1;
    if (seen >= wanted.count) wanted.reached();
  });
  return {
    said: (what: string) => said.get(what) ?? [],
    afterLines: (count: number) =>
      new Promise<void>((reached) => {
        wanted = { count, reached };
        if (seen >= count) reached();
      }),
    async kill() {
      child.kill('SIGKILL');
      await once(child, 'exit');
      await closed;
    },
  };
}

/** Orphans are rated by their own tariff: it needs no storage. */
const meter = testMeter(() => assert.fail());

describe('kill -9 while calls are written', () => {
  it(`loses nothing that was acknowledged and closes every orphan once, ${ROUNDS} times`, async function () {
    this.timeout(60_000 + ROUNDS * 10_000);
    const temporary = await temporaryStorage();
    const { file } = temporary;
    // A cap that is never reached: every call holds something.
    await addPayingWorkspace(temporary.storage, { microsPerMonth: Number.MAX_SAFE_INTEGER });
    await temporary.storage.close();
    const created: string[] = [];
    const ended: string[] = [];
    const turns: string[] = [];
    const orphans: string[] = [];
    for (let round = 0; round < ROUNDS; round += 1) {
      const writer = startWriter(file, String(round));
      // A different moment each time, so that every step is hit.
      await writer.afterLines(30 + ((round * 37) % 211));
      await writer.kill();
      created.push(...writer.said('created'));
      ended.push(...writer.said('ended'));
      turns.push(...writer.said('turn'));
      orphans.push(...writer.said('orphan'));
    }
    const last = await openStorage({
      file,
      log: silentLogger(),
      chargeOf: (call) => meter.chargeOf(call),
      onOrphanedCalls: (calls) => orphans.push(...calls.map(({ id }) => id)),
    });
    await checkAll(last, { created, ended, turns, orphans });
    await last.close();
    const connection = await Connection.open(file, { busyTimeoutMs: 1000 });
    await checkLedger(connection, created);
    const [check] = await connection.all('PRAGMA integrity_check');
    assert.equal(check?.integrity_check, 'ok');
    const [live] = await connection.all(
      'SELECT count(*) AS n FROM calls WHERE ended_at_ms IS NULL',
    );
    assert.equal(live?.n, 0);
    const [held] = await connection.all('SELECT count(*) AS n FROM call_holds');
    assert.equal(held?.n, 0, 'something is held for a call that has ended');
    await connection.close();
    console.log(
      `      ${ROUNDS} kills, ${created.length} calls acknowledged, ${orphans.length} closed as orphans`,
    );
    await temporary.remove();
  });
});

interface Acknowledged {
  readonly created: readonly string[];
  readonly ended: readonly string[];
  readonly turns: readonly string[];
  readonly orphans: readonly string[];
}

async function checkAll(storage: Storage, { created, ended, turns, orphans }: Acknowledged) {
  assert.ok(created.length > ROUNDS * 10, `only ${created.length} calls`);
  assert.equal(new Set(orphans).size, orphans.length, 'an orphan was closed twice');
  assert.ok(orphans.length > ROUNDS, `only ${orphans.length} orphans`);
  const normal = new Set(ended);
  assert.deepEqual(
    orphans.filter((id) => normal.has(id)),
    [],
    'an ended call was closed again',
  );
  for (const id of created) {
    const call = await storage.calls.find(PAYING_WORKSPACE_ID, asCallId(id));
    assert.ok(call !== null, `${id} was acknowledged and is lost`);
    if (normal.has(id)) assert.equal(call.endReason, 'caller-hung-up', id);
    else if (orphans.includes(id)) assert.equal(call.endReason, 'daemon-crashed', id);
    // Its end was durable, and the process died before it could say so: its own, or the next
    // one, which had closed it as an orphan.
    else assert.match(String(call.endReason), /^(caller-hung-up|daemon-crashed)$/, id);
  }
  for (const id of turns) {
    assert.equal((await storage.calls.transcript(asCallId(id))).length, 1, `turn of ${id} is lost`);
  }
}

/** Every call that ended has one entry, rated as its own times say, and sums are sums of entries. */
async function checkLedger(connection: Connection, acknowledged: readonly string[]) {
  const rows = await connection.all(`SELECT calls.id, calls.answered_at_ms, calls.ended_at_ms,
      count(ledger_entries.id) AS entries, ledger_entries.amount_micros, ledger_entries.seconds
    FROM calls LEFT JOIN ledger_entries ON ledger_entries.call_id = calls.id GROUP BY calls.id`);
  const tariff = { ...PAYING_RATE, currency: 'EUR', isFree: false };
  for (const row of rows) {
    assert.equal(row.entries, 1, `${row.id} has ${row.entries} entries`);
    const answeredAtMs = row.answered_at_ms === null ? null : Number(row.answered_at_ms);
    const charge = rateCall(tariff, { answeredAtMs, endedAtMs: Number(row.ended_at_ms) }, 'EUR');
    assert.equal(row.amount_micros, charge.amountMicros, String(row.id));
    assert.equal(row.seconds, charge.seconds, String(row.id));
  }
  const ids = new Set(rows.map(({ id }) => id));
  assert.deepEqual(
    acknowledged.filter((id) => !ids.has(id)),
    [],
  );
  const sums = (table: string) =>
    `SELECT sum(seconds) AS seconds, ${
      table === 'usage_periods' ? 'sum(list_price_micros)' : 'sum(amount_micros)'
    } AS micros FROM ${table}`;
  const [entries] = await connection.all(sums('ledger_entries'));
  assert.ok(Number(entries?.micros) > 0);
  assert.deepEqual(await connection.all(sums('usage_days')), [entries]);
  const months = `${sums('usage_periods')} WHERE length(period) = 7`;
  assert.deepEqual(await connection.all(months), [entries]);
  const [counted] = await connection.all('SELECT sum(calls) AS n FROM usage_days');
  assert.equal(counted?.n, rows.length);
}

describe('two processes on one database', () => {
  it('leave each other’s live calls alone while both live', async () => {
    const temporary = await temporaryStorage();
    await addPayingWorkspace(temporary.storage);
    const writer = startWriter(temporary.file, 'other');
    await writer.afterLines(50);
    await temporary.storage.calls.create(newCall('call_mine'));
    assert.deepEqual(await temporary.storage.closeOrphans(), []);
    await writer.kill();
    const closed = await temporary.storage.closeOrphans();
    assert.ok(closed.length > 0);
    assert.ok(closed.every(({ id }) => id.startsWith('call_other_')));
    const mine = await temporary.storage.calls.find(DEMO_WORKSPACE_ID, asCallId('call_mine'));
    assert.equal(mine?.endedAtMs, null);
    await temporary.remove();
  });

  it('close the calls of a process that cannot be seen only when its lease has run out', async () => {
    const temporary = await temporaryStorage();
    const { storage, file } = temporary;
    await storage.calls.create(newCall('call_far'));
    const connection = await Connection.open(file, { busyTimeoutMs: 1000 });
    await connection.exec("UPDATE instances SET machine = 'another machine'");
    let nowMs = Date.now();
    const other = await openStorage({
      file,
      log: silentLogger(),
      nowMs: () => nowMs,
      leaseMs: 60_000,
    });
    assert.deepEqual(await other.closeOrphans(), []);
    nowMs += 60_001;
    const [closed, again] = [await other.closeOrphans(), await other.closeOrphans()];
    assert.deepEqual(
      closed.map(({ id }) => id),
      ['call_far'],
    );
    assert.deepEqual(again, []);
    // The process was only slow: it learns that the call was ended without it.
    const end = {
      endedAtMs: nowMs,
      reason: 'caller-hung-up',
      sipStatus: null,
      report: null,
    } as const;
    assert.equal(await storage.calls.end(asCallId('call_far'), end), false);
    await other.close();
    await connection.close();
    await temporary.remove();
  });
});
