/**
 * A process that writes calls and their ledger entries as fast as it can and says on standard
 * output what was acknowledged, one word per line, until it is killed: `test/integration/storage`.
 * Arguments: database file, name of the round.
 */
import { writeSync } from 'node:fs';
import { journalOf } from '../../src/call-journal.ts';
import type { CallRecord } from '../../src/model/call.ts';
import { asCallId } from '../../src/model/ids.ts';
import { silentLogger } from '../../src/observability/logger.ts';
import { openStorage, type Storage } from '../../src/storage/storage.ts';
import { testMeter } from './billing.ts';
import { newCall, newTurn, PAYING_WORKSPACE_ID } from './storage.ts';

const [, , file = '', round = ''] = process.argv;
const CALLS_AT_ONCE = 40;
const CALLS_MAX = 100_000;

const meter = testMeter((): Storage => storage);
const storage = await openStorage({
  file,
  log: silentLogger(),
  chargeOf: (call) => meter.chargeOf(call),
  onOrphanedCalls: (calls) => calls.forEach(({ id }) => say('orphan', id)),
});
const journal = journalOf(storage, meter);
say('ready', String(process.pid));
let next = 0;
await Promise.all(Array.from({ length: CALLS_AT_ONCE }, writeCalls));

/** Synchronous, so that what was acknowledged has left this process before it is killed. */
function say(what: string, id: string): void {
  writeSync(1, `${what} ${id}\n`);
}

async function writeCalls(): Promise<void> {
  while (next < CALLS_MAX) {
    next += 1;
    const number = next;
    const id = asCallId(`call_${round}_${number}`);
    const answeredAtMs = 1_700_000_001_000 + (number % 1000);
    const call = recordOf(id);
    await meter.admit({ ...call, timeLimitSeconds: 900 });
    await journal.started(call);
    say('created', id);
    // Every seventh call is never answered.
    const isAnswered = number % 7 !== 0;
    if (isAnswered) await journal.answered(id, answeredAtMs);
    await journal.turn(id, newTurn(0));
    say('turn', id);
    // Every fourth call is live when the process dies.
    if (number % 4 === 0) continue;
    const answered = { ...call, answeredAtMs: isAnswered ? answeredAtMs : null };
    const end = { reason: 'caller-hung-up', sipStatus: null, detail: null, report: null } as const;
    const endedAtMs = 1_700_000_009_000 + ((number * 7919) % 100_000);
    if (await journal.ended(answered, { ...end, endedAtMs })) say('ended', id);
  }
}

function recordOf(id: CallRecord['id']): CallRecord {
  return {
    ...newCall(id, { workspaceId: PAYING_WORKSPACE_ID }),
    status: 'initiated',
    answeredAtMs: null,
    endedAtMs: null,
    endReason: null,
    sipStatus: null,
    report: null,
  };
}
