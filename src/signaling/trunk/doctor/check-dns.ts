import { isIP } from 'node:net';
import { resolveTargets, targetText } from '../sip-targets.ts';
import { type Finding, findingsOf } from './finding.ts';
import type { Chart, Patient } from './patient.ts';

const found = findingsOf('dns');

/** Whether the trunk's hosts lead anywhere (RFC 3263): NAPTR, SRV, A and AAAA. */
export async function checkDns({ trunk, dns, random }: Patient, chart: Chart): Promise<Finding> {
  const resolved = await Promise.all(
    trunk.hosts.map((host) => resolveTargets(host, trunk.transport, dns, random)),
  );
  chart.targets = resolved.flat();
  const names = trunk.hosts.filter(({ host }) => isIP(host) === 0);
  const lost = trunk.hosts.filter((_, at) => resolved[at]?.length === 0).map(({ host }) => host);
  const facts = { places: chart.targets.map(targetText), without_address: lost };
  if (chart.targets.length === 0) {
    return found.fail(
      `DNS knows no address of ${lost.join(', ')}.`,
      'Check the spelling in "hosts", and that this machine can ask DNS.',
      facts,
    );
  }
  if (lost.length > 0) {
    return found.warn(
      `DNS knows no address of ${lost.join(', ')}; the others are used.`,
      'Correct or remove these hosts.',
      facts,
    );
  }
  if (names.length === 0) return found.ok('The hosts are addresses: DNS is not asked.', facts);
  return found.ok(`The hosts lead to ${chart.targets.length} places.`, facts);
}
