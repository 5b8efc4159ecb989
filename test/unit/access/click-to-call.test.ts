import assert from 'node:assert/strict';
import { createHmac } from 'node:crypto';
import * as fc from 'fast-check';
import { isSigned } from '../../../src/access/click-to-call-signature.ts';
import { missingInScript, readVariables } from '../../../src/access/click-to-call-variables.ts';

const NODE_BODY = '{"phone":"+34612345678","variables":{"name":"John","product":"VoiceB AI"}}';
const NODE_SIGNATURE = '800f0bee9ec914805e6a343f779fd1f184d70870a51804cfc7c3a0c5f5b48f3f';
const PYTHON_BODY =
  '{"phone": "+34612345678", "variables": {"name": "John", "product": "VoiceB AI"}}';
const PYTHON_SIGNATURE = '1d2a3753565b1ec7eb2842601d200101d20c70de2ad2a0f6beb6dc6b223f76ce';

describe('the signature of a click-to-call request', () => {
  const check = (body: string, signature: string, timestamp: string | null = null, nowMs = 0) =>
    isSigned({ secret: 'test_secret', body: Buffer.from(body), signature, timestamp, nowMs });

  it('is of the exact bytes: both samples of the document have their own [SEED-111, SEED-112]', () => {
    assert.equal(check(NODE_BODY, NODE_SIGNATURE), true);
    assert.equal(check(PYTHON_BODY, PYTHON_SIGNATURE), true);
    // The same JSON, and still another body.
    assert.equal(check(NODE_BODY, PYTHON_SIGNATURE), false);
    assert.equal(check(PYTHON_BODY, NODE_SIGNATURE), false);
  });

  it('may be written in capitals, and nothing else may stand in for it [R21, SEED-129]', () => {
    assert.equal(check(NODE_BODY, NODE_SIGNATURE.toUpperCase()), true);
    for (const wrong of ['', 'x', NODE_SIGNATURE.slice(1), `${NODE_SIGNATURE}0`, '0'.repeat(64)]) {
      assert.equal(check(NODE_BODY, wrong), false);
    }
    assert.equal(check(NODE_BODY, `sha256=${NODE_SIGNATURE}`), false);
    assert.equal(check(`${NODE_BODY} `, NODE_SIGNATURE), false);
  });

  it('covers the timestamp when there is one, for five minutes either way [R21]', () => {
    const nowMs = 1_800_000_000_000;
    const sign = (stamp: string) =>
      createHmac('sha256', 'test_secret').update(`${stamp}.${NODE_BODY}`).digest('hex');
    const holds = (stamp: string) => check(NODE_BODY, sign(stamp), stamp, nowMs);
    assert.equal(holds('1800000000'), true);
    assert.equal(holds('1800000300'), true);
    assert.equal(holds('1799999700'), true);
    assert.equal(holds('1800000301'), false);
    assert.equal(holds('1799999699'), false);
    assert.equal(holds('soon'), false);
    // Neither taken away nor put on afterwards.
    assert.equal(check(NODE_BODY, sign('1800000000'), null, nowMs), false);
    assert.equal(check(NODE_BODY, NODE_SIGNATURE, '1800000000', nowMs), false);
  });
});

describe('any click-to-call request', () => {
  it('is signed by its own bytes and secret, and by no others', () => {
    const sign = (secret: string, body: Uint8Array) =>
      createHmac('sha256', secret).update(body).digest('hex');
    const secrets = fc.string({ minLength: 1, maxLength: 40 });
    const bodies = fc.uint8Array({ maxLength: 200 });
    fc.assert(
      fc.property(secrets, bodies, secrets, bodies, (secret, body, other, changed) => {
        const check = (signature: string) =>
          isSigned({ secret, body: Buffer.from(body), signature, timestamp: null, nowMs: 0 });
        assert.equal(check(sign(secret, body)), true);
        const isSame = Buffer.from(body).equals(Buffer.from(changed));
        assert.equal(check(sign(secret, changed)), isSame);
        if (other !== secret) assert.equal(check(sign(other, body)), false);
      }),
    );
  });

  it('has variables that are short texts by usable names, or says which are not', () => {
    fc.assert(
      fc.property(fc.jsonValue({ maxDepth: 4 }), (given) => {
        const read = readVariables(given);
        if (read === null) return;
        for (const [name, value] of Object.entries(read.variables)) {
          assert.equal(typeof value, 'string');
          assert.ok(value.length <= 4096);
          assert.match(name, /^[\p{L}\p{N}_.\- ]+$/u);
          assert.ok(!read.invalid.includes(name) && !read.reserved.includes(name));
        }
      }),
      { numRuns: 300 },
    );
  });
});

