import { randomBytes } from 'node:crypto';
import { DigestClient } from '../../digest/digest-client.ts';
import type { PlainAnswer } from '../../plain-request-client.ts';
import { nextHopUri, type SipTarget } from '../sip-targets.ts';
import { addressesOf } from './check-options.ts';
import { type Finding, findingsOf } from './finding.ts';
import type { Chart, Patient } from './patient.ts';

const found = findingsOf('registration');
const ANSWER_TIMEOUT_MS = 5_000;
const TRIES_MAX = 4;

/** How the registrar took our question. */
interface Asked {
  readonly answer: PlainAnswer | null;
  readonly verdict: 'asked' | 'wrong' | 'unanswerable';
  readonly wasChallenged: boolean;
}

/**
 * Asks the registrar which contacts it has of ours: a REGISTER without Contact changes nothing
 * (RFC 3261 §10.2.3), and shows whether it takes our password.
 */
export async function checkRegistration(patient: Patient, chart: Chart): Promise<Finding> {
  const { trunk, registration } = patient;
  if (trunk.registration === null) {
    return found.skipped('The trunk does not register: the carrier knows its address.');
  }
  const target = chart.answering ?? chart.targets[0];
  if (target === undefined) return found.skipped('There is no registrar to ask.');
  const asked = await ask(patient, target);
  const facts = {
    answer: asked.answer === null ? null : `${asked.answer.status} ${asked.answer.reason}`,
    was_challenged: asked.wasChallenged,
    state: registration?.state ?? null,
    is_registered: registration?.isRegistered ?? null,
    last_answer: registration?.lastAnswer?.status ?? null,
  };
  if (asked.answer === null) {
    const fix = 'OPTIONS may pass where REGISTER does not: ask the carrier which host registers.';
    return found.fail('The registrar does not answer.', fix, facts);
  }
  if (chart.observed === null) Object.assign(chart, addressesOf(asked.answer, patient));
  return judge(asked, asked.answer.status, registration?.isRegistered === true, facts);
}

function judge(
  { verdict, wasChallenged }: Asked,
  status: number,
  isRegistered: boolean,
  facts: Finding['facts'],
): Finding {
  if (verdict === 'wrong') {
    return found.fail(
      'The registrar refuses the password.',
      "Check username, auth_username and password; a password of the carrier's web page may be another.",
      facts,
    );
  }
  if (verdict === 'unanswerable') {
    return found.fail(
      'The registrar asks for a realm or an algorithm that the trunk does not have.',
      'Remove "realm" from the trunk, or set it to what the carrier asks for.',
      facts,
    );
  }
  if (status === 403) {
    const fix = wasChallenged
      ? 'The password was read: the account may be blocked, or not be allowed from this address.'
      : 'The carrier may not know this address, or the account is blocked.';
    return found.fail('The registrar forbids it.', fix, facts);
  }
  if (status === 404) {
    return found.fail('The registrar does not know the user.', 'Check username and domain.', facts);
  }
  if (status >= 300) {
    const fix = 'The answer is unusual: what it says is in the facts.';
    return found.warn(`The registrar answers ${status}.`, fix, facts);
  }
  if (!isRegistered) {
    const fix = 'It will be tried again by itself; GET /v1/trunks says when.';
    return found.warn('The password is right, and the trunk is not registered now.', fix, facts);
  }
  return found.ok('The trunk is registered, and the registrar takes its password.', facts);
}

async function ask(patient: Patient, target: SipTarget): Promise<Asked> {
  const { trunk, send } = patient;
  const digest = trunk.credentials === null ? null : new DigestClient(trunk.credentials);
  const uri = `sip:${trunk.domain}`;
  const address = `<sip:${trunk.username ?? ''}@${trunk.domain}>`;
  const callId = randomBytes(16).toString('hex');
  const tag = randomBytes(8).toString('hex');
  let wasChallenged = false;
  let last: PlainAnswer | null = null;
  for (let cseq = 1; cseq <= TRIES_MAX; cseq += 1) {
    const result = await send({
      method: 'REGISTER',
      uri,
      proxy: nextHopUri(target, trunk.name),
      timeoutMs: ANSWER_TIMEOUT_MS,
      headers: [
        { name: 'From', value: `${address};tag=${tag}` },
        { name: 'To', value: address },
        { name: 'Call-ID', value: callId },
        { name: 'CSeq', value: `${cseq} REGISTER` },
        ...(digest?.authorize({ method: 'REGISTER', uri }) ?? []),
      ],
    });
    last = result.type === 'answered' && !result.answer.isFromEngine ? result.answer : null;
    const status = last?.status;
    if (last === null || (status !== 401 && status !== 407)) break;
    wasChallenged = true;
    const name = status === 401 ? 'www-authenticate' : 'proxy-authenticate';
    const verdict = digest?.challenged(status, last.get(name) ?? '') ?? 'unanswerable';
    if (verdict !== 'answer') return { answer: last, verdict, wasChallenged };
  }
  return { answer: last, verdict: 'asked', wasChallenged };
}
