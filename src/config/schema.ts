import { type Static, Type } from 'typebox';
import { count, flag, oneOf } from './setting-types.ts';

/**
 * Every setting of the daemon: its type, default and meaning. The file, the environment, the
 * example file and `--help` follow from this one object. A setting without a default is unset
 * until someone sets it. `secret` settings never appear in a message.
 *
 * Units stand last in a name.
 */
const strict = { additionalProperties: false };

const port = (options: object) => Type.Integer({ minimum: 0, maximum: 65_535, ...options });

const text = (options: object) => Type.String({ minLength: 1, maxLength: 2048, ...options });

const optionalText = (options: object) => Type.Optional(text(options));

const timeoutMs = (byDefault: number, description: string) =>
  count(100, 120_000, byDefault, description);

const httpUrl = (options: object) =>
  Type.Optional(
    Type.String({
      pattern: '^https?://[^\\s/]+[^\\s]*$',
      maxLength: 2048,
      expected: 'an http:// or https:// address',
      ...options,
    }),
  );

const Http = Type.Object(
  {
    host: text({ default: '127.0.0.1', description: 'Address that HTTP and the pages listen on.' }),
    port: port({ default: 8080, description: 'Port of HTTP. 0 takes any free one.' }),
    public_url: httpUrl({
      description: 'Base of every link handed out. Unset: made from host and port.',
    }),
    body_max_bytes: count(1024, 67_108_864, 1_048_576, 'Largest request body.'),
    request_timeout_seconds: count(1, 300, 15, 'Longest time a client may take to send a request.'),
    connections_max: count(1, 100_000, 2000, 'Open connections; more are closed at once.'),
    requests_per_minute: count(
      1,
      1_000_000,
      1000,
      'Requests of one workspace per minute; more are answered 429.',
    ),
    trusted_proxies: Type.Array(text({}), {
      maxItems: 100,
      default: [],
      description: 'Addresses or networks whose X-Forwarded-For is believed.',
    }),
  },
  { ...strict, description: 'HTTP: the API, the pages, the metrics.' },
);

const Sip = Type.Object(
  {
    engine: Type.String({
      pattern: '^(embedded|drachtio://[^@\\s]*@[^\\s]+)$',
      expected: '"embedded" or drachtio://:secret@host:port',
      default: 'embedded',
      secret: true,
      description: 'SIP engine: "embedded", or a drachtio-server as drachtio://:secret@host:port.',
    }),
    host: text({ default: '127.0.0.1', description: 'Address that SIP listens on.' }),
    port: port({ default: 5060, description: 'Port of SIP over UDP and TCP. 0 takes a free one.' }),
    tls_port: Type.Optional(
      port({
        description:
          'Port of SIP over TLS, usually 5061; 0 takes a free one. Unset: nobody connects by TLS.',
      }),
    ),
    tls_cert_file: optionalText({
      description: 'Certificate of SIP over TLS with its chain, PEM. Read again at SIGHUP.',
    }),
    tls_key_file: optionalText({ description: 'Its private key, PEM. Read again at SIGHUP.' }),
    external_address: optionalText({
      description: 'Address written into SIP headers when the daemon stands behind NAT.',
    }),
    allowed_sources: Type.Array(text({}), {
      maxItems: 1000,
      default: [],
      description:
        'Addresses or networks (203.0.113.0/24) that may send requests. Loopback always may; others are dropped without an answer.',
    }),
    websocket_origins: Type.Array(text({}), {
      maxItems: 100,
      default: [],
      description:
        'Web sites (https://shop.example.com) whose pages may use SIP over WebSocket at /sip of the HTTP port, beside our own pages. "*": all.',
    }),
    websocket_connections_max: count(
      1,
      100_000,
      2000,
      'SIP over WebSocket connections; more are refused.',
    ),
    websocket_connections_per_source_max: count(
      1,
      100_000,
      500,
      'SIP over WebSocket connections of one address; more are refused.',
    ),
    websocket_relay: Type.Optional(
      Type.String({
        pattern: '^wss?://[^\\s/]+/?[^\\s]*$',
        maxLength: 2048,
        expected: 'a ws:// or wss:// address',
        description:
          'With a drachtio-server: its own WebSocket port, to which /sip is relayed. Unset: /sip is refused there.',
      }),
    ),
    no_response_seconds: count(
      1,
      32,
      5,
      'How long a host may leave an outbound call without any answer, 100 included, before the next host or trunk is asked (timer B of RFC 3261). A drachtio-server has its own: t1x64.',
    ),
    transactions_max: count(100, 1_000_000, 20_000, 'Transactions in hand; more are answered 503.'),
    packets_per_second_per_source: count(
      1,
      1_000_000,
      20_000,
      'SIP packets of one address per second; more are dropped. A call takes about four.',
    ),
    new_calls_per_second_per_source: count(
      1,
      1_000_000,
      100,
      'INVITEs outside a call that one address may send per second; more are answered 503. Loopback may send any number.',
    ),
    ban_seconds: count(
      0,
      2_592_000,
      600,
      'How long an address is ignored that floods, scans, guesses passwords, sends what is no SIP, or forges requests. Trunks and loopback never are. 0: nobody is.',
    ),
    ban_after_wrong_passwords: count(
      1,
      1_000_000,
      20,
      'Refused credentials of one address within a minute that make it ignored.',
    ),
    ban_after_malformed: count(
      1,
      1_000_000,
      50,
      'Messages of one address within a minute that cannot be read, and make it ignored.',
    ),
  },
  { ...strict, description: 'SIP: where carriers and phones send INVITEs.' },
);

