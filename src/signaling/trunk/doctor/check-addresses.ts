import { hostOf, kindOf } from './addresses.ts';
import { type Finding, findingsOf } from './finding.ts';
import type { Chart, Patient } from './patient.ts';

const seen = findingsOf('address');
const announced = findingsOf('media-address');

/** Whether the carrier sees us where we say that we are. */
export async function checkAddress({ trunk }: Patient, chart: Chart): Promise<Finding> {
  const { sentBy, observed } = chart;
  if (observed === null || sentBy === null) {
    return seen.skipped('No answer has said where it saw us (RFC 3581).');
  }
  const facts = { written: sentBy, seen: observed, external_address: trunk.externalAddress };
  const host = hostOf(observed);
  if (trunk.externalAddress !== null) {
    return trunk.externalAddress === host || kindOf(trunk.externalAddress) === 'name'
      ? seen.ok('The carrier sees us at external_address.', facts)
      : seen.fail(
          'The carrier sees us at another address than external_address.',
          `Set external_address to ${host}, unless the carrier stands in the same network.`,
          facts,
        );
  }
  if (host === hostOf(sentBy)) return seen.ok('The carrier sees us where we say we are.', facts);
  return seen.warn(
    'There is a NAT between us and the carrier.',
    `Set external_address of the trunk to ${host}, and forward the SIP and media ports.`,
    facts,
  );
}

/** Whether audio can be sent where our descriptions ask for it. */
export async function checkMediaAddress(
  { trunk, media }: Patient,
  { targets, observed }: Chart,
): Promise<Finding> {
  const address = trunk.externalAddress ?? media.externalAddress ?? media.bindAddress;
  const kind = kindOf(address);
  const carriers = targets.map((target) => kindOf(target.address));
  const facts = {
    announced: address,
    kind,
    ports: `${media.ports.first}-${media.ports.last}`,
    carrier: targets[0]?.address ?? null,
  };
  const wanted = observed === null ? 'the address that the carrier reaches' : hostOf(observed);
  const fix = `Set media.external_address (or external_address of the trunk) to ${wanted}.`;
  if (kind === 'unspecified') {
    return announced.fail('Descriptions would ask for audio at no address at all.', fix, facts);
  }
  if (kind === 'loopback' && carriers.some((one) => one !== 'loopback')) {
    return announced.fail('Audio is asked for at loopback, where no carrier can send.', fix, facts);
  }
  if (kind === 'private' && carriers.includes('public')) {
    return announced.fail('Audio is asked for at a private address.', fix, facts);
  }
  if (targets.length === 0) return announced.skipped('The carrier has no known address.', facts);
  return announced.ok('Audio is asked for at an address that the carrier can reach.', facts);
}
