import assert from 'node:assert/strict';
import { Agent } from 'node:http';
import * as fc from 'fast-check';
import { type Operation, operationsOf, sampleOf } from '../../support/described-api.ts';
import { Gateway } from '../../support/gateway.ts';
import { SipPhone } from '../../support/sip-phone.ts';
import { rawRequest, type RawAnswer, type RawRequest } from '../../support/raw-request.ts';

/** Fuzzing is the same every time; another seed looks elsewhere. */
const SEED = Number(process.env['TRUNKLINE_TEST_SEED'] ?? 20_260_131);
const RUNS_PER_OPERATION = 15;
/** Requests at once: few, so that the machine answers them in time. */
const PARALLEL = 8;

/** What a family of the API calls its errors by; the first that fits. */
const FAMILIES: readonly (readonly [prefix: string, fields: readonly string[]])[] = [
  ['/v1/calls/public/', ['request_id']],
  ['/v1/instant-voice-links', ['error', 'code', 'request_id']],
  ['/api/click-to-call', ['code', 'message', 'request_id']],
  ['/api/agents/', ['detail', 'code', 'request_id']],
  ['/api/public/', ['detail', 'code', 'request_id']],
  ['/', ['error_code', 'message', 'request_id', 'documentation_url']],
];

describe('every operation that the running daemon describes', function () {
  this.timeout(280_000);
  const agent = new Agent({ keepAlive: true, maxSockets: PARALLEL });
  let gateway: Gateway;
  let operations: Operation[];
  /** Names of parameters and fields, and what stands for them in the first workspace. */
  let own: Record<string, string>;
  let foreignKey: string;

  before(async () => {
    gateway = await Gateway.start({ env: { TRUNKLINE_HTTP_TRUSTED_PROXIES: '127.0.0.1' } });
    operations = operationsOf(await (await gateway.api('/openapi.json')).json());
    [own, foreignKey] = await Promise.all([ownObjects(), otherWorkspaceKey()]);
  });
  after(async () => {
    agent.destroy();
    await gateway?.stop();
  });

  let askers = 0;
  const ask = (asked: RawRequest, key: string | null = gateway.adminKey) => {
    askers += 1;
    // Another address each time: the limits of addresses have tests of their own.
    const address = `10.${(askers >> 16) & 255}.${(askers >> 8) & 255}.${askers & 255}`;
    const headers = {
      'x-forwarded-for': address,
      ...(key === null ? {} : { authorization: `Bearer ${key}` }),
      ...asked.headers,
    };
    return rawRequest(gateway.httpUrl, { ...asked, headers }, agent);
  };
  const post = async (path: string, body: object): Promise<Json> => {
    const answer = await ask(withJson({ method: 'POST', path }, JSON.stringify(body)));
    assert.ok(answer.status < 300, `${path}: ${answer.text}`);
    return JSON.parse(answer.text) as Json;
  };

  /** At least one of each kind of object, so that a foreign key has something to be refused. */
  async function ownObjects(): Promise<Record<string, string>> {
    const made = await post('/v1/agents', { display_name: 'Mine' });
    const agentId = String(made['agent_id']);
    const [key, shared, links, chat] = await Promise.all([
      post('/v1/keys', { label: 'mine', scopes: ['calls:read'] }),
      post(`/v1/agents/${agentId}/shared-keys`, {}),
      post('/v1/instant-voice-links', { labels: ['a'], expiryPreset: '1_day', prompt: 'p' }),
      post(`/api/agents/${agentId}/public-links`, {}),
    ]);
    const number = await post('/v1/numbers', { e164: '+34911222333', agent_id: agentId });
    const [link] = links['links'] as Json[];
    // Nobody may be told there: that it was tried is on record all the same.
    const told = await post('/v1/webhooks/test', { webhook_url: 'http://10.0.0.1/' });
    return {
      delivery_id: String(told['delivery_id']),
      agent_id: agentId,
      ai_agent_id: agentId,
      name: agentId,
      key_id: String(key['key_id']),
      shared_key_id: String(shared['shared_key_id']),
      linkId: String(link?.['id']),
      id: String(chat['id']),
      token: String(chat['token']),
      number_id: String(number['number_id']),
      e164: '+34911222334',
      email: 'ann@example.org',
      call_id: await refusedCall(),
      digits: '1#',
      text: 'Hello.',
      workspace_id: 'ws_demo',
      to_number: '+34955666777',
      phone: '+34955666777',
      expiryPreset: '1_day',
    };
  }

  /** A call that nobody could speak in is on record too. */
  async function refusedCall(): Promise<string> {
    const phone = await SipPhone.open(gateway.sipPort);
    const sdp = ['v=0', 'o=x 1 1 IN IP4 127.0.0.1', 's=-', 'c=IN IP4 127.0.0.1', 't=0 0'];
    await phone.invite({ sdp: [...sdp, 'm=audio 9 RTP/AVP 4', ''].join('\r\n') });
    phone.close();
    return (await gateway.nextEndedCall()).call_id;
  }

  async function otherWorkspaceKey(): Promise<string> {
    const made = await post('/v1/workspaces', { name: 'other', type: 'standard' });
    return String((made['key'] as Json)['key']);
  }

  const keyWith = async (scope: string) =>
    String((await post('/v1/keys', { label: scope, scopes: [scope] }))['key']);

  /** A request that the description allows, about the objects of the first workspace. */
  function plainRequest({ method, path, parameters, body }: Operation): RawRequest {
    const valueOf = (name: string) => {
      const { schema } = parameters.find((one) => one.name === name) ?? { schema: {} };
      return encodeURIComponent(String(sampleOf(schema, own, name)));
    };
    const query = parameters
      .filter((one) => one.in === 'query' && one.required === true)
      .map(({ name }) => `${name}=${valueOf(name)}`);
    const filled = path.replaceAll(/\{(\w+)\}/g, (_, name: string) => valueOf(name));
    const asked = { method, path: query.length === 0 ? filled : `${filled}?${query.join('&')}` };
    return body === null ? asked : withJson(asked, JSON.stringify(sampleOf(body, own)));
  }

  /** Asks all of them, a few at once; gives what was wrong, by operation. */
  async function survey(
    chosen: readonly Operation[],
    judge: (operation: Operation) => Promise<readonly string[]>,
  ): Promise<readonly string[]> {
    const wrong: string[] = [];
    const waiting = [...chosen];
    const work = async () => {
      for (let next = waiting.shift(); next !== undefined; next = waiting.shift())
        for (const complaint of await judge(next)) wrong.push(`${next.name}: ${complaint}`);
    };
    await Promise.all(Array.from({ length: PARALLEL }, work));
    return wrong.sort();
  }

  /** What no answer may be, whatever was asked. */
  function complaintsOf(operation: Operation, answer: RawAnswer, what: string): string[] {
    const { status, contentType, text } = answer;
    const complaints: string[] = [];
    const described = operation.complaint(status, contentType, text);
    if (described !== null) complaints.push(described);
    if (status >= 500 && status !== 503) complaints.push(`${status}`);
    if (status >= 400) {
      const shape = familyComplaint(operation.path, answer);
      if (shape !== null) complaints.push(shape);
    }
    return complaints.map((complaint) => `${complaint} ← ${what}: ${text.slice(0, 200)}`);
  }

  it('are many, and each has a name of its own', () => {
    assert.ok(operations.length > 40, `${operations.length}`);
    const names = operations.map(({ name }) => name);
    assert.equal(new Set(names).size, names.length);
  });

  it('refuse who has no key or a wrong one with 401, where they need one', async () => {
    const keyed = operations.filter(takesKey);
    const wrong = await survey(keyed, async (operation) => {
      const asked = plainRequest(operation);
      const answers = [await ask(asked, null), await ask(asked, 'pk_live_wrong')];
      return answers.flatMap((answer) => [
        ...(answer.status === 401 ? [] : [`${answer.status} instead of 401`]),
        ...complaintsOf(operation, answer, 'no key'),
      ]);
    });
    assert.deepEqual(wrong, []);
  });

  it('refuse a key without the scope with 403, and name the scope that then opens them', async () => {
    const scopes = new Map<string, string>();
    const [blind, other] = [await keyWith('voice_links:read'), await keyWith('keys:read')];
    const keyed = operations.filter(takesKey);
    const wrong = await survey(keyed, async (operation) => {
      const asked = plainRequest(operation);
      const first = await ask(asked, blind);
      const answer = first.status === 403 ? first : await ask(asked, other);
      const scope = /scope ([a-z_]+:[a-z_]+)/.exec(answer.text)?.[1];
      if (answer.status !== 403 || scope === undefined)
        return [`${answer.status} ${answer.text.slice(0, 200)}`];
      scopes.set(operation.name, scope);
      return complaintsOf(operation, answer, 'no scope');
    });
    assert.deepEqual(wrong, []);

    // Reading only: what writes would take away what the others look at.
    const keys = new Map<string, string>();
    for (const scope of new Set(scopes.values())) keys.set(scope, await mint(scope));
    const reading = keyed.filter(({ method }) => method === 'GET');
    const closed = await survey(reading, async (operation) => {
      const key = keys.get(scopes.get(operation.name) ?? '') ?? '';
      const { status } = await ask(plainRequest(operation), key);
      return status === 401 || status === 403 ? [`${status} with its own scope`] : [];
    });
    assert.deepEqual(closed, []);
  });

  const mint = (scope: string) =>
    post('/v1/keys', { label: `with ${scope}`, scopes: [scope] }).then(({ key }) => String(key));

  it('know nothing of what belongs to another workspace', async () => {
    const keyed = operations.filter(takesKey);
    const mine = Object.values(own).filter((value) => /^[a-z]+_\w{6,}$/.test(value));
    const wrong = await survey(keyed, async (operation) => {
      const answer = await ask(plainRequest(operation), foreignKey);
      const { status, text } = answer;
      const complaints = complaintsOf(operation, answer, 'foreign key');
      const isReserved = status === 403 && /scope (workspaces|trunks|rates):/.test(text);
      // The body too may name an agent of ours, which is then unknown.
      const named =
        /\{/.test(operation.path) || JSON.stringify(operation.body).includes('agent_id"');
      if (named && status !== 404 && !isReserved)
        complaints.push(`${status} instead of 404: ${text.slice(0, 200)}`);
      if (!named && !isReserved && mine.some((id) => text.includes(id)))
        complaints.push(`shows what is not its own: ${text.slice(0, 200)}`);
      return complaints;
    });
    assert.deepEqual(wrong, []);
    for (const path of [`/v1/agents/${own['agent_id']}`, '/v1/keys', '/v1/instant-voice-links'])
      assert.equal((await ask({ method: 'GET', path })).status, 200, 'nothing was harmed');
  });

  it('answer what is malformed in the shape of their family', async () => {
    const wrong = await survey(operations, async (operation) => {
      const plain = plainRequest(operation);
      const [bare = ''] = plain.path.split('?');
      const faults: [string, RawRequest][] = [
        ['a percent sign too many', { ...plain, path: `${bare}%zz` }],
        ['half of a character', { ...plain, path: `${bare}%c3` }],
        ['a NUL', { ...plain, path: `${bare}%00` }],
        ['a path below', { ...plain, path: `${bare}/no/such/thing` }],
        ['a parameter twice', { ...plain, path: `${bare}?page_size=1&page_size=2` }],
        ['a query of nonsense', { ...plain, path: `${bare}?%00=%ff&&=&a[b]=c` }],
        ['an address written otherwise', { ...plain, path: bare.replace(/^\/(\w)/, percent) }],
        ['another method', { ...plain, method: 'PROPFIND' }],
      ];
      if (operation.body !== null) {
        const typed = (type: string, body: string) => ({
          ...plain,
          body,
          headers: { 'content-type': type },
        });
        faults.push(
          ['broken JSON', withJson(plain, '{"a":')],
          ['no body', withJson(plain, '')],
          ['a list', withJson(plain, '[]')],
          ['null', withJson(plain, 'null')],
          ['a text', withJson(plain, '"text"')],
          [
            'a huge number',
            withJson(plain, '{"page_size":1e999,"x":123456789012345678901234567890}'),
          ],
          [
            'a poisoned prototype',
            withJson(plain, '{"__proto__":{"x":1},"constructor":{"prototype":{}}}'),
          ],
          ['deep nesting', withJson(plain, `${'['.repeat(5000)}${']'.repeat(5000)}`)],
          ['a form', typed('application/x-www-form-urlencoded', 'a=b')],
          ['no known type', typed('application/x-nothing', 'a=b')],
          ['a broken type', typed('application/json; charset=nonsense; =', '{}')],
          ['too much', withJson(plain, JSON.stringify({ x: 'x'.repeat(2_000_000) }))],
        );
      }
      const complaints: string[] = [];
      for (const [what, asked] of faults) {
        const answer = await ask(asked).catch((error: unknown) => String(error));
        // Whoever sends too much may be cut off while it still sends.
        if (typeof answer === 'string') {
          if (what !== 'too much') complaints.push(`${answer} ← ${what}`);
          continue;
        }
        if (answer.status >= 500 && answer.status !== 503)
          complaints.push(`${answer.status} ← ${what}: ${answer.text.slice(0, 200)}`);
        const shape = answer.status < 400 ? null : familyComplaint(operation.path, answer);
        if (shape !== null) complaints.push(`${shape} ← ${what}: ${answer.text.slice(0, 200)}`);
        if (asked.body !== undefined && asked.path === plain.path && asked.method === plain.method)
          complaints.push(...complaintsOf(operation, answer, what));
      }
      return complaints;
    });
    assert.deepEqual(wrong, []);
  });

  it(`give only answers that are described, whatever is asked (seed ${SEED})`, async () => {
    // Written first: what is deleted in between is not found any more, which is an answer too.
    const wrong = await survey(operations, async (operation) => {
      const complaints: string[] = [];
      const requests = fc.sample(requestsOf(operation, plainRequest(operation), own), {
        seed: SEED,
        numRuns: RUNS_PER_OPERATION,
      });
      for (const asked of requests) {
        const answer = await ask(asked);
        const what = `${asked.path.slice(0, 300)} ${asked.body?.slice(0, 300) ?? ''}`;
        complaints.push(...complaintsOf(operation, answer, what));
      }
      return complaints;
    });
    assert.deepEqual(wrong, []);
    assert.equal((await ask({ method: 'GET', path: '/health' })).status, 200);
    const errors = gateway.lines.filter((line) => /"level":"(error|fatal)"/.test(line));
    assert.deepEqual(errors, []);
  });
});

type Json = Readonly<Record<string, unknown>>;

/** A browser's offer brings a token of one call, for which it has tests of its own. */
function takesKey({ isKeyed, name }: Operation): boolean {
  return isKeyed && name !== 'POST /v1/webrtc/offer';
}

function withJson(asked: RawRequest, body: string): RawRequest {
  return { ...asked, body, headers: { 'content-type': 'application/json' } };
}

function familyComplaint(path: string, { contentType, text }: RawAnswer): string | null {
  if (!contentType.startsWith('application/json')) return `an error as ${contentType}`;
  const body = JSON.parse(text) as Json;
  const [, fields = []] = FAMILIES.find(([prefix]) => path.startsWith(prefix)) ?? [];
  const missing = fields.filter((name) => typeof body[name] !== 'string');
  return missing.length === 0 ? null : `an error without ${missing.join(', ')}`;
}

const AWKWARD = [
  '',
  ' ',
  '0',
  '-1',
  '1e999',
  '\u0000',
  '\u001b[2J',
  '\ud800',
  '../../etc/passwd',
  "'; DROP TABLE calls; --",
  '{{x}}',
  '<script>',
  '💥',
  'x'.repeat(300),
];
const awkwardText = fc.oneof(
  fc.constantFrom(...AWKWARD),
  fc.string({ unit: 'binary', maxLength: 40 }),
  fc.string({ maxLength: 40 }),
);
const awkwardValue = fc.oneof(
  awkwardText,
  fc.constantFrom<unknown>(null, true, 0, -1, 1.5, 1e300, Number.MAX_SAFE_INTEGER, [], {}, [[]]),
  fc.array(awkwardText, { maxLength: 3 }),
  fc.dictionary(fc.string({ maxLength: 10 }), awkwardText, { maxKeys: 3 }),
);

/** Requests near what the description allows: some allowed, most with something amiss. */
function requestsOf(
  { path, parameters, body, method }: Operation,
  plain: RawRequest,
  own: Readonly<Record<string, string>>,
): fc.Arbitrary<RawRequest> {
  const pathNames = [...path.matchAll(/\{(\w+)\}/g)].map(([, name = '']) => name);
  const segments = fc.tuple(
    ...pathNames.map((name) =>
      fc.oneof(
        { weight: 3, arbitrary: fc.constant(own[name] ?? 'none') },
        { weight: 1, arbitrary: awkwardText.filter((text) => text !== '') },
      ),
    ),
  );
  const queryNames = parameters.filter((one) => one.in === 'query').map(({ name }) => name);
  const query = fc.array(
    fc.tuple(
      queryNames.length === 0 ? fc.constant('extra') : fc.constantFrom(...queryNames, 'extra'),
      fc.oneof(awkwardText, fc.constantFrom('1', '50', 'true', '2026-01-31T00:00:00Z')),
    ),
    { maxLength: 3 },
  );
  const properties = Object.keys(body?.['properties'] ?? {});
  const changes = fc.array(
    fc.tuple(
      properties.length === 0 ? fc.constant('extra') : fc.constantFrom(...properties, 'extra'),
      fc.oneof(awkwardValue, fc.constant(undefined)),
    ),
    { maxLength: 2 },
  );
  return fc.tuple(segments, query, changes).map(([values, pairs, changed]) => {
    let at = 0;
    const filled = path.replaceAll(/\{\w+\}/g, () => encoded(values[at++] ?? ''));
    const text = pairs.map(([name, value]) => `${name}=${encoded(value)}`).join('&');
    const kept = plain.path.split('?')[1];
    const queryText = [kept, text].filter((part) => part !== undefined && part !== '').join('&');
    const asked = { method, path: queryText === '' ? filled : `${filled}?${queryText}` };
    if (body === null || plain.body === undefined) return asked;
    const sample: unknown = JSON.parse(plain.body);
    const changedBody = { ...(sample as object), ...Object.fromEntries(changed) };
    return withJson(asked, JSON.stringify(changedBody));
  });
}

/** `/%76` is `/v`. */
function percent(_: string, letter: string): string {
  return `/%${letter.charCodeAt(0).toString(16)}`;
}

/** A lone surrogate cannot be written as UTF-8. */
function encoded(text: string): string {
  return encodeURIComponent(text.replaceAll(/[\ud800-\udfff]/g, '?'));
}
