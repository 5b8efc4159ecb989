import assert from 'node:assert/strict';
import { once } from 'node:events';
import { connect } from 'node:net';
import { Compile } from 'typebox/compile';
import { ERROR_CATALOG, toHttpError } from '../../../src/http/errors.ts';
import { V1Error } from '../../../src/http/shapes.ts';
import { asCallId } from '../../../src/model/ids.ts';
import { storageError } from '../../../src/storage/storage-error.ts';
import { testServer } from '../../support/http-server.ts';
import { newCall, newTurn } from '../../support/storage.ts';

type Server = Awaited<ReturnType<typeof testServer>>;
interface Answer {
  readonly statusCode: number;
  readonly headers: Readonly<Record<string, unknown>>;
  json(): unknown;
}
const v1Error = Compile(V1Error);

function assertV1Error(answer: Answer, status: number, code: string): void {
  assert.equal(answer.statusCode, status, JSON.stringify(answer.json()));
  const body = v1Error.Parse(answer.json());
  assert.equal(body.error_code, code);
  assert.equal(body.request_id, answer.headers['x-request-id']);
  assert.match(body.request_id, /^req_\w{16}$/);
  assert.equal(body.documentation_url, `https://voice.example.org/docs#${code}`);
}

describe('the HTTP server', () => {
  let server: Server;
  before(async () => {
    server = await testServer();
    const { calls } = server.storage;
    const id = asCallId('call_1');
    await calls.create(newCall('call_1'));
    await calls.markAnswered(id, 1_700_000_001_000);
    await calls.appendTurn(id, newTurn(0));
    await calls.appendTurn(id, newTurn(1, { isInterrupted: true, generatedText: 'x' }));
    await calls.end(id, {
      endedAtMs: 1_700_000_031_500,
      reason: 'caller-hung-up',
      sipStatus: null,
      report: {
        codec: 'pcmu',
        encryption: 'AES_CM_128_HMAC_SHA1_80',
        packetsSent: 1,
        packetsReceived: 2,
        packetsLost: 3,
        packetsLate: 4,
        packetsDuplicate: 5,
        packetsFromStrangers: 6,
        packetsMalformed: 7,
        packetsUnauthenticated: 9,
        packetsReplayed: 10,
        framesConcealed: 8,
        jitterMs: 1.5,
        roundTripMs: null,
        remoteFractionLost: 0.25,
      },
    });
    await calls.create(newCall('call_live', { startedAtMs: 1_700_000_000_500 }));
  });
  after(() => server.close());

  const refused: readonly (readonly [string, object, number, string])[] = [
    ['no key', { url: '/v1/calls', headers: {} }, 401, 'UNAUTHENTICATED'],
    [
      'a wrong key',
      { url: '/v1/calls', headers: { authorization: 'Bearer pk_live_nope' } },
      401,
      'UNAUTHENTICATED',
    ],
    [
      'another scheme',
      { url: '/v1/calls', headers: { authorization: 'Basic cGs6' } },
      401,
      'UNAUTHENTICATED',
    ],
    ['an unknown route', { url: '/v1/nothing' }, 404, 'NOT_FOUND'],
    ['an unknown method', { url: '/v1/calls', method: 'PUT' }, 404, 'NOT_FOUND'],
    ['an unknown call', { url: '/v1/calls/call_none' }, 404, 'NOT_FOUND'],
    ['an unknown agent', { url: '/v1/agents/agt_none' }, 404, 'NOT_FOUND'],
    ['a malformed path', { url: '/v1/calls/%zz' }, 400, 'INVALID_ARGUMENT'],
    ['a malformed query', { url: '/v1/calls?page_size=x' }, 400, 'INVALID_ARGUMENT'],
    ['a page too large', { url: '/v1/calls?page_size=201' }, 400, 'INVALID_ARGUMENT'],
    ['an unknown filter', { url: '/v1/calls?colour=red' }, 400, 'INVALID_ARGUMENT'],
    ['an unknown status', { url: '/v1/calls?status=odd' }, 400, 'INVALID_ARGUMENT'],
    ['a time that is none', { url: '/v1/calls?started_from=soon' }, 400, 'INVALID_ARGUMENT'],
    ['a foreign page token', { url: '/v1/calls?page_token=abc' }, 400, 'INVALID_ARGUMENT'],
    [
      'an address too long',
      { url: `/v1/calls?page_token=${'a'.repeat(9000)}` },
      400,
      'INVALID_ARGUMENT',
    ],
    ['broken JSON', { ...patch('{"a"') }, 400, 'INVALID_ARGUMENT'],
    ['no JSON', { ...patch('') }, 400, 'INVALID_ARGUMENT'],
    ['JSON that is no object', { ...patch('[]') }, 400, 'INVALID_ARGUMENT'],
    ['null', { ...patch('null') }, 400, 'INVALID_ARGUMENT'],
    ['a poisoned prototype', { ...patch('{"__proto__":{"x":1}}') }, 400, 'INVALID_ARGUMENT'],
    ['an unknown field', { ...patch('{"colour":"red"}') }, 400, 'INVALID_ARGUMENT'],
    ['a field of the wrong type', { ...patch('{"enabled":"true"}') }, 400, 'INVALID_ARGUMENT'],
    ['a number out of range', { ...patch('{"time_limit_seconds":1}') }, 400, 'INVALID_ARGUMENT'],
    ['a body too large', { ...patch(`"${'x'.repeat(70_000)}"`) }, 413, 'PAYLOAD_TOO_LARGE'],
    [
      'a body of another type',
      { ...patch('a=b'), headers: { 'content-type': 'application/x-www-form-urlencoded' } },
      415,
      'UNSUPPORTED_MEDIA_TYPE',
    ],
  ];

  function patch(payload: string) {
    const headers = { 'content-type': 'application/json' };
    return { method: 'PATCH', url: '/v1/agents/agt_demo', payload, headers };
  }

  for (const [what, request, status, code] of refused) {
    it(`answers ${what} with ${status} ${code}`, async () => {
      const given: { headers?: Record<string, string> } = request;
      const isKeyed = given.headers === undefined || 'content-type' in given.headers;
      const headers = isKeyed ? { ...server.headers, ...given.headers } : given.headers;
      const answer = await server.app.inject({ ...request, headers });
      assertV1Error(answer, status, code);
    });
  }

  it('answers what is no HTTP in the shape of an error, and closes', async () => {
    await server.app.listen({ host: '127.0.0.1', port: 0 });
    const address = server.app.server.address();
    assert.ok(typeof address === 'object' && address !== null);
    const socket = connect(address.port, '127.0.0.1');
    let text = '';
    socket.on('data', (bytes) => (text += bytes));
    socket.write('HELLO\r\n\r\n');
    await once(socket, 'close');
    assert.match(text, /^HTTP\/1\.1 400 /);
    assert.equal(JSON.parse(text.split('\r\n\r\n')[1] ?? '').error_code, 'INVALID_ARGUMENT');
  });

  it('closes on a client that sends its request too slowly', async () => {
    const slow = await testServer({ requestTimeoutSeconds: 1 });
    await slow.app.listen({ host: '127.0.0.1', port: 0 });
    const address = slow.app.server.address();
    assert.ok(typeof address === 'object' && address !== null);
    const socket = connect(address.port, '127.0.0.1');
    let text = '';
    socket.on('data', (bytes) => (text += bytes));
    socket.write('GET /health HTTP/1.1\r\nHost: x\r\nX-Never-Ends: ');
    await once(socket, 'close');
    assert.match(text, /^HTTP\/1\.1 408 /);
    assert.equal(JSON.parse(text.split('\r\n\r\n')[1] ?? '').error_code, 'REQUEST_TIMEOUT');
    await slow.close();
  });

  it('answers 403 to a key without the scope, and says which it needs', async () => {
    const headers = await server.keyWith(['calls:read']);
    assert.equal((await server.app.inject({ url: '/v1/calls', headers })).statusCode, 200);
    const answer = await server.app.inject({ url: '/v1/agents', headers });
    assertV1Error(answer, 403, 'PERMISSION_DENIED');
    assert.match(answer.body, /agents:read/);
    const hangUp = { method: 'DELETE', url: '/v1/calls/call_1', headers } as const;
    assertV1Error(await server.app.inject(hangUp), 403, 'PERMISSION_DENIED');
  });

  it('hides calls and agents of other workspaces behind 404', async () => {
    const headers = await server.keyWith(['*'], server.otherWorkspace);
    for (const url of ['/v1/calls/call_1', '/v1/agents/agt_demo']) {
      assertV1Error(await server.app.inject({ url, headers }), 404, 'NOT_FOUND');
    }
    const page = await server.app.inject({ url: '/v1/calls', headers });
    assert.deepEqual(page.json(), { calls: [], next_page_token: null });
  });

  it('gives a call with its transcript, timings, media and end', async () => {
    const { headers } = server;
    const call = (await server.app.inject({ url: '/v1/calls/call_1', headers })).json();
    assert.equal(call.status, 'completed');
    assert.equal(call.started_at, '2023-11-14T22:13:20.000Z');
    assert.equal(call.duration_seconds, 30.5);
    assert.equal(call.end_reason, 'caller-hung-up');
    assert.equal(call.blame, 'none');
    assert.equal(call.media.packets_from_strangers, 6);
    assert.equal(call.transcript.length, 2);
    assert.equal(call.transcript[1].text, 'turn 1');
    assert.equal(call.transcript[1].generated_text, 'x');
    assert.equal(call.transcript[1].stamps.committed_at_ms, 1_700_000_000_100.125);
  });

  it('lists calls in pages', async () => {
    const { headers, app } = server;
    const first = (await app.inject({ url: '/v1/calls?page_size=1', headers })).json();
    assert.deepEqual(first.calls.map(idOf), ['call_live']);
    const next = `/v1/calls?page_size=1&page_token=${first.next_page_token}`;
    const second = (await app.inject({ url: next, headers })).json();
    assert.deepEqual(second.calls.map(idOf), ['call_1']);
    assert.equal(second.next_page_token, null);
    const ended = '/v1/calls?end_reason=caller-hung-up&started_before=2024-01-01';
    assert.equal((await app.inject({ url: ended, headers })).json().calls.length, 1);
  });

  it('hangs up a live call, and leaves an ended one alone', async () => {
    const { headers, app, hungUp } = server;
    for (const id of ['call_1', 'call_live']) {
      const answer = await app.inject({ method: 'DELETE', url: `/v1/calls/${id}`, headers });
      assert.equal(answer.statusCode, 204);
      assert.equal(answer.body, '');
    }
    assert.deepEqual(hungUp, ['call_live']);
  });

  it('changes of an agent what is given', async () => {
    const { headers, app } = server;
    const url = '/v1/agents/agt_demo';
    const before = (await app.inject({ url, headers })).json();
    const payload = { greeting_text: '', idle_prompts: ['Hm?'] };
    const after = (await app.inject({ method: 'PATCH', url, headers, payload })).json();
    const updated_at = '2027-01-15T08:00:00.000Z';
    assert.deepEqual(after, { ...before, ...payload, updated_at });
    const empty = await app.inject({ method: 'PATCH', url, headers, payload: {} });
    assert.deepEqual(empty.json(), after);
  });

  it('answers every operation in the shape that its description promises', async () => {
    const { headers, app } = server;
    const { paths } = (await app.inject({ url: '/openapi.json' })).json();
    const asked: readonly (readonly ['get' | 'patch', string, string])[] = [
      ['get', '/health', '/health'],
      ['get', '/v1/calls', '/v1/calls'],
      ['get', '/v1/calls/{call_id}', '/v1/calls/call_1'],
      ['get', '/v1/calls/{call_id}', '/v1/calls/call_live'],
      ['get', '/v1/agents', '/v1/agents'],
      ['get', '/v1/agents/{agent_id}', '/v1/agents/agt_demo'],
      ['patch', '/v1/agents/{agent_id}', '/v1/agents/agt_demo'],
    ];
    for (const [method, path, url] of asked) {
      const payload = method === 'patch' ? { voice: 'slt' } : undefined;
      const answer = await app.inject({ method, url, headers, payload });
      assert.equal(answer.statusCode, 200, url);
      const { schema } = paths[path][method].responses['200'].content['application/json'];
      const validator = Compile(schema);
      assert.deepEqual(validator.Errors(answer.json()), [], url);
      // The description leaves nothing out either.
      assert.deepEqual(Object.keys(answer.json()).sort(), Object.keys(schema.properties).sort());
    }
  });

  it('says that it is fine, that it is degraded, or with 503 that it is draining', async () => {
    const { app, setHealth } = server;
    assert.deepEqual((await app.inject('/health')).json(), { status: 'ok', reasons: [] });
    setHealth({ status: 'degraded', reasons: ['STORAGE_FULL'] });
    assert.equal((await app.inject('/health')).statusCode, 200);
    setHealth({ status: 'draining', reasons: ['stopping'] });
    const draining = await app.inject('/health');
    assert.equal(draining.statusCode, 503);
    assert.deepEqual(draining.json(), { status: 'draining', reasons: ['stopping'] });
    setHealth({ status: 'ok', reasons: [] });
  });

  it('gives its metrics as text', async () => {
    const answer = await server.app.inject('/metrics');
    assert.match(String(answer.headers['content-type']), /^text\/plain/);
    assert.match(answer.body, /trunkline_http_request_seconds_bucket/);
  });

  it('has a page of its operations and errors that loads nothing else', async () => {
    const { body, headers } = await server.app.inject('/docs');
    assert.match(String(headers['content-type']), /^text\/html/);
    assert.match(body, /GET \/v1\/calls\/\{call_id\}/);
    for (const code of Object.keys(ERROR_CATALOG)) assert.ok(body.includes(`id="${code}"`));
    assert.doesNotMatch(body, /(src|href)="(https?:)?\/\//);
    assert.match(String(headers['content-security-policy']), /default-src 'none'/);
  });

  it('tells browsers to trust nothing and caches to keep nothing', async () => {
    const { headers } = await server.app.inject({ url: '/v1/calls', headers: server.headers });
    assert.equal(headers['cache-control'], 'no-store');
    assert.equal(headers['x-content-type-options'], 'nosniff');
    assert.equal(headers['referrer-policy'], 'no-referrer');
    assert.equal(headers['access-control-allow-origin'], undefined);
  });

  it('logs the route, never an address with what stood in it', () => {
    assert.ok(server.logLines.some((line) => line.includes('"route":"/v1/calls/:call_id"')));
    assert.equal(
      server.logLines.some((line) => line.includes('call_live')),
      false,
    );
  });
});

const idOf = (call: { readonly call_id: string }) => call.call_id;

describe('the description of the API', () => {
  it('is OpenAPI 3.1 with an operation id, a summary and errors for each operation', async () => {
    const server = await testServer();
    const description = (await server.app.inject('/openapi.json')).json();
    await server.close();
    assert.equal(description.openapi, '3.1.0');
    const ids = new Set<string>();
    const paths: Record<string, Record<string, Operation>> = description.paths;
    for (const [path, methods] of Object.entries(paths)) {
      const named = [...path.matchAll(/\{(\w+)\}/g)].map(([, name]) => name);
      for (const operation of Object.values(methods)) {
        assert.ok(operation.summary.length > 0, path);
        assert.equal(ids.has(operation.operationId), false);
        ids.add(operation.operationId);
        const described = (operation.parameters ?? []).filter((one) => one.in === 'path');
        assert.deepEqual(
          described.map(({ name }) => name),
          named,
        );
        assert.ok(described.every(({ required }) => required === true));
        for (const answer of Object.values(operation.responses)) assert.ok(answer.description);
        if (path.startsWith('/v1/')) {
          const isPublic = path.includes('/public/');
          assert.deepEqual(operation.security, isPublic ? [] : [{ key: [] }]);
          if (isPublic) continue;
          for (const status of ['400', '401', '403', '429', '503']) {
            assert.ok(operation.responses[status], `${path} ${status}`);
          }
        }
      }
    }
    assert.ok(ids.size >= 8);
  });
});

describe('every operation that takes a key', () => {
  it('answers 401 without one and 403 to one without the scope, naming it [SEED-7, SEED-100]', async () => {
    const server = await testServer();
    const { paths } = (await server.app.inject('/openapi.json')).json();
    const scopeless = await server.keyWith(['none:read']);
    let asked = 0;
    for (const [path, methods] of Object.entries<Record<string, Operation>>(paths)) {
      for (const [method, operation] of Object.entries(methods)) {
        if (JSON.stringify(operation.security) !== JSON.stringify([{ key: [] }])) continue;
        const url = path.replaceAll(/\{\w+\}/g, 'x');
        const ask = (headers: Record<string, string>) =>
          // oxlint-disable-next-line typescript/no-unsafe-type-assertion -- OpenAPI names methods in lower case
          server.app.inject({ method: method.toUpperCase() as 'GET', url, headers });
        assert.equal((await ask({})).statusCode, 401, `${method} ${path}`);
        const refused = await ask(scopeless);
        assert.equal(refused.statusCode, 403, `${method} ${path}`);
        assert.match(refused.body, /scope \w+:(read|write)/);
        asked += 1;
      }
    }
    assert.ok(asked >= 25, String(asked));
    await server.close();
  });
});

interface Operation {
  readonly operationId: string;
  readonly summary: string;
  readonly security: unknown;
  readonly parameters?: readonly { in: string; name: string; required?: boolean }[];
  readonly responses: Readonly<Record<string, { readonly description: string }>>;
}

describe('the limit of requests', () => {
  it('is one for a workspace over all its routes and keys, and says when to come back', async () => {
    const server = await testServer({ requestsPerMinute: 3 });
    const { app, headers } = server;
    const second = await server.keyWith(['*']);
    const statuses = [
      await app.inject({ url: '/v1/calls', headers }),
      await app.inject({ url: '/v1/agents', headers: second }),
      await app.inject({ url: '/v1/calls/call_none', headers }),
    ].map(({ statusCode }) => statusCode);
    assert.deepEqual(statuses, [200, 200, 404]);
    const refused = await app.inject({ url: '/v1/agents', headers });
    assertV1Error(refused, 429, 'RATE_LIMITED');
    assert.match(String(refused.headers['retry-after']), /^\d+$/);
    const other = await server.keyWith(['*'], server.otherWorkspace);
    assert.equal((await app.inject({ url: '/v1/calls', headers: other })).statusCode, 200);
    assert.equal((await app.inject('/health')).statusCode, 200);
    await server.close();
  });
});

describe('the errors of HTTP', () => {
  it('name storage that is full or busy as passing, and hide what is ours to mend', () => {
    const full = toHttpError(storageError('STORAGE_FULL'));
    assert.equal(full.code, 'UNAVAILABLE');
    assert.equal(full.retryAfterSeconds, 5);
    assert.equal(toHttpError(storageError('STORAGE_CONFLICT')).code, 'ALREADY_EXISTS');
    for (const bug of [storageError('STORAGE_CORRUPT'), new TypeError('at /secret/path'), null]) {
      assert.equal(toHttpError(bug).code, 'INTERNAL');
      assert.equal(toHttpError(bug).message, ERROR_CATALOG.INTERNAL.message);
    }
  });
});
