import assert from 'node:assert/strict';
import { execFile } from 'node:child_process';
import { createHmac, randomUUID } from 'node:crypto';
import { copyFile, readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { FakeCarrier, type CarrierCall } from '../../support/fake-carrier.ts';
import { Gateway } from '../../support/gateway.ts';
import { temporaryFolder } from '../../support/temporary-folder.ts';
import { TestPhone } from '../../support/test-phone.ts';

const run = promisify(execFile);
const NUMBER = '+34911222333';
const SAMPLE_NUMBER = '+34612345678';
const samples = join(import.meta.dirname, '../../support/click-to-call');
const root = new URL('../../..', import.meta.url).pathname;

interface Credentials {
  readonly agent_id: string;
  readonly endpoint: string;
  readonly agent_endpoint: string;
  readonly api_token: string;
  readonly api_secret: string;
  readonly instructions: string;
  readonly samples: Readonly<Record<string, string>>;
  readonly [field: string]: unknown;
}

describe('click-to-call', function () {
  this.timeout(60_000);
  let carrier: FakeCarrier;
  let gateway: Gateway;
  let folder: Awaited<ReturnType<typeof temporaryFolder>>;

  before(async () => {
    [carrier, folder] = await Promise.all([FakeCarrier.listen(), temporaryFolder()]);
    const configFile = join(folder.path, 'trunkline.yaml');
    const trunk = [
      'trunks:',
      '  - name: north',
      `    hosts: ["127.0.0.1:${carrier.port}"]`,
      '    transport: udp',
      '    outbound_prefixes: ["+34"]',
      '    country: ES',
      '    codecs: [pcma]',
      '    channels_max: 20',
      '    calls_per_second: 100',
      `    caller_id_number: "${NUMBER}"`,
      '',
    ];
    await writeFile(configFile, trunk.join('\n'));
    const env = { TRUNKLINE_CONFIG: configFile, TRUNKLINE_LIMITS_CLICK_TO_CALL_PER_MINUTE: '100' };
    gateway = await Gateway.start({ env });
  });
  afterEach(() => {
    for (const one of phones.splice(0)) one.close();
  });
  after(async () => {
    await gateway?.stop();
    await carrier?.close();
    await folder?.remove();
  });

  const phones: TestPhone[] = [];
  const newPhone = async () => {
    const opened = await TestPhone.open({ codec: 'pcma' });
    phones.push(opened);
    return opened;
  };
  const api = async (method: string, path: string, body?: object) => {
    const init =
      body === undefined
        ? { method }
        : {
            method,
            headers: { 'content-type': 'application/json' },
            body: JSON.stringify(body),
          };
    const response = await gateway.api(path, init);
    const text = await response.text();
    const answer = text === '' ? {} : JSON.parse(text);
    assert.ok(response.ok, `${method} ${path}: ${response.status} ${text}`);
    return answer;
  };
  const credentialsOf = (id: string): Promise<Credentials> =>
    api('GET', `/v1/agents/${id}/click-to-call`);
  const newAgent = async (change: object = {}) => {
    const agent = await api('POST', '/v1/agents', {
      display_name: 'Caller',
      type: 'click_to_call',
      greeting_text: 'Hello {{name|friend}}.',
      ...change,
    });
    return credentialsOf(agent.agent_id);
  };
  const post = async (
    body: string | object,
    headers: Readonly<Record<string, string>>,
    path = '/api/click-to-call',
  ) => {
    const text = typeof body === 'string' ? body : JSON.stringify(body);
    const response = await fetch(`${gateway.httpUrl}${path}`, {
      method: 'POST',
      headers: { 'content-type': 'application/json', ...headers },
      body: text,
    });
    const answer = JSON.parse(await response.text());
    return { status: response.status, answer, headers: response.headers };
  };
  const signedBy = (
    { api_token, api_secret }: Credentials,
    body: string | object,
    more: Readonly<Record<string, string>> = {},
  ) => {
    const text = typeof body === 'string' ? body : JSON.stringify(body);
    const signature = createHmac('sha256', api_secret).update(text).digest('hex');
    return post(text, { 'api-key': api_token, signature, ...more });
  };
  const phone = () => `+346${String(Math.floor(Math.random() * 1e8)).padStart(8, '0')}`;
  const hangUp = async (id: string) => {
    await api('DELETE', `/v1/calls/${id}`);
    await gateway.endOf(id);
  };
  const refused = async (
    answer: ReturnType<typeof post>,
    status: number,
    code: string,
    message: string,
  ) => {
    const invites = carrier.count('INVITE');
    const got = await answer;
    assert.deepEqual(
      [got.status, got.answer.code, got.answer.message],
      [status, code, message],
      JSON.stringify(got.answer),
    );
    assert.match(got.answer.request_id, /^req_/);
    assert.equal(carrier.count('INVITE'), invites, 'nothing was dialed');
    return got;
  };
  const nextInvite = () =>
    new Promise<CarrierCall>((resolve) => {
      carrier.onInvite = (call) => {
        carrier.onInvite = (other) => other.respond(180);
        call.respond(180);
        resolve(call);
      };
    });

  describe('the code of the document, unmodified [SEED-112]', () => {
    for (const [language, file, command] of [
      ['Node.js', 'sample-node.txt', process.execPath],
      ['Python', 'sample-python.txt', 'python3'],
    ] as const) {
      it(`in ${language} starts a call to its number with its variables`, async function () {
        const { api_token, api_secret, endpoint } = await newAgent({
          greeting_text: 'Hello {{name}}, about {{product}}.',
        });
        const program = join(folder.path, language === 'Python' ? 'sample.py' : 'sample.cjs');
        await copyFile(join(samples, file), program);
        if (language === 'Python') {
          const check = run(command, ['-c', 'import requests']);
          if (!(await check.then(() => true).catch(() => false))) this.skip();
        }
        const invited = nextInvite();
        const { stdout, stderr } = await run(command, [program], {
          env: {
            PATH: process.env['PATH'] ?? '',
            NODE_PATH: join(root, 'node_modules'),
            API_KEY: api_token,
            SECRET_KEY: api_secret,
            ENDPOINT: endpoint,
          },
        });
        assert.match(stdout, /^Response: /, stderr);
        const callId = /call_\w{16}/.exec(stdout)?.[0] ?? assert.fail(stdout);
        assert.match(stdout, /initiated/);
        const carrierCall = await invited;
        assert.match(carrierCall.invite.uri, /^sip:\+34612345678@/);
        const callee = await newPhone();
        carrierCall.answer(callee.sdp());
        callee.connectTo(carrierCall.invite.body);
        const call = await gateway.callWhen(callId, 'greeted', (_, turns) => turns.length > 0);
        assert.equal(call.transcript?.[0]?.text, 'Hello John, about VoiceB AI.');
        assert.deepEqual(
          [call['door'], call['direction'], call['to_number'], call['from_number']],
          ['click-to-call', 'outbound', SAMPLE_NUMBER, NUMBER],
        );
        await hangUp(callId);
      });
    }
  });

  it('shows credentials and instructions of one agent once its type is set [SEED-104…107]', async () => {
    const agent = await api('POST', '/v1/agents', { display_name: 'Late', greeting_text: 'Hi.' });
    const path = `/v1/agents/${agent.agent_id}/click-to-call`;
    assert.equal((await gateway.api(path)).status, 400);
    await api('PATCH', `/v1/agents/${agent.agent_id}`, { type: 'click_to_call' });
    const shown = await credentialsOf(agent.agent_id);
    assert.match(shown.api_token, /^ctk_\w{43}$/);
    assert.match(shown.api_secret, /^cts_\w{43}$/);
    assert.equal(shown.endpoint, `${gateway.httpUrl}/api/click-to-call`);
    assert.match(shown.instructions, /signature/);
    assert.deepEqual(await credentialsOf(agent.agent_id), shown, 'as often as one likes');
    assert.notEqual((await newAgent()).api_token, shown.api_token);

    const sameAgent = await post(
      {},
      { 'api-key': shown.api_token },
      new URL(shown.agent_endpoint).pathname,
    );
    assert.equal(sameAgent.answer.code, 'ctc:001');
    await refused(
      post({}, { 'api-key': shown.api_token }, '/api/click-to-call/agt_other'),
      403,
      'ctc:003',
      'Invalid API key',
    );
  });

  it('shows samples that work as they stand', async () => {
    const shown = await newAgent({ greeting_text: 'Hello {{first name}}.' });
    const program = async (name: string, text: string) => {
      const file = join(folder.path, name);
      await writeFile(file, text);
      return file;
    };
    const runs = [
      () => run('bash', ['-c', shown.samples['curl'] ?? '']),
      async () => run(process.execPath, [await program('own.mjs', shown.samples['nodejs'] ?? '')]),
      async () => run('python3', [await program('own.py', shown.samples['python'] ?? '')]),
    ];
    for (const one of runs) {
      const { stdout } = await one();
      const callId = /call_\w{16}/.exec(stdout)?.[0] ?? assert.fail(stdout);
      await hangUp(callId);
    }
  });

  it('answers what is wrong in the order of its codes [SEED-120…127, R17]', async () => {
    const shown = await newAgent({ greeting_text: 'Hello {{name}}.' });
    const key = { 'api-key': shown.api_token };
    const patch = (change: object) => api('PATCH', `/v1/agents/${shown.agent_id}`, change);
    const bad = '{"nonsense';
    await patch({ enabled: false, type: 'standard' });
    // Each step mends what the one before was told, while everything after it is still wrong.
    await refused(post(bad, {}), 400, 'ctc:001', 'Missing headers');
    await refused(post(bad, { 'api-key': 'ctk_none' }), 403, 'ctc:003', 'Invalid API key');
    await refused(post(bad, key), 400, 'ctc:001', 'Missing headers');
    const wrong = { ...key, signature: '0'.repeat(64) };
    await refused(post(bad, wrong), 400, 'ctc:004', 'Agent is disabled');
    await patch({ enabled: true });
    await refused(post(bad, wrong), 400, 'ctc:005', 'Agent not configured');
    await patch({ type: 'click_to_call' });
    await refused(post(bad, wrong), 403, 'ctc:006', 'Invalid signature');
    await refused(signedBy(shown, bad), 400, 'ctc:011', 'Invalid request body');
    await refused(signedBy(shown, '[]'), 400, 'ctc:011', 'Invalid request body');
    for (const number of [undefined, 34612345678, '', 'hello', '+3461', 'sip:a@b']) {
      const body = { phone: number, variables: 5 };
      await refused(signedBy(shown, body), 400, 'ctc:009', 'Invalid phone number');
    }
    const foreign = { phone: '+15551234567', variables: 5 };
    await refused(signedBy(shown, foreign), 400, 'ctc:010', 'Invalid variables');
    const unnamed = await refused(
      signedBy(shown, { phone: '+15551234567' }),
      400,
      'ctc:010',
      'Invalid variables',
    );
    assert.deepEqual(unnamed.answer.variables, ['name']);
    const far = { phone: '+15551234567', variables: { name: '' } };
    await refused(signedBy(shown, far), 403, 'ctc:013', 'Destination not allowed');
  });

  it('is not configured without a script, and says so', async () => {
    const shown = await newAgent({ greeting_text: '' });
    const { answer } = await signedBy(shown, { phone: phone() });
    assert.deepEqual([answer.code, answer.detail], ['ctc:005', 'The agent has no script.']);
  });

  it('answers a call on its way with success, its id and no warning [R22]', async () => {
    const shown = await newAgent();
    const invited = nextInvite();
    const { status, answer } = await signedBy(shown, { phone: '612 34 56 79' });
    assert.equal(status, 200);
    const { call_id: id, ...rest } = answer;
    assert.deepEqual(rest, { success: true, status: 'initiated', warnings: [] });
    assert.match((await invited).invite.uri, /^sip:\+34612345679@/);
    await hangUp(id);
  });

  it('refuses a number that is being called, also of two requests at once [R19]', async () => {
    const shown = await newAgent();
    const number = phone();
    const invited = nextInvite();
    const both = await Promise.all([1, 2, 3, 4].map(() => signedBy(shown, { phone: number })));
    assert.deepEqual(
      both.map(({ status }) => status).sort((a, b) => a - b),
      [200, 400, 400, 400],
    );
    const [done] = both.filter(({ status }) => status === 200);
    for (const { answer } of both.filter(({ status }) => status === 400)) {
      assert.deepEqual([answer.code, answer.message], ['ctc:007', 'Call already in progress']);
    }
    await invited;
    // In any writing; another number, and another agent, are free.
    await refused(
      signedBy(shown, { phone: `0034${number.slice(3)}` }),
      400,
      'ctc:007',
      'Call already in progress',
    );
    const other = await signedBy(shown, { phone: phone() });
    const byOther = await signedBy(await newAgent(), { phone: number });
    assert.deepEqual([other.status, byOther.status], [200, 200]);
    await hangUp(done?.answer.call_id);
    const again = await signedBy(shown, { phone: number });
    assert.equal(again.status, 200);
    for (const { answer } of [other, byOther, again]) await hangUp(answer.call_id);
  });

  it('counts calls of the same agent by the API too', async () => {
    const shown = await newAgent();
    const number = phone();
    const invited = nextInvite();
    const call = await api('POST', '/v1/calls', { agent_id: shown.agent_id, to_number: number });
    await invited;
    await refused(signedBy(shown, { phone: number }), 400, 'ctc:007', 'Call already in progress');
    await hangUp(call.call_id);
  });

  it('of an agent that calls one at a time refuses any second call', async () => {
    const shown = await newAgent({ one_call_at_a_time: true });
    const answers = await Promise.all([1, 2, 3].map(() => signedBy(shown, { phone: phone() })));
    assert.deepEqual(
      answers.map(({ status }) => status).sort((a, b) => a - b),
      [200, 400, 400],
    );
    await hangUp(answers.find(({ status }) => status === 200)?.answer.call_id);
    const next = await signedBy(shown, { phone: phone() });
    assert.equal(next.status, 200);
    await hangUp(next.answer.call_id);
  });

  it('never calls twice for one idempotency key, and says the same again [R21]', async () => {
    const shown = await newAgent();
    const key = { 'idempotency-key': randomUUID() };
    const body = { phone: phone() };
    const [one, two] = await Promise.all([signedBy(shown, body, key), signedBy(shown, body, key)]);
    assert.equal(one?.status, 200);
    assert.deepEqual(two?.answer, one?.answer);
    await hangUp(one?.answer.call_id);
    assert.deepEqual((await signedBy(shown, body, key)).answer, one?.answer);
    assert.equal(
      (await gateway.calls()).filter((call) => call['to_number'] === body.phone).length,
      1,
    );
    const other = await signedBy(shown, { phone: phone() }, key);
    assert.equal(other.answer.code, 'ctc:011');
    // A refusal does not use the key up.
    const second = { 'idempotency-key': randomUUID() };
    const far = { phone: '+15551234567' };
    assert.equal((await signedBy(shown, far, second)).answer.code, 'ctc:013');
    const near = await signedBy(shown, { phone: phone() }, second);
    assert.equal(near.status, 200);
    await hangUp(near.answer.call_id);
  });

  it('takes a signed timestamp of now, and none of an hour ago', async () => {
    const shown = await newAgent();
    const at = async (seconds: number) => {
      const timestamp = String(Math.floor(Date.now() / 1000) + seconds);
      const body = JSON.stringify({ phone: phone() });
      const hmac = createHmac('sha256', shown.api_secret).update(`${timestamp}.${body}`);
      const headers = { 'api-key': shown.api_token, signature: hmac.digest('hex'), timestamp };
      return post(body, headers);
    };
    const now = await at(0);
    assert.equal(now.status, 200);
    await hangUp(now.answer.call_id);
    assert.equal((await at(-3600)).answer.code, 'ctc:006');
  });

  it('needs only the token when verification is disabled, warns, and caps calls a day [SEED-114]', async () => {
    const shown = await newAgent({ disable_signature_verification: true, calls_per_day_max: 2 });
    assert.equal(shown['signature_verification'], 'disabled');
    const key = { 'api-key': shown.api_token };
    for (const _ of [1, 2]) {
      const { status, answer } = await post({ phone: phone() }, key);
      assert.equal(status, 200);
      assert.match(answer.warnings.join(), /[Ss]ignature verification is disabled/);
      await hangUp(answer.call_id);
    }
    const third = await refused(
      post({ phone: phone() }, key),
      429,
      'ctc:012',
      'Rate limit exceeded',
    );
    assert.match(third.headers.get('retry-after') ?? '', /^\d+$/);
    // A refused call was never counted.
    await api('PATCH', `/v1/agents/${shown.agent_id}`, { calls_per_day_max: 3 });
    assert.equal((await post({ phone: '+15551234567' }, key)).answer.code, 'ctc:013');
    const last = await post({ phone: phone() }, key);
    assert.equal(last.status, 200);
    await hangUp(last.answer.call_id);
  });

  it("calls only where the agent's own prefixes allow", async () => {
    const shown = await newAgent({ allowed_prefixes: ['+3491'] });
    await refused(signedBy(shown, { phone: phone() }), 403, 'ctc:013', 'Destination not allowed');
    const { status, answer } = await signedBy(shown, { phone: '+34915556677' });
    assert.equal(status, 200);
    await hangUp(answer.call_id);
  });

  it('ignores reserved names with a warning, and refuses them when strict [SEED-117, R23]', async () => {
    const shown = await newAgent();
    const body = { phone: phone(), variables: { name: 'Ann', system_id: 'x', VoiceB: 'y' } };
    const { answer } = await signedBy(shown, body);
    assert.equal(answer.warnings.length, 2);
    assert.match(answer.warnings.join(), /"system_id" is reserved.*"VoiceB" is reserved/);
    await hangUp(answer.call_id);
    await api('PATCH', `/v1/agents/${shown.agent_id}`, { strict_variables: true });
    const strict = await refused(signedBy(shown, body), 400, 'ctc:010', 'Invalid variables');
    assert.deepEqual(strict.answer.variables, ['system_id', 'VoiceB']);
  });

  it('rotates token and secret together, with an overlap', async () => {
    const old = await newAgent();
    const rotate = (overlap_seconds: number): Promise<Credentials> =>
      api('POST', `/v1/agents/${old.agent_id}/click-to-call/rotate`, { overlap_seconds });
    const made = await rotate(60);
    assert.notEqual(made.api_token, old.api_token);
    assert.deepEqual(await credentialsOf(old.agent_id), made);
    for (const one of [old, made]) {
      const { status, answer } = await signedBy(one, { phone: phone() });
      assert.equal(status, 200);
      await hangUp(answer.call_id);
    }
    const mixed = { ...made, api_secret: old.api_secret };
    assert.equal((await signedBy(mixed, { phone: phone() })).answer.code, 'ctc:006');
    await rotate(0);
    assert.equal((await signedBy(made, { phone: phone() })).answer.code, 'ctc:003');
    const oldest = await signedBy(old, { phone: phone() });
    assert.equal(oldest.status, 200, 'its own overlap is not over');
    await hangUp(oldest.answer.call_id);
  });

  it('says how the trunk, the hour or the daemon refused by 008 and a reason', async () => {
    const minute = (offset: number) =>
      new Date(Date.now() + offset * 60_000).toISOString().slice(11, 16);
    const shown = await newAgent({
      call_window_start: minute(60),
      call_window_end: minute(120),
      time_zone: 'UTC',
    });
    const closed = await refused(
      signedBy(shown, { phone: phone() }),
      500,
      'ctc:008',
      'Error initiating call',
    );
    assert.equal(closed.answer.reason, 'call-window');
    const dial = { agent_id: shown.agent_id, to_number: phone() };
    const response = await gateway.api('/v1/calls', {
      method: 'POST',
      headers: { 'content-type': 'application/json' },
      body: JSON.stringify(dial),
    });
    assert.equal(response.status, 422);
    assert.match(await response.text(), /CALL_WINDOW_RESTRICTED/);
    const busy = { call_window_start: null, call_window_end: null, concurrent_calls_max: 1 };
    await api('PATCH', `/v1/agents/${shown.agent_id}`, busy);
    const first = await signedBy(shown, { phone: phone() });
    const second = await signedBy(shown, { phone: phone() });
    assert.deepEqual([second.status, second.answer.reason], [500, 'capacity']);
    assert.match(second.headers.get('retry-after') ?? '', /^\d+$/);
    await hangUp(first.answer.call_id);
  });

  it('answers in its own shape whatever comes, and allows no other origin', async () => {
    const shown = await newAgent();
    const big = await signedBy(shown, JSON.stringify({ phone: 'x'.repeat(300_000) }));
    assert.deepEqual([big.status, big.answer.code], [413, 'ctc:011']);
    const get = await fetch(`${gateway.httpUrl}/api/click-to-call`);
    assert.equal(get.status, 404);
    assert.match(await get.text(), /"code":"ctc:011"/);
    const preflight = await fetch(`${gateway.httpUrl}/api/click-to-call`, {
      method: 'OPTIONS',
      headers: { origin: 'https://shop.example', 'access-control-request-method': 'POST' },
    });
    assert.equal(preflight.headers.get('access-control-allow-origin'), null);
    const untyped = await signedBy(shown, { phone: phone() }, { 'content-type': 'text/plain' });
    assert.equal(untyped.status, 200);
    await hangUp(untyped.answer.call_id);
  });

  it('speaks an announcement before its greeting', async () => {
    const shown = await newAgent({ pre_call_announcement: 'This call is recorded.' });
    const invited = nextInvite();
    const { answer } = await signedBy(shown, { phone: phone() });
    const carrierCall = await invited;
    const callee = await newPhone();
    carrierCall.answer(callee.sdp());
    callee.connectTo(carrierCall.invite.body);
    const call = await gateway.callWhen(answer.call_id, 'greeted', (_, turns) => turns.length > 0);
    assert.equal(call.transcript?.[0]?.text, 'This call is recorded. Hello friend.');
    await hangUp(answer.call_id);
  });

  it('limits requests of one agent, and leaves the others alone', async () => {
    const shown = await newAgent();
    const statuses: number[] = [];
    for (let n = 0; n < 101; n += 1) {
      statuses.push((await post('{}', { 'api-key': shown.api_token })).status);
    }
    assert.deepEqual([statuses[0], statuses[99], statuses[100]], [400, 400, 429]);
    const limited = await post('{}', { 'api-key': shown.api_token });
    assert.equal(limited.answer.code, 'ctc:012');
    assert.match(limited.headers.get('retry-after') ?? '', /^\d+$/);
    assert.equal((await post('{}', { 'api-key': (await newAgent()).api_token })).status, 400);
  });

  it('keeps secrets sealed, and out of the log', async () => {
    const { api_token, api_secret } = await newAgent();
    const files = ['trunkline.sqlite', 'trunkline.sqlite-wal'];
    for (const file of files) {
      const bytes = await readFile(join(gateway.dataDir, file));
      assert.equal(bytes.includes(api_secret), false);
      assert.equal(bytes.includes(api_token), false);
    }
    const log = gateway.lines.join('\n');
    for (const text of [api_token, api_secret, '612345678'])
      assert.equal(log.includes(text), false);
  });
});
