import assert from 'node:assert/strict';
import * as fc from 'fast-check';

import { DigestClient } from '../../../../src/signaling/digest/digest-client.ts';
import { DigestServer } from '../../../../src/signaling/digest/digest-server.ts';
import { NonceUses } from '../../../../src/signaling/digest/nonce-uses.ts';

const KEY = Buffer.alloc(32, 7);
const REQUEST = { method: 'INVITE', uri: 'sip:demo@example.org' };
const passwordOf = (username: string) => (username === 'ann' ? 'secret' : null);
const START_MS = Date.UTC(2026, 0, 1);
const ACCEPT = { type: 'accept', username: 'ann' };
const STALE = { type: 'challenge', isStale: true };
const WRONG = { type: 'refuse', why: 'wrong-credentials' };

describe('a digest server', () => {
  let server: DigestServer;
  let nowMs: number;
  beforeEach(() => {
    nowMs = START_MS;
    server = new DigestServer({
      realm: 'trunkline',
      key: KEY,
      nonceLifetimeMs: 60_000,
      noncesMax: 2,
    });
  });

  const clientAt = (password = 'secret', username = 'ann') => {
    const client = new DigestClient({ username, password, realm: null });
    assert.equal(client.challenged(401, server.challenge(nowMs).join(', ')), 'answer');
    return client;
  };
  const headerOf = (client: DigestClient, request = REQUEST) =>
    client.authorize(request)[0]?.value ?? '';
  const verify = (
    header: string | undefined,
    request: { method: string; uri: string | null } = REQUEST,
  ) => server.verify(header, request, passwordOf, nowMs);

  it('asks whoever says nothing, offering SHA-256 before MD5', () => {
    assert.deepEqual(verify(undefined), { type: 'challenge', isStale: false });
    const [first, second] = server.challenge(nowMs);
    assert.match(first ?? '', /algorithm=SHA-256, qop="auth"$/);
    assert.match(second ?? '', /algorithm=MD5, qop="auth"$/);
  });

  for (const algorithm of ['SHA-512-256', 'SHA-256', 'MD5'] as const) {
    it(`takes the right password by ${algorithm}`, () => {
      server = new DigestServer({ realm: 'trunkline', key: KEY, algorithms: [algorithm] });
      assert.deepEqual(verify(headerOf(clientAt())), ACCEPT);
    });
  }

  it('refuses a wrong password, an unknown user, another method and another target', () => {
    assert.deepEqual(verify(headerOf(clientAt('guess'))), WRONG);
    assert.deepEqual(verify(headerOf(clientAt('nobody', 'bob'))), WRONG);
    assert.deepEqual(verify(headerOf(clientAt()), { ...REQUEST, method: 'REGISTER' }), WRONG);
    assert.deepEqual(verify(headerOf(clientAt()), { ...REQUEST, uri: 'sip:other@example.org' }), {
      type: 'refuse',
      why: 'malformed',
    });
    assert.deepEqual(verify(headerOf(clientAt()), { ...REQUEST, uri: null }), ACCEPT);
  });

  it('takes each count once, in any order within its window', () => {
    const client = clientAt();
    const headers = [1, 2, 3, 4].map(() => headerOf(client));
    const order = [0, 2, 1, 3];
    assert.deepEqual(
      order.map((index) => verify(headers[index])),
      order.map(() => ACCEPT),
    );
    assert.deepEqual(
      headers.map((header) => verify(header)),
      headers.map(() => STALE),
    );
  });

  it('calls a nonce stale after its life, but only for the right password', () => {
    const [right, wrong] = [headerOf(clientAt()), headerOf(clientAt('guess'))];
    nowMs += 60_001;
    assert.deepEqual(verify(right), STALE);
    assert.deepEqual(verify(wrong), WRONG);
    assert.match(server.challenge(nowMs, true)[0] ?? '', /, stale=true$/);
  });

  it('does not take a nonce that it gave up, so nothing can be replayed after a flood', () => {
    const old = headerOf(clientAt());
    assert.deepEqual(verify(old), ACCEPT);
    for (let client = 0; client < 3; client += 1) {
      nowMs += 1;
      assert.deepEqual(verify(headerOf(clientAt())), ACCEPT);
    }
    assert.deepEqual(verify(old), STALE);
  });

  it('asks again for a nonce of another process, and for other realms', () => {
    const foreign = headerOf(clientAt());
    server = new DigestServer({ realm: 'trunkline', key: Buffer.alloc(32, 8) });
    assert.deepEqual(verify(foreign), { type: 'challenge', isStale: false });
    assert.deepEqual(verify('Digest realm="elsewhere", nonce="1"'), {
      type: 'challenge',
      isStale: false,
    });
  });

  it('refuses what is not whole: no qop, no cnonce, an algorithm it did not offer', () => {
    const whole = headerOf(clientAt());
    const broken = [
      'Digest realm="trunkline"',
      'Digest realm="trunkline',
      whole.replace(', qop=auth', ''),
      whole.replace(/, cnonce="[^"]*"/, ''),
      whole.replace('SHA-256', 'SHA-512-256'),
      whole.replace('nc=00000001', 'nc=1'),
    ];
    for (const header of broken)
      assert.deepEqual(verify(header), { type: 'refuse', why: 'malformed' });
    assert.deepEqual(verify(whole), ACCEPT);
  });

  it('accepts no credentials with any letter or digit changed', () => {
    const letters = fc.constantFrom(...'abcdefghijklmnopqrstuvwxyz0123456789'.split(''));
    fc.assert(
      fc.property(fc.nat(), letters, (position, letter) => {
        nowMs += 1;
        const header = headerOf(clientAt());
        const places = [...header.matchAll(/[a-z0-9]/gi)].map(({ index }) => index);
        const at = places[position % places.length] ?? 0;
        const changed = header.slice(0, at) + letter + header.slice(at + 1);
        if (changed.toLowerCase() !== header.toLowerCase()) {
          assert.notEqual(verify(changed).type, 'accept', changed);
        }
        assert.deepEqual(verify(header), ACCEPT);
      }),
      { numRuns: 1_000 },
    );
  });
});

describe('nonce counts', () => {
  it('are taken at most once, whatever comes', () => {
    fc.assert(
      fc.property(fc.array(fc.integer({ min: 1, max: 80 }), { maxLength: 200 }), (counts) => {
        const uses = new NonceUses(10);
        const taken = counts.filter((count) => uses.take('n', 1, count));
        assert.equal(new Set(taken).size, taken.length);
        assert.ok(counts.length === 0 || taken.includes(Math.max(...counts)));
      }),
    );
  });

  it('of no more nonces than allowed are kept', () => {
    const uses = new NonceUses(3);
    for (let index = 1; index <= 100; index += 1) assert.ok(uses.take(`n${index}`, index, 1));
    assert.equal(uses.size, 3);
  });
});
