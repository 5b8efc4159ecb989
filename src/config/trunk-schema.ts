import { type Static, Type } from 'typebox';
import { count, flag, oneOf } from './setting-types.ts';

/** What ends up in a header or a file name: letters, digits, `.`, `_` and `-`. */
const NAME = '^[A-Za-z0-9][A-Za-z0-9._-]{0,63}$';
const HOST = '^(\\[[0-9A-Fa-f:.]+\\]|[A-Za-z0-9]([A-Za-z0-9.-]{0,251}[A-Za-z0-9])?)(:[0-9]{1,5})?$';
const NUMBER = '^\\+[1-9][0-9]{3,14}$';
const SOURCE = '^[0-9A-Fa-f:.]{2,45}(/[0-9]{1,3})?$';
const USER = '^[^\\s"<>@]{1,128}$';

const matching = (pattern: string, expected: string, options: object) =>
  Type.String({ pattern, expected, ...options });
const text = (description: string) => Type.String({ minLength: 1, maxLength: 256, description });
const secret = (description: string) =>
  Type.String({ minLength: 1, maxLength: 256, secret: true, description });
const path = (description: string) => Type.String({ minLength: 1, maxLength: 1024, description });

/**
 * One item of `trunks:`. Like the other settings: units stand last in a name, what has no default
 * is unset, `secret` never appears in a message.
 */
