/**
 * A process that writes calls as fast as it can and says on standard output what was
 * acknowledged, one word per line, until it is killed: `test/integration/storage`.
 * Arguments: database file, name of the round.
 */
import { writeSync } from 'node:fs';
import { asCallId } from '../../src/model/ids.ts';
import { silentLogger } from '../../src/observability/logger.ts';
import { openStorage } from '../../src/storage/storage.ts';
import { newCall, newTurn } from './storage.ts';

const [, , file = '', round = ''] = process.argv;
const CALLS_AT_ONCE = 40;
const CALLS_MAX = 100_000;

const storage = await openStorage({
  file,
  log: silentLogger(),
  onOrphanedCalls: (calls) => calls.forEach(({ id }) => say('orphan', id)),
});
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
    const id = asCallId(`call_${round}_${next}`);
    await storage.calls.create(newCall(id));
    say('created', id);
    await storage.calls.markAnswered(id, 1_700_000_001_000);
    await storage.calls.appendTurn(id, newTurn(0));
    say('turn', id);
    // Every fourth call is live when the process dies.
    if (next % 4 === 0) continue;
    const end = { reason: 'caller-hung-up', sipStatus: null, report: null } as const;
    const isMine = await storage.calls.end(id, { ...end, endedAtMs: 1_700_000_009_000 });
    if (isMine) say('ended', id);
  }
}
