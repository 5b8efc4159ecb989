import assert from 'node:assert/strict';
import * as fc from 'fast-check';
import { testServer } from '../../support/http-server.ts';

type Server = Awaited<ReturnType<typeof testServer>>;
type Method = 'GET' | 'POST' | 'PATCH' | 'DELETE';
const PATH = '/v1/instant-voice-links';
const DAY_MS = 86_400_000;
const START_MS = 1_800_000_000_000;

/** The twelve that are documented. */
const DOCUMENTED = [
  'id',
  'token',
  'label',
  'status',
  'expiryPreset',
  'expiresAt',
  'timeLimitMinutes',
  'prompt',
  'landingPageTitle',
  'landingPageInfo',
  'createdAt',
  'updatedAt',
];

interface LinkView {
  readonly id: string;
  readonly token: string;
  readonly label: string;
  readonly status: string;
  readonly expiresAt: string;
  readonly timeLimitMinutes: number;
  readonly [field: string]: unknown;
}

describe('instant voice links', () => {
  let server: Server;
  let nowMs = START_MS;
  let write: { authorization: string };
  let read: { authorization: string };
  before(async () => {
    server = await testServer({ nowMs: () => nowMs });
    write = await server.keyWith(['voice_links:write']);
    read = await server.keyWith(['voice_links:read']);
  });
  after(() => server.close());
  beforeEach(() => (nowMs += 1));

  const ask = (method: Method, url: string, payload?: unknown, headers: object = write) =>
    server.app.inject({
      method,
      url,
      headers: {
        ...headers,
        ...(payload === undefined ? {} : { 'content-type': 'application/json' }),
      },
      ...(payload === undefined ? {} : { payload: JSON.stringify(payload) }),
    });
  const body = { labels: ['Ann'], expiryPreset: '1_week', prompt: 'You interview Ann.' };
  const create = async (change: object = {}): Promise<LinkView> =>
    (await ask('POST', PATH, { ...body, ...change })).json().links[0];
  const list = async (): Promise<LinkView[]> =>
    (await ask('GET', PATH, undefined, read)).json().links;
  const read1 = async (id: string) => (await list()).find((link) => link.id === id);
  const errorOf = async (answer: ReturnType<typeof ask>) => {
    const { statusCode, json } = await answer;
    return [statusCode, json().error];
  };

  it('are made at once, one per label and in their order [SEED-63, SEED-70, SEED-71, SEED-72, SEED-78]', async () => {
    const labels = ['Zoe', 'Ann', 'Ann', 'Bob'];
    const answer = await ask('POST', PATH, { ...body, labels });
    assert.equal(answer.statusCode, 200);
    const { success, links } = answer.json();
    assert.equal(success, true);
    assert.deepEqual(
      links.map((link: LinkView) => link.label),
      labels,
    );
    assert.equal(new Set(links.map((link: LinkView) => link.token)).size, 4);
    assert.equal(new Set(links.map((link: LinkView) => link.id)).size, 4);
    for (const link of links) {
      for (const name of DOCUMENTED) assert.ok(name in link, name);
      assert.equal(link.status, 'active');
      assert.equal(link.createdAt, new Date(nowMs).toISOString());
      assert.equal(link.updatedAt, link.createdAt);
      assert.equal(link.url, `https://voice.example.org/v/${link.token}`);
    }
    assert.deepEqual((await list()).slice(0, 4), links);
  });

  it('are listed with all twelve fields, newest first, to their owner alone [SEED-64, SEED-65, SEED-66, SEED-67, SEED-68]', async () => {
    const mine = await create();
    const answer = await ask('GET', PATH, undefined, read);
    assert.equal(answer.statusCode, 200);
    const { success, links } = answer.json();
    assert.equal(success, true);
    assert.deepEqual(links[0], mine);
    for (const link of links) for (const name of DOCUMENTED) assert.ok(name in link, name);
    const foreign = await server.keyWith(['*'], server.otherWorkspace);
    assert.deepEqual((await ask('GET', PATH, undefined, foreign)).json().links, []);
  });

  it('are listed in pages when asked to', async () => {
    const all = (await list()).map(({ id }) => id);
    const seen: string[] = [];
    let token: string | null = '';
    while (token !== null) {
      const page: string = `${PATH}?page_size=2${token === '' ? '' : `&page_token=${token}`}`;
      const answer: { links: LinkView[]; nextPageToken: string | null } = (
        await ask('GET', page, undefined, read)
      ).json();
      seen.push(...answer.links.map(({ id }: LinkView) => id));
      token = answer.nextPageToken;
    }
    assert.deepEqual(seen, all);
    const bad = Buffer.from('1.x').toString('base64url');
    assert.equal((await ask('GET', `${PATH}?page_token=${bad}`, undefined, read)).statusCode, 400);
  });

  it('need a key, with the scope that the error names [SEED-65, SEED-71, SEED-84, SEED-100]', async () => {
    const { id } = await create();
    const needs: readonly (readonly [Method, string, object | undefined, string])[] = [
      ['GET', PATH, undefined, 'voice_links:read'],
      ['POST', PATH, body, 'voice_links:write'],
      ['PATCH', `${PATH}/${id}`, {}, 'voice_links:write'],
      ['POST', `${PATH}/${id}/renew`, { expiryPreset: '1_day' }, 'voice_links:write'],
      ['POST', `${PATH}/${id}/disable`, undefined, 'voice_links:write'],
      ['DELETE', `${PATH}/${id}`, undefined, 'voice_links:write'],
    ];
    for (const [method, url, payload, scope] of needs) {
      const without = await ask(method, url, payload, {});
      assert.equal(without.statusCode, 401);
      assert.equal(typeof without.json().error, 'string');
      const wrong = await ask(method, url, payload, scope === 'voice_links:read' ? write : read);
      assert.equal(wrong.statusCode, 403);
      assert.ok(wrong.json().error.includes(scope));
    }
  });

  it('end after 24 hours, 168 hours or 30 days [SEED-73, R14]', async () => {
    for (const [expiryPreset, days] of [
      ['1_day', 1],
      ['1_week', 7],
      ['1_month', 30],
    ] as const) {
      const link = await create({ expiryPreset });
      assert.equal(link.expiryPreset, expiryPreset);
      assert.equal(link.expiresAt, new Date(nowMs + days * DAY_MS).toISOString());
    }
  });

  it('have defaults [SEED-75, SEED-76, SEED-77]', async () => {
    const link = await create();
    assert.equal(link.landingPageTitle, '');
    assert.equal(link.landingPageInfo, '');
    assert.equal(link.timeLimitMinutes, 5);
    const given = await create({ landingPageTitle: 'Title', landingPageInfo: 'Info' });
    assert.equal(given.landingPageTitle, 'Title');
    assert.equal(given.landingPageInfo, 'Info');
  });

  const clamped: readonly (readonly [unknown, number])[] = [
    [0, 1],
    [-5, 1],
    [0.5, 1],
    [2.5, 2.5],
    [60, 60],
    [90, 60],
    [1e300, 60],
    ['90', 5],
    [null, 5],
    [true, 5],
  ];
  for (const [given, expected] of clamped) {
    it(`take ${JSON.stringify(given)} minutes for ${expected} when made [SEED-77, R15]`, async () => {
      assert.equal((await create({ timeLimitMinutes: given })).timeLimitMinutes, expected);
    });
  }

  const refusedNew: readonly (readonly [string, unknown, string])[] = [
    ['no body fields [SEED-79]', {}, 'Labels array is required'],
    ['a body that is no object [SEED-79]', [], 'Labels array is required'],
    ['null [SEED-79]', null, 'Labels array is required'],
    ['labels that are no array [SEED-79]', { ...body, labels: 'Ann' }, 'Labels array is required'],
    ['no label at all [SEED-79]', { ...body, labels: [] }, 'Labels array is required'],
    ['labels before expiry [R16]', { labels: [] }, 'Labels array is required'],
    ['too many labels [R16]', { ...body, labels: Array(101).fill('x') }, 'Too many labels'],
    ['an unknown expiry [SEED-80]', { ...body, expiryPreset: '1_year' }, 'Invalid expiry preset'],
    ['no expiry [SEED-80]', { ...body, expiryPreset: undefined }, 'Invalid expiry preset'],
    [
      'an inherited name as expiry [SEED-80]',
      { ...body, expiryPreset: 'toString' },
      'Invalid expiry preset',
    ],
    ['expiry before prompt [R16]', { labels: [5] }, 'Invalid expiry preset'],
    ['no prompt [SEED-74, SEED-81]', { ...body, prompt: undefined }, 'Prompt is required'],
    ['an empty prompt [SEED-81]', { ...body, prompt: '  ' }, 'Prompt is required'],
    ['a prompt that is no text [SEED-81]', { ...body, prompt: 5 }, 'Prompt is required'],
    [
      'prompt before label texts [R16]',
      { ...body, labels: [''], prompt: '' },
      'Prompt is required',
    ],
    [
      'an empty label [SEED-82]',
      { ...body, labels: ['a', ' '] },
      'All labels must be non-empty strings',
    ],
    [
      'a label that is no text [SEED-82]',
      { ...body, labels: ['a', 5] },
      'All labels must be non-empty strings',
    ],
    [
      'a title that is no text',
      { ...body, landingPageTitle: 5 },
      'landingPageTitle must be a string',
    ],
    ['info that is no text', { ...body, landingPageInfo: [] }, 'landingPageInfo must be a string'],
    ['a label too long', { ...body, labels: ['x'.repeat(201)] }, 'A text is too long'],
    [
      'no calls at all [R13]',
      { ...body, maxSessions: 0 },
      'maxSessions must be a positive integer or null',
    ],
  ];
  for (const [what, given, message] of refusedNew) {
    it(`refuse ${what}, and make nothing`, async () => {
      const before = (await list()).length;
      assert.deepEqual(await errorOf(ask('POST', PATH, given)), [400, message]);
      assert.equal((await list()).length, before);
    });
  }

  it('answer broken, oversized and other bodies in their own shape [R1]', async () => {
    const send = (payload: string, type: string) =>
      server.app.inject({
        method: 'POST',
        url: PATH,
        payload,
        headers: { ...write, 'content-type': type },
      });
    const answers = [
      await send('{', 'application/json'),
      await send(JSON.stringify({ x: 'x'.repeat(70_000) }), 'application/json'),
      await send('a=b', 'application/x-www-form-urlencoded'),
    ];
    assert.deepEqual(
      answers.map(({ statusCode }) => statusCode),
      [400, 413, 415],
    );
    for (const answer of answers) {
      assert.deepEqual(Object.keys(answer.json()), ['error', 'code', 'request_id']);
    }
  });

  it('answer 500 in their own shape when storage breaks [SEED-69, SEED-83, SEED-96]', async () => {
    const broken = await testServer();
    const { headers } = broken;
    const made = await broken.app.inject({ method: 'POST', url: PATH, headers, payload: body });
    const { id } = made.json().links[0];
    await broken.execute('DROP TABLE instant_links');
    const answers = [
      await broken.app.inject({ url: PATH, headers }),
      await broken.app.inject({ method: 'POST', url: PATH, headers, payload: body }),
      await broken.app.inject({ method: 'PATCH', url: `${PATH}/${id}`, headers, payload: {} }),
    ];
    for (const answer of answers) {
      assert.equal(answer.statusCode, 500);
      assert.equal(typeof answer.json().error, 'string');
      assert.equal(answer.body.includes('instant_links'), false);
    }
    await broken.close();
  });

  it('are edited field by field [SEED-84, SEED-85, SEED-87]', async () => {
    const link = await create();
    const changes = [
      { label: 'Bob' },
      { prompt: 'You interview Bob.' },
      { landingPageTitle: 'Hello' },
      { landingPageInfo: 'Five questions' },
      { landingPageTitle: '' },
      { timeLimitMinutes: 7.5 },
      { maxSessions: 3 },
    ];
    let expected: object = link;
    for (const change of changes) {
      nowMs += 1;
      const answer = await ask('PATCH', `${PATH}/${link.id}`, change);
      assert.equal(answer.statusCode, 200);
      assert.deepEqual(answer.json(), { success: true });
      expected = { ...expected, ...change, updatedAt: new Date(nowMs).toISOString() };
      assert.deepEqual(await read1(link.id), expected);
    }
  });

  it('begin anew with a new expiry, counted from then [R14]', async () => {
    const link = await create({ expiryPreset: '1_month' });
    nowMs += 5 * DAY_MS;
    await ask('PATCH', `${PATH}/${link.id}`, { expiryPreset: '1_day' });
    assert.equal((await read1(link.id))?.expiresAt, new Date(nowMs + DAY_MS).toISOString());
  });

  it('stay as they are when nothing known is given [R16]', async () => {
    const link = await create();
    nowMs += 1000;
    for (const payload of [{}, { colour: 'red', token: 'x', status: 'used' }]) {
      const answer = await ask('PATCH', `${PATH}/${link.id}`, payload);
      assert.deepEqual(answer.json(), { success: true });
    }
    assert.deepEqual(await read1(link.id), link);
  });

  it('are clamped to 1..60 minutes when edited [SEED-86, R15]', async () => {
    const { id } = await create();
    for (const [given, expected] of [
      [0.5, 1],
      [90, 60],
      [59.5, 59.5],
    ] as const) {
      await ask('PATCH', `${PATH}/${id}`, { timeLimitMinutes: given });
      assert.equal((await read1(id))?.timeLimitMinutes, expected);
    }
  });

  const refusedChange: readonly (readonly [string, object, string])[] = [
    ['an empty label [SEED-89]', { label: '' }, 'Label must be a non-empty string'],
    ['a label that is no text [SEED-89]', { label: null }, 'Label must be a non-empty string'],
    ['an unknown expiry [SEED-90]', { expiryPreset: '2_days' }, 'Invalid expiry preset'],
    ['an empty prompt [SEED-91]', { prompt: ' ' }, 'Prompt must be a non-empty string'],
    ['a prompt that is no text [SEED-91]', { prompt: {} }, 'Prompt must be a non-empty string'],
    [
      'a title that is no text [SEED-92]',
      { landingPageTitle: null },
      'landingPageTitle must be a string',
    ],
    ['info that is no text [SEED-93]', { landingPageInfo: 1 }, 'landingPageInfo must be a string'],
    [
      'zero minutes [SEED-94]',
      { timeLimitMinutes: 0 },
      'timeLimitMinutes must be a positive number',
    ],
    ['minus one [SEED-94]', { timeLimitMinutes: -1 }, 'timeLimitMinutes must be a positive number'],
    [
      'minutes as text [SEED-94]',
      { timeLimitMinutes: '5' },
      'timeLimitMinutes must be a positive number',
    ],
    [
      'no number [SEED-94]',
      { timeLimitMinutes: null },
      'timeLimitMinutes must be a positive number',
    ],
    [
      'label before the rest [R16]',
      { timeLimitMinutes: 0, prompt: '', label: '' },
      'Label must be a non-empty string',
    ],
    ['half a good change', { label: 'Good', prompt: '' }, 'Prompt must be a non-empty string'],
  ];
  for (const [what, change, message] of refusedChange) {
    it(`refuse to become ${what}, and stay as they are`, async () => {
      const link = await create();
      assert.deepEqual(await errorOf(ask('PATCH', `${PATH}/${link.id}`, change)), [400, message]);
      assert.deepEqual(await read1(link.id), link);
    });
  }

  it('that are unknown or of others are not found [SEED-95, R2]', async () => {
    const link = await create();
    const foreign = await server.keyWith(['*'], server.otherWorkspace);
    for (const [id, headers] of [
      ['ivl_none', write],
      [link.id, foreign],
    ] as const) {
      const url = `${PATH}/${id}`;
      const notFound = [404, 'Link not found'];
      // Found comes before anything about the body [R16].
      assert.deepEqual(await errorOf(ask('PATCH', url, { label: '' }, headers)), notFound);
      assert.deepEqual(await errorOf(ask('DELETE', url, undefined, headers)), notFound);
      assert.deepEqual(await errorOf(ask('POST', `${url}/disable`, undefined, headers)), notFound);
      const renew = ask('POST', `${url}/renew`, { expiryPreset: '1_day' }, headers);
      assert.deepEqual(await errorOf(renew), notFound);
    }
    assert.deepEqual(await read1(link.id), link);
  });

  it('expire by themselves, and then cannot be edited but renewed [SEED-88, SEED-98, R12]', async () => {
    const link = await create({ expiryPreset: '1_day' });
    const url = `${PATH}/${link.id}`;
    nowMs += DAY_MS - 1;
    assert.equal((await read1(link.id))?.status, 'active');
    assert.notEqual(await server.links.open(link.token), null);
    nowMs += 1;
    assert.equal((await read1(link.id))?.status, 'expired');
    assert.equal(await server.links.open(link.token), null);
    const refusal = [400, 'Only active links can be edited'];
    for (const change of [{ expiryPreset: '1_week' }, { label: '' }, {}]) {
      assert.deepEqual(await errorOf(ask('PATCH', url, change)), refusal);
    }
    assert.deepEqual(await errorOf(ask('POST', `${url}/renew`, {})), [
      400,
      'Invalid expiry preset',
    ]);
    assert.equal((await ask('POST', `${url}/renew`, { expiryPreset: '1_week' })).statusCode, 200);
    const renewed = await read1(link.id);
    assert.equal(renewed?.status, 'active');
    assert.equal(renewed?.token, link.token);
    assert.equal(renewed?.expiresAt, new Date(nowMs + 7 * DAY_MS).toISOString());
  });

  it('are disabled and deleted [R12]', async () => {
    const link = await create();
    const url = `${PATH}/${link.id}`;
    for (const _ of [1, 2]) {
      assert.deepEqual((await ask('POST', `${url}/disable`)).json(), { success: true });
    }
    assert.equal((await read1(link.id))?.status, 'disabled');
    assert.equal(await server.links.open(link.token), null);
    const refusal = [400, 'Only active links can be edited'];
    assert.deepEqual(await errorOf(ask('PATCH', url, { label: 'x' })), refusal);
    assert.deepEqual((await ask('DELETE', url)).json(), { success: true });
    assert.equal(await read1(link.id), undefined);
    assert.equal(await server.links.welcome(link.token), null);
  });

  it('are used up by calls that connected, when a number is set [R13]', async () => {
    const link = await create({ maxSessions: 2 });
    const opened = await server.links.open(link.token);
    assert.ok(opened !== null);
    // Opening alone uses nothing up, and of five calls that connect at once two may stay.
    const stays = await Promise.all([1, 2, 3, 4, 5].map(() => server.links.connected(opened.link)));
    assert.equal(stays.filter(Boolean).length, 2);
    const used = await read1(link.id);
    assert.equal(used?.status, 'used');
    assert.equal(used?.usedSessions, 2);
    assert.equal(await server.links.open(link.token), null);
    const change = ask('PATCH', `${PATH}/${link.id}`, { maxSessions: 5 });
    assert.deepEqual(await errorOf(change), [400, 'Only active links can be edited']);
    const unlimited = await create();
    const { link: open } = (await server.links.open(unlimited.token)) ?? {};
    assert.ok(open !== undefined);
    for (const _ of [1, 2, 3]) assert.equal(await server.links.connected(open), true);
    assert.equal((await read1(unlimited.id))?.status, 'active');
  });

  it('open a call with their own prompt and time limit [SEED-97, SEED-99]', async () => {
    const link = await create({ timeLimitMinutes: 2.5, landingPageTitle: 'Interview' });
    const { agent } = (await server.links.open(link.token)) ?? {};
    assert.equal(agent?.systemPrompt, body.prompt);
    assert.equal(agent?.timeLimitSeconds, 150);
    assert.equal(agent?.workspaceId, 'ws_demo');
    assert.equal(await server.links.open('nothing'), null);
  });

  it('show a landing page title, info and status, and nothing of their owner [SEED-97, SEED-98, SEED-39, R36]', async () => {
    const texts = { landingPageTitle: 'Interview', landingPageInfo: 'Ten questions.' };
    const link = await create({ ...texts, expiryPreset: '1_day', timeLimitMinutes: 10 });
    const url = `${PATH}/public/${link.token}`;
    const welcome = { status: 'active', ...texts, timeLimitMinutes: 10 };
    assert.deepEqual((await ask('GET', url, undefined, {})).json(), welcome);
    nowMs += DAY_MS;
    const late = await ask('GET', url, undefined, {});
    assert.deepEqual(late.json(), { ...welcome, status: 'expired' });
    assert.deepEqual(await errorOf(ask('GET', `${PATH}/public/none`, undefined, {})), [
      404,
      'Link not found',
    ]);
  });

  it('answer whatever is sent with 200 or 400, and what they keep is within bounds', async function () {
    this.timeout(60_000);
    const fuzz = await testServer();
    const { headers } = fuzz;
    const value = fc.oneof(fc.jsonValue(), fc.string({ unit: 'binary' }), fc.double());
    const field = { expiryPreset: fc.constantFrom<unknown>('1_day', '1_week', 5), prompt: value };
    const given = fc.record(
      {
        ...field,
        labels: fc.oneof(fc.array(value, { maxLength: 3 }), value),
        timeLimitMinutes: value,
      },
      { requiredKeys: [] },
    );
    await fc.assert(
      fc.asyncProperty(given, async (payload) => {
        const answer = await fuzz.app.inject({
          method: 'POST',
          url: PATH,
          headers: { ...headers, 'content-type': 'application/json' },
          payload: JSON.stringify(payload),
        });
        assert.ok([200, 400].includes(answer.statusCode), answer.body);
        if (answer.statusCode === 400) return assert.equal(typeof answer.json().error, 'string');
        for (const link of answer.json().links) {
          assert.ok(link.timeLimitMinutes >= 1 && link.timeLimitMinutes <= 60);
        }
      }),
      { numRuns: 60 },
    );
    await fuzz.close();
  });
});
