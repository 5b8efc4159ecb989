import { connect } from 'node:net';
import { type SipTarget, targetText } from '../sip-targets.ts';
import { type Finding, findingsOf } from './finding.ts';
import type { Chart, Patient } from './patient.ts';

const found = findingsOf('reach');
const CONNECT_TIMEOUT_MS = 3_000;
const TARGETS_TRIED_MAX = 4;

/** Whether connections can be made. Over UDP only an answer can tell: see `check-options.ts`. */
export async function checkReach(_: Patient, { targets }: Chart): Promise<Finding> {
  const streams = targets.filter(({ transport }) => transport !== 'udp');
  if (targets.length === 0) return found.skipped('There is no place to reach.');
  if (streams.length === 0) return found.skipped('UDP has no connection: the OPTIONS check tells.');
  const tried = streams.slice(0, TARGETS_TRIED_MAX);
  const outcomes = await Promise.all(tried.map(tryToConnect));
  const facts = Object.fromEntries(
    tried.map((target, at) => [targetText(target), outcomes[at] ?? null]),
  );
  const failed = outcomes.filter((outcome) => outcome !== 'connected').length;
  if (failed === 0) return found.ok('Connections are taken.', facts);
  const fix =
    'A refused connection means a wrong port or transport; silence means a firewall, here or there.';
  return failed === tried.length
    ? found.fail('No place takes a connection.', fix, facts)
    : found.warn('Some places take no connection.', fix, facts);
}

function tryToConnect({ address, port }: SipTarget): Promise<string> {
  return new Promise((resolve) => {
    const socket = connect({ host: address, port });
    const end = (outcome: string) => {
      socket.destroy();
      resolve(outcome);
    };
    socket.setTimeout(CONNECT_TIMEOUT_MS, () => end('no answer'));
    socket.once('connect', () => end('connected'));
    socket.once('error', (error: NodeJS.ErrnoException) =>
      end(error.code === 'ECONNREFUSED' ? 'refused' : (error.code ?? 'failed')),
    );
  });
}
