/**
 * A process that asks for many places of one agent at once and prints how many it got:
 * `test/unit/access`. Arguments: database file, how often to ask.
 */
import { PublicAdmission } from '../../src/access/public-admission.ts';
import { silentLogger } from '../../src/observability/logger.ts';
import { openStorage } from '../../src/storage/storage.ts';

const [, , file = '', count = '0'] = process.argv;
// One clock for the lease and the gate: a gate in the future takes every other process for dead.
const nowMs = () => Date.UTC(2027, 0, 15, 12);
const storage = await openStorage({ file, log: silentLogger(), nowMs });
const admission = new PublicAdmission({
  admissions: storage.publicAdmissions,
  nowMs,
});
const asked = Array.from({ length: Number(count) }, () => admission.admit('agt_raced'));
const got = (await Promise.all(asked)).filter(({ isAdmitted }) => isAdmitted);
process.stdout.write(`${got.length}\n`);
// Killed by the test: what was given stays given.
setInterval(() => {}, 1000);