describe('the variables of a click-to-call request', () => {
  it('are texts, numbers and booleans by any name, with inner spaces too [SEED-115, SEED-116]', () => {
    const given = {
      name: 'John',
      'first name ': 'Ann',
      age: 42,
      vip: true,
      empty: '',
      none: null,
      order: { id: 7, place: { city: 'Vigo' } },
    };
    assert.deepEqual(readVariables(given), {
      variables: {
        name: 'John',
        'first name': 'Ann',
        age: '42',
        vip: 'true',
        empty: '',
        'order.id': '7',
        'order.place.city': 'Vigo',
      },
      reserved: [],
      invalid: [],
    });
    assert.deepEqual(readVariables(undefined)?.variables, {});
  });

  it('with reserved names are told apart, whatever their case [SEED-117, R23]', () => {
    const given = { voiceb_id: 1, SystemTime: 2, trunkline: 3, caller_number: 4, name: 5 };
    const read = readVariables(given);
    assert.deepEqual(read?.variables, { name: '5' });
    assert.deepEqual(read?.reserved, ['voiceb_id', 'SystemTime', 'trunkline', 'caller_number']);
  });

  it('that cannot be used are named; what is no map is none', () => {
    const given = { list: [1], '{{x}}': 'a', '': 'b', long: 'x'.repeat(4097), ok: 'y' };
    assert.deepEqual(readVariables(given)?.invalid, ['list', '{{x}}', '', 'long']);
    for (const wrong of ['text', 5, [], true]) assert.equal(readVariables(wrong), null);
    const many = Object.fromEntries(Array.from({ length: 500 }, (_, n) => [`v${n}`, n]));
    assert.equal(Object.keys(readVariables(many)?.variables ?? {}).length, 200);
    assert.equal(readVariables(many)?.invalid.length, 200);
  });

  it('named like parts of every object are mere names', () => {
    const given = JSON.parse('{"__proto__": "a", "constructor": "b"}');
    const variables = readVariables(given)?.variables ?? {};
    assert.deepEqual(Object.entries(variables), [
      ['__proto__', 'a'],
      ['constructor', 'b'],
    ]);
  });
});

describe('what a script lacks', () => {
  const script = (change: object) => ({
    systemPrompt: '',
    greetingText: '',
    phrasebook: null,
    idle: { afterMs: 1000, prompts: [] },
    ...change,
  });

  it('is every name without a value and without a default [SEED-118, SEED-119, R24]', () => {
    const agent = script({
      systemPrompt: 'Sell {{ product }} to {{name}} by {{date}} as {{agent_name}}.',
      greetingText: 'Hello {{first name}}, {{title|friend}}.',
    });
    assert.deepEqual(missingInScript(agent, { name: '' }), ['product', 'first name']);
    assert.deepEqual(missingInScript(agent, { name: 'a', product: '', 'first name': '' }), []);
  });

  it('is a name of the phrasebook only when nothing else can be said', () => {
    const entry = (says: string, ...replies: string[]) => ({ id: says, says: [says], replies });
    const phrasebook = {
      entries: [
        entry('my pin is {pin:digits 4}', 'Your pin is {{pin}}.'),
        entry('who', 'You are {{name}}.', 'I do not know.'),
        entry('what', 'It is {{thing}}.'),
      ],
      fallbacks: ['Sorry?', 'Sorry, {{name}}?'],
    };
    assert.deepEqual(missingInScript(script({ phrasebook }), {}), ['thing']);
    assert.deepEqual(missingInScript(script({ phrasebook }), { thing: 'x' }), []);
  });
});
