import type { FastifyPluginAsyncTypebox } from '@fastify/type-provider-typebox';
import { type Static, Type } from 'typebox';
import type { RegistrationStatus } from '../../signaling/trunk/registration.ts';
import type { TrunkView } from '../../signaling/trunk/trunk-service.ts';
import type { Auth } from '../auth.ts';
import { KEYED, nullable, oneOf, Time, toNullableTime, toTime, V1_ERRORS } from '../shapes.ts';

export interface TrunkRoutesOptions {
  readonly auth: Auth;
  readonly trunks: () => readonly TrunkView[];
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

/** The daemon's carriers. They are in its settings, so they are read here and not changed. */
export const trunkRoutes: FastifyPluginAsyncTypebox<TrunkRoutesOptions> = async (
  app,
  { auth, trunks },
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
};

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
