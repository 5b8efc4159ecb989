import type { FastifyPluginAsyncTypebox } from '@fastify/type-provider-typebox';
import { type Static, Type } from 'typebox';
import type { RegistrationStatus } from '../../signaling/trunk/registration.ts';
import { CHECKS, type Diagnosis, type Fact } from '../../signaling/trunk/doctor/finding.ts';
import type { TrunkService, TrunkView } from '../../signaling/trunk/trunk-service.ts';
import { type Auth, coversScope } from '../auth.ts';
import { HttpError } from '../errors.ts';
import {
  KEYED,
  nullable,
  oneOf,
  PhoneNumber,
  Time,
  toNullableTime,
  toTime,
  V1_ERRORS,
  V1Error,
} from '../shapes.ts';

export interface TrunkRoutesOptions {
  readonly auth: Auth;
  readonly trunks: () => readonly TrunkView[];
  readonly diagnose: TrunkService['diagnose'];
}

const Answer = Type.Object({
  sip_status: Type.Integer({ description: '0: there was no answer.' }),
  reason: Type.String({
    description: 'Of the answer; without one why, where that is known: "connection refused".',
  }),
  at: Time,
});
const Registration = Type.Object({
  state: oneOf(['idle', 'registering', 'registered', 'waiting']),
  is_registered: Type.Boolean(),
  registrar: nullable(Type.String()),
  expires_at: nullable(Time),
  last_answer: nullable(Answer),
  next_attempt_at: nullable(Time),
  failures: Type.Integer({ description: 'Rounds over all registrars that failed, in a row.' }),
  observed_address: nullable(Type.String({ description: 'Ours, as the registrar saw it.' })),
});
const Trunk = Type.Object(
  {
    name: Type.String(),
    transport: oneOf(['auto', 'udp', 'tcp', 'tls']),
    hosts: Type.Array(Type.String()),
    is_up: Type.Boolean({ description: 'Answers OPTIONS, and is registered where it should be.' }),
    last_probe: nullable(Answer),
    registration: nullable(Registration),
    channels: Type.Integer({ description: 'Calls now, in both directions.' }),
    channels_max: Type.Integer(),
    outbound_prefixes: Type.Array(Type.String()),
    numbers: Type.Array(Type.String()),
  },
  { title: 'Trunk' },
);
const TrunkList = Type.Object({ trunks: Type.Array(Trunk) }, { title: 'TrunkList' });

const VERDICTS = ['ok', 'warn', 'fail', 'skipped'] as const;
const FactShape = Type.Union([
  Type.String(),
  Type.Number(),
  Type.Boolean(),
  Type.Null(),
  Type.Array(Type.String()),
]);
const DiagnosisShape = Type.Object(
  {
    trunk: Type.String(),
    at: Time,
    verdict: oneOf(VERDICTS, { description: 'The worst of all checks.' }),
    checks: Type.Array(
      Type.Object({
        check: oneOf(CHECKS),
        verdict: oneOf(VERDICTS),
        summary: Type.String(),
        fix: nullable(Type.String({ description: 'What to do about it.' })),
        facts: Type.Record(Type.String(), FactShape),
      }),
    ),
  },
  { title: 'TrunkDiagnosis' },
);
const DiagnosisQuery = Type.Object(
  {
    test_number: Type.Optional(
      PhoneNumber('Is called for a few seconds, to check audio both ways; needs calls:write.'),
    ),
  },
  { additionalProperties: false },
);
const RETRY_AFTER_SECONDS = 30;

/** The daemon's carriers. They are in its settings, so they are read here and not changed. */
export const trunkRoutes: FastifyPluginAsyncTypebox<TrunkRoutesOptions> = async (
  app,
  { auth, trunks, diagnose },
) => {
  app.get(
    '/v1/trunks',
    {
      onRequest: auth.needs('trunks:read'),
      schema: {
        tags: ['Trunks'],
        security: KEYED,
        operationId: 'list_trunks',
        summary: 'Trunks: up or down, registered or why not, calls now',
        response: { 200: TrunkList, ...V1_ERRORS },
      },
    },
    async () => ({ trunks: trunks().map(toTrunk) }),
  );

  app.get(
    '/v1/trunks/:name/diagnosis',
    {
      onRequest: auth.needs('trunks:read'),
      schema: {
        tags: ['Trunks'],
        security: KEYED,
        operationId: 'diagnose_trunk',
        summary: 'Check a trunk from DNS to audio, and say what to do; takes up to a minute',
        params: Type.Object({ name: Type.String({ minLength: 1, maxLength: 100 }) }),
        querystring: DiagnosisQuery,
        response: { 200: DiagnosisShape, ...V1_ERRORS, 404: V1Error },
      },
    },
    async (request) => {
      const { test_number: testNumber = null } = request.query;
      if (testNumber !== null && !coversScope(auth.keyOf(request).scopes, 'calls:write')) {
        throw new HttpError('PERMISSION_DENIED', 'A test call needs the scope calls:write.');
      }
      const found = await diagnose(request.params.name, testNumber);
      if (found === null) throw new HttpError('NOT_FOUND', 'There is no such trunk.');
      if (found !== 'busy') return toDiagnosis(found);
      const retry = { retryAfterSeconds: RETRY_AFTER_SECONDS };
      throw new HttpError('UNAVAILABLE', 'Another trunk is being looked at.', retry);
    },
  );
};

function toDiagnosis({ trunk, atMs, verdict, findings }: Diagnosis): Static<typeof DiagnosisShape> {
  return {
    trunk,
    at: toTime(atMs),
    verdict,
    checks: findings.map(({ facts, ...finding }) => ({
      ...finding,
      facts: Object.fromEntries(
        Object.entries(facts).map(([name, fact]) => [name, isList(fact) ? [...fact] : fact]),
      ),
    })),
  };
}

const isList = (fact: Fact): fact is readonly string[] => Array.isArray(fact);

function toTrunk(view: TrunkView): Static<typeof Trunk> {
  const { lastProbe } = view.health;
  return {
    name: view.name,
    transport: view.transport,
    hosts: [...view.hosts],
    is_up: view.isUp,
    last_probe:
      lastProbe === null
        ? null
        : {
            sip_status: lastProbe.sipStatus,
            reason: lastProbe.why,
            at: toTime(lastProbe.atMs),
          },
    registration: view.registration === null ? null : toRegistration(view.registration),
    channels: view.channels,
    channels_max: view.channelsMax,
    outbound_prefixes: [...view.outboundPrefixes],
    numbers: [...view.numbers],
  };
}

function toRegistration(status: RegistrationStatus): Static<typeof Registration> {
  const { lastAnswer } = status;
  return {
    state: status.state,
    is_registered: status.isRegistered,
    registrar: status.registrar,
    expires_at: toNullableTime(status.expiresAtMs),
    last_answer:
      lastAnswer === null
        ? null
        : {
            sip_status: lastAnswer.status,
            reason: lastAnswer.reason,
            at: toTime(lastAnswer.atMs),
          },
    next_attempt_at: toNullableTime(status.nextAttemptAtMs),
    failures: status.failures,
    observed_address: status.observedAddress,
  };
}
