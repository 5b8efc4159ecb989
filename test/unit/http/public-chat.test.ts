import assert from 'node:assert/strict';
import { Compile } from 'typebox/compile';
import { toHttpError } from '../../../src/http/errors.ts';
import { ChatError, type ChatErrorCode } from '../../../src/chat/chat-error.ts';
import { ChatProblem } from '../../../src/http/shapes.ts';
import { type ChatServer, chatServer } from '../../support/chat-server.ts';

const problem = Compile(ChatProblem);

interface Reply {
  readonly message: { readonly role: string; readonly content: string };
  readonly session_token?: string;
}
interface History {
  readonly messages: readonly { readonly role: string; readonly content: string }[];
  readonly replying: boolean;
}
/** Events of an SSE body. */
function eventsIn(body: string) {
  return body
    .split('\n\n')
    .filter((block) => block.startsWith('event:'))
    .map((block) => {
      const [, name = '', data = ''] = /^event: (\w+)\ndata: (.*)$/s.exec(block) ?? [];
      return { name, data: JSON.parse(data) as Record<string, unknown> };
    });
}

describe('public chat over HTTP', () => {
  let server: ChatServer;
  beforeEach(async () => (server = await chatServer()));
  afterEach(() => server.close());

  const say = (token: string, payload: object, headers: Record<string, string> = {}) =>
    server.app.inject({ method: 'POST', url: `/api/public/chat/${token}`, payload, headers });
  const history = (token: string, headers: Record<string, string> = {}) =>
    server.app.inject({ url: `/api/public/history/${token}`, headers });

  it('SEED-152: a message is answered in JSON, and a cookie leads back', async () => {
    const { token, id } = await server.link();
    const answer = await say(token, { message: 'opening hours' });
    assert.equal(answer.statusCode, 200);
    const { message, session_token: session } = answer.json<Reply>();
    assert.deepEqual([message.role, message.content], ['assistant', 'Nine to five.']);
    const cookie = String(answer.headers['set-cookie']);
    assert.equal(
      cookie,
      `trunkline_${id}=${session}; Max-Age=86400; Path=/api/public/; HttpOnly; SameSite=Strict; Secure`,
    );
    const again = await say(
      token,
      { message: 'opening hours' },
      { cookie: cookie.split(';')[0] ?? '' },
    );
    assert.equal(again.json<Reply>().message.content, 'Still nine to five.');
    assert.equal(again.headers['set-cookie'], undefined);
  });

  it('SEED-153: the history comes by cookie, header or not at all', async () => {
    const { token, id } = await server.link();
    const session =
      (await say(token, { message: 'opening hours' })).json<Reply>().session_token ?? '';
    const cookie = `other=1; trunkline_${id}=${session}`;
    const ways: readonly Record<string, string>[] = [{ cookie }, { 'x-session-token': session }];
    for (const headers of ways) {
      const { messages, replying } = (await history(token, headers)).json<History>();
      assert.deepEqual(
        messages.map(({ content }) => content),
        ['Hello.', 'opening hours', 'Nine to five.'],
      );
      assert.equal(replying, false);
    }
    const body = { message: 'again', session_token: session };
    assert.equal((await say(token, body)).statusCode, 200);
    const stranger = (await history(token)).json<History>();
    assert.deepEqual(
      stranger.messages.map(({ content }) => content),
      ['Hello.'],
    );
  });

  it('SEED-139: a client that accepts events sees the status and the text as they come', async () => {
    const { token } = await server.link();
    const answer = await say(token, { message: 'opening hours' }, { accept: 'text/event-stream' });
    assert.match(String(answer.headers['content-type']), /^text\/event-stream/);
    const events = eventsIn(answer.body);
    assert.deepEqual(
      events.map(({ name }) => name),
      ['session', 'status', 'delta', 'done'],
    );
    assert.deepEqual(events[1]?.data, { label: 'Thinking…' });
    assert.deepEqual(events[2]?.data, { text: 'Nine to five.' });
    const message = events[3]?.data['message'] as Reply['message'];
    assert.equal(message.content, 'Nine to five.');
  });

  it('SEED-145: a code is asked for, mailed, and typed in', async () => {
    const { token } = await server.link({ requiresEmail: true });
    const post = (path: string, payload: object) =>
      server.app.inject({ method: 'POST', url: `/api/public/verify/${path}`, payload });
    const asked = await post('request', { token, email: 'Ann@Example.org' });
    assert.deepEqual(asked.json(), { expires_in_seconds: 600 });
    await server.outbox.idle();
    assert.equal(server.mails[0]?.to, 'ann@example.org');
    const code = /^\d{6}/.exec(server.mails[0]?.text ?? '')?.[0];
    const wrong = await post('confirm', { token, email: 'ann@example.org', code: '12345' });
    assert.deepEqual(
      [wrong.statusCode, problem.Parse(wrong.json()).code],
      [400, 'VERIFICATION_FAILED'],
    );
    const done = await post('confirm', { token, email: 'ann@example.org ', code: ` ${code} ` });
    const { session_token: session, ...rest } = done.json<{ session_token: string }>();
    assert.deepEqual(rest, { expires_in_seconds: 86_400 });
    assert.match(String(done.headers['set-cookie']), /HttpOnly; SameSite=Strict; Secure$/);
    const answer = await say(token, { message: 'hello' }, { 'x-session-token': session });
    assert.equal(answer.statusCode, 200);
  });

  it('SEED-132: 401 before the address is verified', async () => {
    const { token } = await server.link({ requiresEmail: true });
    for (const answer of [await say(token, { message: 'hello' }), await history(token)]) {
      assert.equal(answer.statusCode, 401);
      assert.equal(problem.Parse(answer.json()).code, 'VERIFICATION_REQUIRED');
    }
  });

  it('SEED-147: DELETE of the session begins a new conversation', async () => {
    const { token } = await server.link();
    const session = (await say(token, { message: 'hello' })).json<Reply>().session_token ?? '';
    const headers = { 'x-session-token': session };
    const url = `/api/public/session/${token}`;
    const answer = await server.app.inject({ method: 'DELETE', url, headers });
    assert.equal(answer.statusCode, 204);
    assert.equal((await history(token, headers)).json<History>().messages.length, 1);
  });

  it('SEED-154: too many messages are 429 with the wait', async () => {
    const { token } = await server.link({ messagesPerMinute: 1 });
    const session = (await say(token, { message: 'hello' })).json<Reply>().session_token ?? '';
    const answer = await say(token, { message: 'hello' }, { 'x-session-token': session });
    assert.equal(answer.statusCode, 429);
    assert.equal(answer.headers['retry-after'], '60');
    assert.equal(problem.Parse(answer.json()).code, 'RATE_LIMITED');
  });

  it('SEED-157: a link says what it asks for, or why it leads nowhere, and no more', async () => {
    const { token } = await server.link({ requiresEmail: true });
    const off = await server.link({ isEnabled: false });
    const old = await server.link({ expiresAtMs: 1 });
    const info = async (which: string) =>
      (await server.app.inject(`/api/public/link/${which}`)).json<unknown>();
    assert.deepEqual(await info(token), {
      valid: true,
      require_email: true,
      agent_name: 'Front Desk',
      message_length_max: 4000,
    });
    assert.deepEqual(await info(off.token), { valid: false, reason: 'disabled' });
    assert.deepEqual(await info(old.token), { valid: false, reason: 'expired' });
    assert.deepEqual(await info('nothing'), { valid: false, reason: 'not_found' });
  });

  it('says nothing of the prompt, the workspace, the agent id or the address', async () => {
    const { token } = await server.link({ requiresEmail: true });
    const visitor = server.visitor(token);
    await visitor.verify('ann@example.org');
    const headers = { 'x-session-token': visitor.secret ?? '' };
    const answers = [
      await server.app.inject(`/api/public/link/${token}`),
      await say(token, { message: 'hello' }, headers),
      await say(token, { message: 'hello' }, { ...headers, accept: 'text/event-stream' }),
      await history(token, headers),
    ];
    const said = answers.map(({ body }) => body).join('\n');
    for (const word of ['Be brief', 'ws_demo', 'agt_demo', 'lnk_', 'ann@', 'chat_']) {
      assert.ok(!said.includes(word), word);
    }
  });

  it('a cookie is not secure where our own address is not', async () => {
    const plain = await chatServer({ publicUrl: 'http://localhost:8080' });
    try {
      const { token } = await plain.link();
      const url = `/api/public/chat/${token}`;
      const answer = await plain.app.inject({ method: 'POST', url, payload: { message: 'hi' } });
      assert.match(String(answer.headers['set-cookie']), /HttpOnly; SameSite=Strict$/);
    } finally {
      await plain.close();
    }
  });

  const malformed: readonly (readonly [string, unknown, number, string])[] = [
    ['no message', {}, 400, 'INVALID_ARGUMENT'],
    ['an empty message', { message: '' }, 400, 'INVALID_ARGUMENT'],
    ['a message of blanks', { message: ' \n ' }, 400, 'INVALID_ARGUMENT'],
    ['a message too long', { message: 'x'.repeat(4001) }, 400, 'INVALID_ARGUMENT'],
    ['a message that is no text', { message: 5 }, 400, 'INVALID_ARGUMENT'],
    ['an unknown field', { message: 'x', colour: 'red' }, 400, 'INVALID_ARGUMENT'],
    ['a body too large', { message: 'x'.repeat(70_000) }, 413, 'PAYLOAD_TOO_LARGE'],
    ['no object', [], 400, 'INVALID_ARGUMENT'],
  ];
  for (const [what, payload, status, code] of malformed) {
    it(`answers ${what} with ${status} in the shape of its family`, async () => {
      const { token } = await server.link();
      const headers = { 'content-type': 'application/json' };
      const url = `/api/public/chat/${token}`;
      const request = { method: 'POST', url, headers, payload: JSON.stringify(payload) } as const;
      const answer = await server.app.inject(request);
      assert.equal(answer.statusCode, status, answer.body);
      assert.equal(problem.Parse(answer.json()).code, code);
    });
  }

  it('answers broken JSON, another type, an unknown route and an unknown link likewise', async () => {
    const { token } = await server.link();
    const url = `/api/public/chat/${token}`;
    const type = (name: string) => ({ 'content-type': name });
    const post = (payload: string, headers: Record<string, string>, to = url) =>
      server.app.inject({ method: 'POST', url: to, headers, payload });
    const answers = [
      [await post('{"mess', type('application/json')), 400, 'INVALID_ARGUMENT'],
      [
        await post('message=x', type('application/x-www-form-urlencoded')),
        415,
        'UNSUPPORTED_MEDIA_TYPE',
      ],
      [await server.app.inject('/api/public/nothing'), 404, 'NOT_FOUND'],
      [await server.app.inject('/api/public/history/%zz'), 400, 'INVALID_ARGUMENT'],
      [await say('nothing', { message: 'x' }), 404, 'NOT_FOUND'],
      [await history('nothing'), 404, 'NOT_FOUND'],
    ] as const;
    for (const [answer, status, code] of answers) {
      assert.equal(answer.statusCode, status, answer.body);
      assert.equal(problem.Parse(answer.json()).code, code);
    }
  });

  const statuses: Readonly<Record<ChatErrorCode, readonly [number, string]>> = {
    CHAT_LINK_INACTIVE: [404, 'NOT_FOUND'],
    CHAT_VERIFICATION_REQUIRED: [401, 'VERIFICATION_REQUIRED'],
    CHAT_VERIFICATION_OFF: [400, 'INVALID_ARGUMENT'],
    CHAT_CODE_REFUSED: [400, 'VERIFICATION_FAILED'],
    CHAT_EMAIL_MALFORMED: [400, 'INVALID_ARGUMENT'],
    CHAT_TEXT_EMPTY: [400, 'INVALID_ARGUMENT'],
    CHAT_RATE_LIMITED: [429, 'RATE_LIMITED'],
    CHAT_REPLYING: [409, 'REPLY_IN_PROGRESS'],
    CHAT_OVERLOADED: [503, 'UNAVAILABLE'],
    CHAT_REPLY_FAILED: [503, 'UNAVAILABLE'],
    CHAT_AGENT_UNKNOWN: [404, 'NOT_FOUND'],
    CHAT_AGENT_AMBIGUOUS: [400, 'INVALID_ARGUMENT'],
    CHAT_LINK_UNKNOWN: [404, 'NOT_FOUND'],
    CHAT_LINKS_FULL: [409, 'LIMIT_REACHED'],
  };
  for (const [code, [status, name]] of Object.entries(statuses)) {
    it(`${code} is ${status} ${name}`, () => {
      // oxlint-disable-next-line typescript/no-unsafe-type-assertion -- the keys are the union
      const error = toHttpError(
        new ChatError(code as ChatErrorCode, 'words', { retryAfterSeconds: 7 }),
      );
      assert.deepEqual([error.status, error.code, error.message], [status, name, 'words']);
      assert.equal(error.retryAfterSeconds, 7);
    });
  }
});
