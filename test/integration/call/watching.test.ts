import assert from 'node:assert/strict';
import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { Compile } from 'typebox/compile';
import { CallEvent, TranscriptFrame } from '../../../src/http/routes/call-stream-shapes.ts';
import { CallPhone } from '../../support/call-phone.ts';
import { EventReader } from '../../support/event-reader.ts';
import { type CarrierCall, FakeCarrier } from '../../support/fake-carrier.ts';
import { Gateway } from '../../support/gateway.ts';
import { temporaryFolder } from '../../support/temporary-folder.ts';
import { hasTestCaller } from '../../support/test-caller.ts';
import { TestPhone } from '../../support/test-phone.ts';

const CALLEE = '+34955666777';
const GREETING = 'Hello there, how can I help?';
const SENTENCE = 'This line is being recorded for quality.';
/** The id of an end that was not counted. */
const LAST_ID = '1000000000';
const callEvent = Compile(CallEvent);
const transcriptFrame = Compile(TranscriptFrame);

describe('a call that is watched', function () {
  this.timeout(90_000);
  let carrier: FakeCarrier;
  let gateway: Gateway;
  let folder: Awaited<ReturnType<typeof temporaryFolder>>;
  let env: Record<string, string>;
  const readers: EventReader[] = [];
  const phones: { close(): void }[] = [];
  const gateways: Gateway[] = [];

  before(async () => {
    [carrier, folder] = await Promise.all([FakeCarrier.listen(), temporaryFolder()]);
    const configFile = join(folder.path, 'trunkline.yaml');
    const trunk = [
      'trunks:',
      '  - name: north',
      `    hosts: ["127.0.0.1:${carrier.port}"]`,
      '    transport: udp',
      '    country: ES',
      '    outbound_prefixes: ["+34"]',
      `    numbers: { "+34911222333": agt_demo }`,
      '    codecs: [pcma]',
      '    calls_per_second: 100',
    ];
    await writeFile(configFile, `${trunk.join('\n')}\n`);
    env = { TRUNKLINE_CONFIG: configFile };
    gateway = await Gateway.start({ env });
    await gateway.changeAgent({ greeting_text: GREETING });
  });
  afterEach(async () => {
    for (const reader of readers.splice(0)) reader.close();
    for (const phone of phones.splice(0)) phone.close();
    await Promise.all(gateways.splice(0).map((one) => one.stop()));
  });
  after(async () => {
    await gateway?.stop();
    await carrier?.close();
    await folder?.remove();
  });

  const read = async (path: string, lastId?: string, key = gateway.adminKey) => {
    const headers: Record<string, string> = { authorization: `Bearer ${key}` };
    if (lastId !== undefined) headers['last-event-id'] = lastId;
    const reader = await EventReader.open(`${gateway.httpUrl}${path}`, headers);
    readers.push(reader);
    return reader;
  };
  const post = (path: string, body: object) =>
    gateway.api(path, {
      method: 'POST',
      headers: { 'content-type': 'application/json' },
      body: JSON.stringify(body),
    });
  const dial = async () => {
    const invited = new Promise<CarrierCall>((resolve) => {
      carrier.onInvite = resolve;
    });
    const response = await post('/v1/calls', { agent_id: 'agt_demo', to_number: CALLEE });
    const { call_id: id } = (await response.json()) as { call_id: string };
    assert.equal(response.status, 201);
    return { id, carrierCall: await invited };
  };
  const callIn = async () => {
    const phone = await CallPhone.open(gateway.sipPort, { codec: 'pcma' });
    phones.push(phone);
    await phone.call();
    const [newest] = await gateway.calls();
    return { phone, id: newest?.call_id ?? '' };
  };

  it('tells an outbound call from its beginning to its end, numbered without gaps', async () => {
    const callee = await TestPhone.open({ codec: 'pcma' });
    phones.push(callee);
    const { id, carrierCall } = await dial();
    const reader = await read(`/v1/calls/${id}/events`);
    assert.equal(reader.status, 200);
    assert.match(reader.contentType, /^text\/event-stream/);
    await reader.named('dialing');
    carrierCall.respond(180);
    await reader.named('ringing');
    carrierCall.respond(183, { sdp: callee.sdp() });
    await reader.named('early-media');
    carrierCall.answer(callee.sdp());
    callee.connectTo(carrierCall.invite.body);
    await reader.named('turn');
    await carrierCall.request('BYE');
    await reader.closed;

    for (const { data } of reader.events) callEvent.Parse(data);
    const named = reader.names.filter((name) => name !== 'activity');
    assert.deepEqual(named, [
      'initiated',
      'dialing',
      'ringing',
      'early-media',
      'answered',
      'turn',
      'ended',
    ]);
    assert.deepEqual(
      reader.events.map((event) => event.id),
      reader.events.map((_, index) => String(index + 1)),
    );
    const find = (name: string) => reader.events.find((event) => event.name === name)?.data ?? {};
    assert.deepEqual([find('dialing')['trunk'], find('dialing')['attempt']], ['north', 1]);
    assert.equal(find('ringing')['sip_status'], 180);
    assert.equal(find('early-media')['sip_status'], 183);
    assert.equal((find('turn')['turn'] as { text: string }).text, GREETING);
    const { end_reason: reason, blame } = find('ended');
    assert.deepEqual([reason, blame], ['caller-hung-up', 'none']);
    assert.ok(reader.names.includes('activity'));
  });

  it('says by which SIP status nobody was reached, and who is to blame', async () => {
    const { id, carrierCall } = await dial();
    const reader = await read(`/v1/calls/${id}/events`);
    carrierCall.respond(486);
    const { data } = await reader.named('ended');
    assert.equal(data['sip_status'], 486);
    assert.deepEqual([data['end_reason'], data['blame']], ['callee-busy', 'none']);
  });

  it('goes on where a reader was cut off, and tells one that has got all not to come back', async () => {
    const { id, carrierCall } = await dial();
    const first = await read(`/v1/calls/${id}/events`);
    const seen = await first.named('dialing');
    first.close();
    carrierCall.respond(180);
    const second = await read(`/v1/calls/${id}/events`, seen.id);
    await second.named('ringing');
    assert.equal((await gateway.api(`/v1/calls/${id}`, { method: 'DELETE' })).status, 204);
    const end = await second.named('ended');
    await second.closed;
    assert.deepEqual(second.names, ['ringing', 'ended']);
    assert.equal((await read(`/v1/calls/${id}/events`, end.id)).status, 204);
    assert.equal((await read(`/v1/calls/${id}/events`, 'nonsense')).status, 400);
  });

  it('shows an inbound call word by word, and every turn under the name that is stored', async function () {
    if (!hasTestCaller) this.skip();
    const { phone, id } = await callIn();
    const reader = await read(`/v1/calls/${id}/transcript/stream`);
    await phone.listenUntilQuiet();
    await phone.say('flip a coin');
    await reader.until(
      'answer',
      ({ data }) =>
        data['is_final'] === true && data['role'] === 'agent' && data['text'] !== GREETING,
    );
    await phone.hangUp();
    const end = await reader.named('ended');
    await reader.closed;
    for (const { data } of reader.events) transcriptFrame.Parse(data);
    const frames = reader.events.filter(({ name }) => name === 'message');
    const finals = frames.filter(({ data }) => data['is_final']);
    const stored = (await gateway.endOf(id)).transcript ?? [];
    assert.deepEqual(
      finals.map(({ data }) => [data['turn_id'], data['role'], data['text']]),
      stored.map((turn) => [
        (turn as unknown as { turn_id: string }).turn_id,
        turn.role,
        turn.text,
      ]),
    );
    assert.deepEqual(
      finals.map((frame) => frame.id),
      finals.map((_, index) => String(index + 1)),
    );
    // What the agent says is known before it is heard; how early the caller's words are depends.
    const interim = frames.filter(({ data }) => data['is_final'] === false);
    const named = new Set(finals.map(({ data }) => data['turn_id']));
    assert.ok(interim.some(({ data }) => data['role'] === 'agent'));
    assert.ok(interim.every(({ data }) => named.has(data['turn_id'])));
    assert.ok(interim.every((frame) => frame.id === ''));
    assert.equal(end.data['end_reason'], 'caller-hung-up');
    assert.equal(end.id, LAST_ID);

    const late = await read(`/v1/calls/${id}/transcript/stream`, '1');
    await late.closed;
    assert.deepEqual(
      late.events.map((event) => event.id),
      [...finals.slice(1).map((frame) => frame.id), LAST_ID],
    );
    assert.equal((await read(`/v1/calls/${id}/transcript/stream`, LAST_ID)).status, 204);
  });

  it('says what its owner wants said, and presses keys, while it talks and no longer', async () => {
    const callee = await TestPhone.open({ codec: 'pcma' });
    phones.push(callee);
    const { id, carrierCall } = await dial();
    const early = await post(`/v1/calls/${id}/say`, { text: SENTENCE });
    assert.equal(early.status, 409);
    const problem = (await early.json()) as { error_code: string };
    assert.equal(problem.error_code, 'CALL_NOT_LIVE');
    carrierCall.answer(callee.sdp());
    callee.connectTo(carrierCall.invite.body);
    const reader = await read(`/v1/calls/${id}/transcript/stream`);
    await reader.until('greeting', ({ data }) => data['is_final'] === true);
    assert.equal((await post(`/v1/calls/${id}/say`, { text: SENTENCE })).status, 202);
    await reader.until('sentence', ({ data }) => data['text'] === SENTENCE && !data['is_final']);
    await reader.until('sentence', ({ data }) => data['text'] === SENTENCE && !!data['is_final']);
    assert.equal((await post(`/v1/calls/${id}/dtmf`, { digits: '12#' })).status, 202);
    await callee.waitFor(() => callee.heardDigits === '12#', 10_000);

    // More than a line can press are dropped; the call goes on.
    const many = { digits: '5'.repeat(64) };
    assert.equal((await post(`/v1/calls/${id}/dtmf`, many)).status, 202);
    assert.equal((await post(`/v1/calls/${id}/dtmf`, many)).status, 202);
    await gateway.line(/digits were not sent/);
    assert.equal((await gateway.call(id)).status, 'in-progress');
    for (const digits of ['', 'x', '1'.repeat(65)])
      assert.equal((await post(`/v1/calls/${id}/dtmf`, { digits })).status, 400);
    for (const text of ['', '  ', 'a'.repeat(2001)])
      assert.equal((await post(`/v1/calls/${id}/say`, { text })).status, 400);

    await carrierCall.request('BYE');
    await gateway.endOf(id);
    assert.equal((await post(`/v1/calls/${id}/dtmf`, { digits: '1' })).status, 409);
    assert.equal((await post('/v1/calls/call_none/say', { text: 'x' })).status, 404);
  });

  it('is found by its door, its numbers and its end', async () => {
    const { id, carrierCall } = await dial();
    carrierCall.respond(486);
    await gateway.endOf(id);
    const found = async (query: string) => {
      const response = await gateway.api(`/v1/calls?${query}`);
      const { calls } = (await response.json()) as { calls: { call_id: string }[] };
      return calls.map((call) => call.call_id);
    };
    for (const query of ['door=api', 'to_number=%2B34955666777', 'to_number=+34955666777'])
      assert.equal((await found(`${query}&end_reason=callee-busy`))[0], id, query);
    assert.equal((await found('from_number=%2B34911222333'))[0], id);
    assert.ok(!(await found('door=trunk')).includes(id));
    assert.deepEqual(await found('to_number=%2B34955666778'), []);
  });

  it('is not shown to a key of another workspace, nor to one that may not read', async () => {
    const { id } = await callIn();
    const made = async (path: string, body: object) =>
      (await (await post(path, body)).json()) as Record<string, unknown>;
    const other = await made('/v1/workspaces', { name: 'other', type: 'standard' });
    const { key } = other['key'] as { key: string };
    const blind = await made('/v1/keys', { label: 'blind', scopes: ['agents:read'] });
    for (const path of [`/v1/calls/${id}/events`, `/v1/calls/${id}/transcript/stream`]) {
      assert.equal((await read(path, undefined, key)).status, 404);
      assert.equal((await read(path, undefined, String(blind['key']))).status, 403);
    }
  });

  // The last one: the daemon of all the others dies.
  it('has an end that survives kill -9, for a reader who comes back after the restart', async () => {
    const { id } = await callIn();
    const headers = { authorization: `Bearer ${gateway.adminKey}` };
    const paths = [`/v1/calls/${id}/events`, `/v1/calls/${id}/transcript/stream`] as const;
    const before = await EventReader.open(`${gateway.httpUrl}${paths[0]}`, headers);
    const answered = await before.named('answered');
    await gateway.callWhen(id, 'greeted', (_, turns) => turns.length > 0);
    await gateway.kill();
    await before.closed;

    const next = await Gateway.start({ env, dataDir: gateway.dataDir });
    gateways.push(next);
    const come = (path: string, lastId: string) =>
      EventReader.open(`${next.httpUrl}${path}`, { ...headers, 'last-event-id': lastId });
    const events = await come(paths[0], answered.id);
    await events.closed;
    assert.deepEqual(events.names, ['ended']);
    const [end] = events.events;
    assert.deepEqual([end?.data['end_reason'], end?.data['blame']], ['daemon-crashed', 'gateway']);
    assert.ok(Number(end?.id) > Number(answered.id));
    assert.equal((await come(paths[0], end?.id ?? '')).status, 204);
    const transcript = await come(paths[1], '0');
    await transcript.closed;
    assert.deepEqual(
      transcript.events.map(({ name, data }) => data['role'] ?? name),
      ['agent', 'ended'],
    );
  });
});