const Media = Type.Object(
  {
    host: text({ default: '127.0.0.1', description: 'Address that RTP is received on.' }),
    ports: Type.String({
      pattern: '^\\d{1,5}-\\d{1,5}$',
      expected: 'a range of ports such as 40000-40999',
      default: '40000-40999',
      description: 'UDP ports of RTP and RTCP; a call takes two.',
    }),
    external_address: optionalText({
      description: 'Address written into session descriptions. Unset: the host above.',
    }),
    webrtc_port: port({
      // Room for as many workers as there may be.
      maximum: 65_279,
      default: 41_000,
      description:
        'UDP port that browsers send to, outside the range above; each further voice worker takes the next one. 0 takes free ones.',
    }),
    workers: count(0, 256, 0, 'Voice workers (threads). 0: one less than there are cores.'),
    rtp_timeout_seconds: count(
      1,
      3600,
      30,
      'A call without RTP for so long, and not on hold, is ended.',
    ),
    strict_sources: flag(
      false,
      'Take audio only from the address in the session description, or from the host that signaling comes from. false: from another place too, when nobody else spoke for a second (phones behind a proxy and a NAT). Encrypted audio proves itself, wherever it comes from.',
    ),
  },
  { ...strict, description: 'Media: RTP of the calls, WebRTC of the browsers.' },
);

const baseUrl = (example: string) =>
  httpUrl({ description: `Server that speaks OpenAI's API, up to the version: ${example}` });
const apiKey = () =>
  optionalText({ secret: true, description: 'Key sent to that server, if any.' });

const Stt = Type.Object(
  {
    provider: Type.Optional(
      oneOf(['embedded', 'openai'], {
        description: 'Unset: "openai" when base_url is set, else "embedded".',
      }),
    ),
    base_url: baseUrl('https://api.openai.com/v1'),
    api_key: apiKey(),
    model: text({ default: 'whisper-1', description: 'Model asked for.' }),
    timeout_ms: timeoutMs(10_000, 'Longest wait for a transcript.'),
  },
  { ...strict, description: 'Speech to text. "embedded" needs no key and no network.' },
);

