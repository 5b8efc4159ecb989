/**
 * A process that asks for many calls of one workspace at once and prints how many it got and how
 * many seconds they hold: `test/integration/billing`. Arguments: database file, name, how often.
 */
import { asCallId } from '../../src/model/ids.ts';
import { silentLogger } from '../../src/observability/logger.ts';
import { openStorage } from '../../src/storage/storage.ts';
import { testMeter } from './billing.ts';
import { newCall, PAYING_WORKSPACE_ID } from './storage.ts';

const [, , file = '', name = '', count = '0'] = process.argv;
const storage = await openStorage({ file, log: silentLogger() });
const meter = testMeter(() => storage);
const asked = Array.from({ length: Number(count) }, (_, index) =>
  meter.admit({
    ...newCall(asCallId(`call_${name}_${index}`), {
      workspaceId: PAYING_WORKSPACE_ID,
      startedAtMs: Date.UTC(2027, 0, 15, 12),
    }),
    timeLimitSeconds: 570,
  }),
);
const permits = (await Promise.all(asked)).filter((permit) => permit.admitted);
const seconds = permits.reduce((sum, { timeLimitSeconds }) => sum + timeLimitSeconds, 0);
process.stdout.write(`${permits.length} ${seconds}\n`);
// Killed by the test: what was given stays given.
setInterval(() => {}, 1000);