export const TrunkSchema = Type.Object(
  {
    name: matching(NAME, 'a name of letters, digits, ".", "_" and "-"', {
      description: 'Name of the trunk: in the API, the metrics and the log.',
    }),
    hosts: Type.Array(matching(HOST, 'host or host:port', {}), {
      minItems: 1,
      maxItems: 8,
      expected: 'a list of 1 to 8 hosts, each as host or host:port',
      description:
        "The carrier's servers, best first. A name without a port is looked up by NAPTR and SRV, then A and AAAA; the next host is taken when one does not answer or says 5xx.",
    }),
    transport: oneOf(['auto', 'udp', 'tcp', 'tls'], {
      default: 'auto',
      description: 'How to reach it. "auto": what its NAPTR records prefer, else udp.',
    }),
    domain: Type.Optional(
      matching(HOST, 'a host name', {
        description: 'Host of our address at the carrier (From, To). Unset: the first host.',
      }),
    ),
    username: Type.Optional(
      matching(USER, 'a user name without spaces, quotes or @', {
        description: 'Our user at the carrier. Unset: a trunk known by its address alone.',
      }),
    ),
    auth_username: Type.Optional(
      text('User in answers to challenges, when it is not the one above.'),
    ),
    password: Type.Optional(
      secret('Password for challenges of the carrier (MD5, SHA-256, SHA-512-256).'),
    ),
    password_file: Type.Optional(path('File that holds that password.')),
    realm: Type.Optional(text('Answer challenges of this realm only. Unset: whichever asks.')),
    register: flag(false, 'Register our address with the carrier, and keep it registered.'),
    register_expires_seconds: count(60, 86_400, 3600, 'How long a registration is asked to last.'),
    allowed_sources: Type.Array(matching(SOURCE, 'an address or network', {}), {
      maxItems: 256,
      default: [],
      expected: 'a list of addresses or networks such as 203.0.113.0/24',
      description:
        "Addresses and networks the carrier calls from, beside the addresses of its hosts. All others' packets are dropped without an answer.",
    }),
    inbound_username: Type.Optional(
      text('User that inbound calls must authenticate as. Unset: no challenge.'),
    ),
    inbound_password: Type.Optional(secret('Password that inbound calls must prove.')),
    inbound_password_file: Type.Optional(path('File that holds that password.')),
    caller_id_policy: oneOf(['own-numbers', 'fixed', 'any'], {
      default: 'own-numbers',
      description:
        'Whom outbound calls may name as caller: one of the numbers below, always caller_id_number, or anyone.',
    }),
    caller_id_number: Type.Optional(
      matching(NUMBER, 'a number such as +34911222333', {
        description: 'Caller of calls that name none. Unset: the first of the numbers below.',
      }),
    ),
    caller_id_header: oneOf(
      ['from', 'p-asserted-identity', 'p-preferred-identity', 'remote-party-id'],
      {
        default: 'from',
        description:
          'Where the caller stands: in From, or in an identity header beside a From with our user.',
      },
    ),
    country: Type.Optional(
      matching('^[A-Z]{2}$', 'a country code such as ES', {
        description:
          'Country of numbers that come or are dialed without "+". Unset: they stay as they are.',
      }),
    ),
    number_format: oneOf(['e164', 'digits'], {
      default: 'e164',
      description: 'How numbers are written to the carrier: with "+" or without.',
    }),
    codecs: Type.Array(oneOf(['opus', 'g722', 'pcma', 'pcmu'], {}), {
      minItems: 1,
      maxItems: 4,
      default: ['pcma', 'pcmu'],
      expected: 'a list of codecs among opus, g722, pcma and pcmu',
      description: 'Codecs offered and taken, best first.',
    }),
    dtmf: oneOf(['rfc4733', 'info'], {
      default: 'rfc4733',
      description: 'How keys are sent: as telephone events in RTP, or by SIP INFO.',
    }),
    srtp: oneOf(['off', 'optional', 'required'], {
      default: 'off',
      description:
        'Encrypted audio (SRTP, keys by SDES): never, when the other side can, or else no call. The keys stand in the signaling, so they are secret only where transport is tls.',
    }),
    outbound_prefixes: Type.Array(matching('^\\+[0-9]{0,15}$', 'a prefix such as +34', {}), {
      maxItems: 256,
      default: [],
      expected: 'a list of prefixes such as "+34", or "+" for everywhere',
      description: 'Where outbound calls may go; "+" is everywhere. Empty: nowhere.',
    }),
    channels_max: count(1, 100_000, 30, 'Calls at once, in both directions; more are refused.'),
    calls_per_second: count(1, 10_000, 5, 'New outbound calls per second; more are refused.'),
    no_answer_seconds: count(5, 600, 60, 'How long an outbound call may ring.'),
    external_address: Type.Optional(
      matching('^[0-9A-Fa-f:.]{2,45}$', 'an IP address', {
        description:
          'Address in Contact and session descriptions to this carrier. Unset: those of the sip and media sections.',
      }),
    ),
    session_expires_seconds: count(
      0,
      86_400,
      1800,
      'Session timer of outbound calls (RFC 4028), 90 or more; 0: none of ours.',
    ),
    session_refresher: oneOf(['auto', 'us', 'them'], {
      default: 'auto',
      description: 'Who refreshes the session.',
    }),
    options_seconds: count(
      0,
      3600,
      30,
      'Time between OPTIONS that tell whether the trunk is up; 0: none, it counts as up.',
    ),
    keep_alive_seconds: count(
      0,
      3600,
      0,
      'Time between keep-alives (line ends, RFC 5626) that keep the way through a NAT open; 0: none, where OPTIONS do that. The embedded engine alone sends them.',
    ),
    large_requests_by_tcp: flag(false, 'Send requests above 1,300 bytes by TCP.'),
    tls_verify: flag(
      true,
      "Check the carrier's certificate: its time, who vouches for it, and that it bears the domain or a host of this trunk.",
    ),
    tls_ca_file: Type.Optional(
      path("Certificates that vouch for the carrier. Unset: the system's."),
    ),
    numbers: Type.Record(
      Type.String({ maxLength: 128 }),
      Type.String({ minLength: 1, maxLength: 128 }),
      {
        maxProperties: 10_000,
        default: {},
        expected: 'a map of numbers to agents',
        description: 'Numbers of this trunk, and the agent that answers each.',
      },
    ),
    agent: Type.Optional(
      text('Agent that answers the numbers of this trunk that nobody named. Unset: 404.'),
    ),
  },
  { additionalProperties: false },
);

/** A trunk as the file has it, defaults filled in. */
export type RawTrunk = Static<typeof TrunkSchema>;
