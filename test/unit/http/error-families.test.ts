import assert from 'node:assert/strict';
import {
  ERROR_CATALOG,
  HttpError,
  type HttpErrorCode,
  serializeError,
} from '../../../src/http/errors.ts';
import { testServer } from '../../support/http-server.ts';

const CONTEXT = { requestId: 'req_1', publicUrl: 'https://voice.example.org' };
// oxlint-disable-next-line typescript/no-unsafe-type-assertion -- the keys are the union
const CODES = Object.keys(ERROR_CATALOG) as HttpErrorCode[];

/** Each family: an address of it, and the body of an error there. */
const FAMILIES: readonly (readonly [
  string,
  string,
  (code: HttpErrorCode, text: string) => object,
])[] = [
  [
    'v1 [SEED-44]',
    '/v1/agents',
    (error_code, message) => ({
      error_code,
      message,
      request_id: 'req_1',
      documentation_url: `https://voice.example.org/docs#${error_code}`,
    }),
  ],
  [
    'public web calls [SEED-54, SEED-55]',
    '/v1/calls/public/create-web-call?ai_agent_id=x',
    (error, message) =>
      error === 'VALIDATION_FAILED'
        ? { detail: [], request_id: 'req_1' }
        : { error, message, request_id: 'req_1' },
  ],
  [
    'instant voice links [SEED-69]',
    '/v1/instant-voice-links/ivl_1',
    (code, error) => ({ error, code, request_id: 'req_1' }),
  ],
  ...['/api/public/chat/abc', '/api/agents/agt_demo/public-links'].map(
    (url) =>
      [
        `public chat (${url})`,
        url,
        (code: HttpErrorCode, detail: string) => ({ detail, code, request_id: 'req_1' }),
      ] as const,
  ),
  [
    'click-to-call [SEED-120…128, R18]',
    '/api/click-to-call',
    (code, message) => {
      const own = Object.entries(CTC).find(([, name]) => code === `CTC_${name}`);
      if (own !== undefined) return { code: own[0], message, request_id: 'req_1' };
      const shown =
        code === 'RATE_LIMITED'
          ? ['ctc:012', 'Rate limit exceeded']
          : ERROR_CATALOG[code].status < 500
            ? ['ctc:011', 'Invalid request body']
            : ['ctc:008', 'Error initiating call'];
      return { code: shown[0], message: shown[1], request_id: 'req_1', detail: message };
    },
  ],
];

/** The table of the document, and what we had to add. */
const CTC: Readonly<Record<string, string>> = {
  'ctc:001': 'MISSING_HEADERS',
  'ctc:002': 'AGENT_FETCH_FAILED',
  'ctc:003': 'INVALID_API_KEY',
  'ctc:004': 'AGENT_DISABLED',
  'ctc:005': 'AGENT_NOT_CONFIGURED',
  'ctc:006': 'INVALID_SIGNATURE',
  'ctc:007': 'CALL_IN_PROGRESS',
  'ctc:008': 'CALL_FAILED',
  'ctc:009': 'INVALID_NUMBER',
  'ctc:010': 'INVALID_VARIABLES',
  'ctc:011': 'INVALID_BODY',
  'ctc:012': 'TOO_OFTEN',
  'ctc:013': 'DESTINATION_NOT_ALLOWED',
};

describe('the errors of click-to-call', () => {
  it('are those of the document, by code, message and status [SEED-120…127]', () => {
    const table = [
      ['ctc:001', 'Missing headers', 400],
      ['ctc:002', 'Error fetching agent', 500],
      ['ctc:003', 'Invalid API key', 403],
      ['ctc:004', 'Agent is disabled', 400],
      ['ctc:005', 'Agent not configured', 400],
      ['ctc:006', 'Invalid signature', 403],
      ['ctc:007', 'Call already in progress', 400],
      ['ctc:008', 'Error initiating call', 500],
      ['ctc:009', 'Invalid phone number', 400],
      ['ctc:010', 'Invalid variables', 400],
      ['ctc:011', 'Invalid request body', 400],
      ['ctc:012', 'Rate limit exceeded', 429],
      ['ctc:013', 'Destination not allowed', 403],
    ] as const;
    for (const [code, message, status] of table) {
      const name = CODES.find((one) => one === `CTC_${CTC[code]}`) ?? assert.fail(code);
      const error = new HttpError(name);
      assert.equal(error.status, status);
      const body = serializeError('/api/click-to-call', error, CONTEXT);
      assert.deepEqual(body, { code, message, request_id: 'req_1' });
    }
  });
});

describe('the families of errors [R1]', () => {
  for (const [family, url, bodyOf] of FAMILIES) {
    it(`answer every code of the catalog in the shape of ${family}`, () => {
      for (const code of CODES) {
        const error = new HttpError(code);
        const { status, message } = ERROR_CATALOG[code];
        assert.equal(error.status, status);
        assert.deepEqual(serializeError(url, error, CONTEXT), bodyOf(code, message));
      }
    });
  }

  it('answer what no family owns as v1', () => {
    const body = serializeError('/nowhere', new HttpError('NOT_FOUND'), CONTEXT);
    assert.deepEqual(Object.keys(body), [
      'error_code',
      'message',
      'request_id',
      'documentation_url',
    ]);
  });

  it('are kept when the framework itself refuses', async () => {
    const server = await testServer({ requestsPerMinute: 3 });
    const { app, headers } = server;
    const keys: Readonly<Record<string, readonly string[]>> = {
      '/v1/agents': ['error_code', 'message', 'request_id', 'documentation_url'],
      '/v1/instant-voice-links': ['error', 'code', 'request_id'],
      '/v1/calls/public/create-web-call': ['error', 'message', 'request_id'],
    };
    for (const [url, expected] of Object.entries(keys)) {
      const unknown = await app.inject({ method: 'PUT', url, headers });
      assert.equal(unknown.statusCode, 404);
      assert.deepEqual(Object.keys(unknown.json()), expected);
    }
    for (const _ of [1, 2, 3]) await app.inject({ url: '/v1/agents', headers });
    const limited = await app.inject({ url: '/v1/instant-voice-links', headers });
    assert.equal(limited.statusCode, 429);
    assert.deepEqual(Object.keys(limited.json()), keys['/v1/instant-voice-links']);
    assert.match(String(limited.headers['retry-after']), /^\d+$/);
    await server.close();
  });
});
