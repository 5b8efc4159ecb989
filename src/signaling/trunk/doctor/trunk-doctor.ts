import { checkAddress, checkMediaAddress } from './check-addresses.ts';
import { checkCertificate } from './check-certificate.ts';
import { checkDns } from './check-dns.ts';
import { checkCodecs, checkDtmf, checkRtp } from './check-media.ts';
import { checkOptions } from './check-options.ts';
import { checkReach } from './check-reach.ts';
import { checkRegistration } from './check-registration.ts';
import { type CheckName, type Diagnosis, type Finding, findingsOf, worstOf } from './finding.ts';
import { type Chart, emptyChart, type Patient } from './patient.ts';
import { makeTestCall } from './test-call.ts';

/** All checks together. */
export const DIAGNOSIS_MS_MAX = 60_000;

type Check = (patient: Patient, chart: Chart) => Promise<Finding>;

/** In this order: each knows what those before it have learnt. */
const BEFORE_CALL: readonly (readonly [CheckName, Check])[] = [
  ['dns', checkDns],
  ['reach', checkReach],
  ['certificate', checkCertificate],
  ['options', checkOptions],
  ['registration', checkRegistration],
  ['address', checkAddress],
  ['media-address', checkMediaAddress],
];
const AFTER_CALL: readonly (readonly [CheckName, Check])[] = [
  ['codecs', checkCodecs],
  ['rtp', checkRtp],
  ['dtmf', checkDtmf],
];

/** Looks a trunk over. Changes nothing, calls only the number that it is given. Never rejects. */
export async function diagnose(patient: Patient): Promise<Diagnosis> {
  const chart = emptyChart();
  const findings: Finding[] = [];
  const run = async (checks: typeof BEFORE_CALL) => {
    for (const [name, check] of checks) findings.push(await carefully(name, check, patient, chart));
  };
  await run(BEFORE_CALL);
  chart.call = await makeTestCall(patient).catch(() => null);
  await run(AFTER_CALL);
  const { trunk, nowMs } = patient;
  return { trunk: trunk.name, atMs: nowMs(), verdict: worstOf(findings), findings };
}

/** A check that breaks or takes too long says so, and the next one begins. */
async function carefully(
  name: CheckName,
  check: Check,
  patient: Patient,
  chart: Chart,
): Promise<Finding> {
  const { signal } = patient;
  const found = findingsOf(name);
  if (signal.aborted) return found.skipped('Time was up before this could be checked.');
  let onAbort: () => void = () => {};
  const late = new Promise<Finding>((resolve) => {
    onAbort = () => resolve(found.skipped('Time was up while this was checked.'));
    signal.addEventListener('abort', onAbort, { once: true });
  });
  try {
    return await Promise.race([check(patient, chart), late]);
  } catch (error) {
    const why = error instanceof Error ? error.message : String(error);
    return found.warn(
      `This could not be checked: ${why}.`,
      'Try again; else it is a fault of ours.',
    );
  } finally {
    signal.removeEventListener('abort', onAbort);
  }
}
