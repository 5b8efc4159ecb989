import { type PlainAnswer, whyUnanswered } from '../../plain-request-client.ts';
import { readRegisterAnswer } from '../register-answer.ts';
import { nextHopUri, type SipTarget, targetText } from '../sip-targets.ts';
import { type Finding, findingsOf } from './finding.ts';
import type { Chart, Patient } from './patient.ts';

const found = findingsOf('options');
const ANSWER_TIMEOUT_MS = 4_000;
const TARGETS_TRIED_MAX = 4;

/** Whether anybody answers SIP there, and from where it saw us. */
export async function checkOptions(patient: Patient, chart: Chart): Promise<Finding> {
  const tried = chart.targets.slice(0, TARGETS_TRIED_MAX);
  if (tried.length === 0) return found.skipped('There is no place to ask.');
  const answers = await Promise.all(tried.map((target) => ask(patient, target)));
  const facts = Object.fromEntries(
    tried.map((target, at) => [targetText(target), textOf(answers[at])]),
  );
  const first = answers.findIndex((answer) => answer !== undefined && typeof answer !== 'string');
  const answer = answers[first];
  if (answer === undefined || typeof answer === 'string') {
    return found.fail(
      'No place answers OPTIONS.',
      'Check port and transport, and that firewalls here and at the carrier let SIP pass. Some carriers answer only addresses that they know: tell them yours.',
      facts,
    );
  }
  chart.answering = tried[first] ?? null;
  Object.assign(chart, addressesOf(answer, patient));
  if (answer.status === 403) {
    const fix = 'The carrier may not know this address: have it added to the trunk there.';
    return found.warn('The carrier answers, and forbids.', fix, facts);
  }
  if (answer.status >= 500) {
    const fix = 'The carrier is there, and is not well: ask it, or name another host.';
    return found.warn(`The carrier answers ${answer.status}.`, fix, facts);
  }
  return found.ok(`The carrier answers (${answer.status}).`, facts);
}

async function ask(
  { trunk, send }: Patient,
  target: SipTarget,
): Promise<PlainAnswer | string | undefined> {
  const user = trunk.username === null ? '' : `${trunk.username}@`;
  const result = await send({
    method: 'OPTIONS',
    uri: `sip:${trunk.domain}`,
    proxy: nextHopUri(target, trunk.name),
    headers: [
      { name: 'From', value: `<sip:${user}${trunk.domain}>` },
      { name: 'To', value: `<sip:${trunk.domain}>` },
      { name: 'Accept', value: 'application/sdp' },
    ],
    timeoutMs: ANSWER_TIMEOUT_MS,
  });
  if (result.type === 'answered' && !result.answer.isFromEngine) return result.answer;
  return whyUnanswered(result) || 'no answer';
}

const textOf = (answer: PlainAnswer | string | undefined): string =>
  typeof answer === 'object' ? `${answer.status} ${answer.reason}` : (answer ?? 'no answer');

export function addressesOf(answer: PlainAnswer, { trunk }: Pick<Patient, 'trunk'>) {
  const { sentBy, observed } = readRegisterAnswer(answer, trunk.username ?? '');
  return { sentBy, observed };
}