const Llm = Type.Object(
  {
    provider: Type.Optional(
      oneOf(['phrasebook', 'openai'], {
        description: 'Unset: "openai" when base_url is set, else "phrasebook".',
      }),
    ),
    base_url: baseUrl('http://127.0.0.1:11434/v1'),
    api_key: apiKey(),
    model: text({ default: 'gpt-4o-mini', description: 'Model asked for.' }),
    temperature: Type.Optional(
      Type.Number({
        minimum: 0,
        maximum: 2,
        description: "Randomness of replies. Unset: the model's own.",
      }),
    ),
    max_tokens: count(1, 32_768, 400, 'Longest reply.'),
    timeout_ms: timeoutMs(8000, 'Longest wait for the first token, and between two tokens.'),
  },
  { ...strict, description: 'Language model. "phrasebook" needs no key and no network.' },
);

const Tts = Type.Object(
  {
    provider: Type.Optional(
      oneOf(['embedded', 'openai'], {
        description: 'Unset: "openai" when base_url is set, else "embedded".',
      }),
    ),
    base_url: baseUrl('https://api.openai.com/v1'),
    api_key: apiKey(),
    model: text({ default: 'gpt-4o-mini-tts', description: 'Model asked for.' }),
    voice: text({ default: 'alloy', description: 'Voice of agents that name none.' }),
    timeout_ms: timeoutMs(8000, 'Longest wait for the first audio, and between two pieces.'),
  },
  { ...strict, description: 'Text to speech. "embedded" needs no key and no network.' },
);

const Mail = Type.Object(
  {
    host: optionalText({
      description: 'SMTP server. Unset: mails are kept as files in the data folder.',
    }),
    port: count(1, 65_535, 587, 'Port of the SMTP server.'),
    tls: oneOf(['starttls', 'implicit', 'none'], {
      default: 'starttls',
      description: '"starttls" sends nothing unless it succeeds; "implicit" is usual on port 465.',
    }),
    user: optionalText({ description: 'Name to sign in with, if any.' }),
    password: optionalText({ secret: true, description: 'Password of that name.' }),
    from: text({
      maxLength: 320,
      default: 'Trunkline <no-reply@localhost>',
      description: 'Sender of all mails.',
    }),
    timeout_ms: timeoutMs(10_000, 'Longest wait for any answer of the server.'),
  },
  { ...strict, description: 'Mail: codes for people who chat by a public link.' },
);

const Webhooks = Type.Object(
  {
    header_prefix: Type.String({
      pattern: '^[A-Za-z][A-Za-z0-9-]{0,40}$',
      expected: 'the beginning of a header, such as X-Trunkline',
      default: 'X-Trunkline',
      description: 'What the names of -Signature, -Timestamp and other headers begin with.',
    }),
    timeout_ms: timeoutMs(10_000, 'Longest wait for an answer; after it the event is sent again.'),
    attempts_max: count(1, 20, 10, 'Attempts for one event, before it is given up.'),
    first_retry_ms: count(
      100,
      3_600_000,
      10_000,
      'Pause before the second attempt; each further one is three times as long, at most 6 hours.',
    ),
    keep_days: count(1, 365, 7, 'How long events that were delivered or given up are kept.'),
    allowed_networks: Type.Array(text({}), {
      maxItems: 100,
      default: [],
      description:
        'Inner addresses or networks (10.1.0.0/16) that events may go to. Loopback, private and shared networks are refused else.',
    }),
  },
  { ...strict, description: "Webhooks: events of calls, sent to owners' servers." },
);

const Limits = Type.Object(
  {
    calls_max: count(1, 100_000, 500, 'Live calls; more are refused with 503.'),
    call_seconds_max: count(10, 86_400, 3600, 'Longest call, whatever its agent allows.'),
    click_to_call_per_minute: count(
      1,
      100_000,
      60,
      'Click-to-call requests of one agent per minute; more are answered 429.',
    ),
    drain_timeout_seconds: count(
      0,
      86_400,
      300,
      'After SIGTERM, how long live calls may go on before they are hung up.',
    ),
  },
  { ...strict, description: 'Limits of the whole daemon.' },
);

