import assert from 'node:assert/strict';
import { BINDINGS_MAX, Registrar } from '../../../src/signaling/registrar.ts';
import type { WebSocketRequest } from '../../../src/signaling/web-socket-authorizer.ts';

const ANNA = 'ws_a anna';
const FOR_EVER = Number.MAX_SAFE_INTEGER;

describe('the registrar', () => {
  let nowMs = 1_800_000_000_000;
  let registrar: Registrar;
  let cseq = 0;
  beforeEach(() => {
    registrar = new Registrar({ nowMs: () => nowMs });
  });

  function request(contact: string | null, headers: Record<string, string> = {}): WebSocketRequest {
    cseq += 1;
    const nobody = { user: 'anna', host: 'localhost', displayName: '' };
    const all: Record<string, string> = { cseq: `${cseq} REGISTER`, ...headers };
    if (contact !== null) all['contact'] = contact;
    return {
      method: 'REGISTER',
      transport: 'ws',
      from: nobody,
      to: nobody,
      dialed: nobody,
      sipCallId: 'call-id',
      sourceAddress: '192.0.2.7',
      sourcePort: 40_000,
      get: (name) => all[name.toLowerCase()],
    };
  }
  const register = (contact: string | null, headers?: Record<string, string>, untilMs = FOR_EVER) =>
    registrar.register(ANNA, request(contact, headers), untilMs);
  const uris = (address = ANNA) => registrar.find(address).map(({ uri }) => uri);

  it('lists what is registered, the newest first, and how to get there', () => {
    const answer = register('<sip:a@x.invalid;transport=ws>;expires=120');
    assert.deepEqual(answer, {
      type: 'registered',
      contacts: ['<sip:a@x.invalid;transport=ws>;expires=120'],
    });
    register('<sip:b@y.invalid;transport=ws>', { expires: '300' });
    assert.deepEqual(uris(), ['sip:b@y.invalid;transport=ws', 'sip:a@x.invalid;transport=ws']);
    assert.equal(registrar.find(ANNA)[0]?.nextHop, 'sip:192.0.2.7:40000;transport=ws');
    assert.deepEqual(uris('ws_b anna'), [], 'another workspace has an anna of its own');
  });

  it('forgets by itself', () => {
    register('<sip:a@x.invalid>;expires=60');
    nowMs += 59_000;
    assert.equal(uris().length, 1);
    nowMs += 1000;
    assert.deepEqual(uris(), []);
    assert.equal(registrar.size, 0);
  });

  it('keeps nobody longer than his right to it, nor than an hour', () => {
    assert.deepEqual(register('<sip:a@x.invalid>;expires=600', {}, nowMs + 90_000), {
      type: 'registered',
      contacts: ['<sip:a@x.invalid>;expires=90'],
    });
    assert.deepEqual(register('<sip:a@x.invalid>;expires=99999'), {
      type: 'registered',
      contacts: ['<sip:a@x.invalid>;expires=3600'],
    });
  });

  it('removes one, or all', () => {
    register('<sip:a@x.invalid>, <sip:b@x.invalid>');
    register('<sip:a@x.invalid>;expires=0');
    assert.deepEqual(uris(), ['sip:b@x.invalid']);
    assert.deepEqual(register('*', { expires: '0' }), { type: 'registered', contacts: [] });
    assert.deepEqual(uris(), []);
    assert.equal(register('*').type, 'refuse');
  });

  it('lists without a Contact', () => {
    register('<sip:a@x.invalid>;expires=100');
    nowMs += 10_000;
    const contacts = ['<sip:a@x.invalid>;expires=90'];
    assert.deepEqual(register(null), { type: 'registered', contacts });
  });

  it('knows a browser again that was loaded anew', () => {
    const instance = ';+sip.instance="<urn:uuid:1>";reg-id=1';
    register(`<sip:a@x.invalid>${instance}`);
    register(`<sip:b@y.invalid>${instance}`);
    assert.deepEqual(uris(), ['sip:b@y.invalid']);
  });

  it('refuses what is too short, too many, out of order, or no address', () => {
    const brief = { type: 'refuse', status: 423, minExpiresSeconds: 60 };
    assert.deepEqual(register('<sip:a@x.invalid>;expires=5'), brief);
    for (let at = 0; at < BINDINGS_MAX; at += 1) register(`<sip:b${at}@x.invalid>`);
    assert.deepEqual(register('<sip:more@x.invalid>'), { type: 'refuse', status: 503 });
    cseq -= 5;
    assert.deepEqual(register('<sip:b0@x.invalid>'), { type: 'refuse', status: 500 });
    cseq += 10;
    for (const contact of [
      '<mailto:a@b>',
      '<sip:@>',
      '<sip:a b@c>',
      `<sip:${'a'.repeat(300)}@b>`,
    ]) {
      assert.deepEqual(register(contact), { type: 'refuse', status: 403 }, contact);
    }
    assert.equal(uris().length, BINDINGS_MAX);
  });

  it('has room for so many addresses, and for more once some have expired', () => {
    const small = new Registrar({ nowMs: () => nowMs, addressesMax: 2 });
    const add = (address: string) =>
      small.register(address, request('<sip:a@x.invalid>;expires=60'), FOR_EVER).type;
    assert.deepEqual([add('1'), add('2'), add('3')], ['registered', 'registered', 'refuse']);
    assert.equal(add('1'), 'registered');
    nowMs += 61_000;
    assert.equal(add('3'), 'registered');
  });
});