const Billing = Type.Object(
  {
    currency: Type.String({
      pattern: '^[A-Z]{3}$',
      expected: 'a code of ISO 4217 such as EUR',
      default: 'USD',
      description: 'Currency of workspaces that have no rates yet.',
    }),
  },
  { ...strict, description: 'Billing: rates themselves are set by the API, for each workspace.' },
);

const Caps = Type.Object(
  {
    demo_minutes_per_day: count(1, 1_000_000, 3000, 'Minutes of a demo workspace in a day of UTC.'),
    demo_calls_per_day: count(1, 1_000_000, 2000, 'Calls of a demo workspace in a day of UTC.'),
    demo_calls_at_once: count(1, 100_000, 100, 'Live calls of a demo workspace.'),
    demo_call_seconds_max: count(30, 86_400, 900, 'Longest call of a demo workspace.'),
    demo_destinations: Type.Array(text({ pattern: '^\\+[0-9]{0,15}$', maxLength: 16 }), {
      maxItems: 256,
      default: ['+'],
      description:
        'How numbers begin that demo workspaces may call, of those that the trunks allow; "+" is everywhere.',
    }),
    standard_minutes_per_day: count(0, 1_000_000, 0, 'The same of a standard workspace. 0: any.'),
    standard_calls_per_day: count(0, 1_000_000, 0, 'The same of a standard workspace. 0: any.'),
    standard_calls_at_once: count(0, 100_000, 0, 'The same of a standard workspace. 0: any.'),
    standard_destinations: Type.Array(text({ pattern: '^\\+[0-9]{0,15}$', maxLength: 16 }), {
      maxItems: 256,
      default: ['+'],
      description: 'How numbers begin that standard workspaces may call.',
    }),
  },
  {
    ...strict,
    description:
      'What workspaces may have where the API has set nothing for them (PUT /v1/workspaces/{id}/caps).',
  },
);

const Log = Type.Object(
  {
    level: oneOf(['fatal', 'error', 'warn', 'info', 'debug', 'trace', 'silent'], {
      default: 'info',
      description: 'Least severity that is written.',
    }),
    pretty: oneOf(['auto', 'always', 'never'], {
      default: 'auto',
      description: '"auto": for people on a terminal, else one JSON object per line.',
    }),
  },
  { ...strict, description: 'The log, on standard output.' },
);

export const ConfigSchema = Type.Object(
  {
    http: Http,
    sip: Sip,
    media: Media,
    stt: Stt,
    llm: Llm,
    tts: Tts,
    mail: Mail,
    webhooks: Webhooks,
    limits: Limits,
    billing: Billing,
    caps: Caps,
    log: Log,
    data_dir: text({
      default: './data',
      description: 'Folder of the database and the admin key.',
    }),
    database_url: Type.Optional(
      Type.String({
        pattern: '^sqlite:.+$',
        expected: 'sqlite:path',
        secret: true,
        description: 'Database as sqlite:path. Unset: trunkline.sqlite in the data folder.',
      }),
    ),
    admin_key: Type.Optional(
      Type.String({
        pattern: '^pk_(live|test)_[A-Za-z0-9_-]{24,200}$',
        expected: 'pk_live_ and at least 24 letters or digits',
        secret: true,
        description: 'Owner key of the first workspace. Unset: made at the first start.',
      }),
    ),
    sealing_key: Type.Optional(
      Type.String({
        pattern: '^[0-9A-Fa-f]{64}$',
        expected: '64 hexadecimal digits',
        secret: true,
        description:
          'Key that seals secrets in the database. Unset: kept in sealing.key in the data folder.',
      }),
    ),
    numbers: Type.Record(Type.String({ maxLength: 128 }), text({ maxLength: 128 }), {
      maxProperties: 10_000,
      default: { demo: 'agt_demo' },
      description: 'Dialed number or name, and the agent that answers it.',
    }),
    trunks: Type.Array(Type.Unknown(), {
      default: [],
      description: 'Carriers that we call and are called by. Only a file can hold them.',
    }),
  },
  strict,
);

/** What file and environment hold together, defaults filled in. */
export type RawConfig = Static<typeof ConfigSchema>;
