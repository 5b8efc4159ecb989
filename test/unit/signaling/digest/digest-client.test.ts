import assert from 'node:assert/strict';

import { parseAuthItems } from '../../../../src/signaling/digest/auth-params.ts';
import { readChallenges } from '../../../../src/signaling/digest/digest-challenge.ts';
import { DigestClient } from '../../../../src/signaling/digest/digest-client.ts';
import { digestResponse } from '../../../../src/signaling/digest/digest-hash.ts';

const REGISTER = { method: 'REGISTER', uri: 'sip:example.org' };

const clientFor = (password = 'secret', realm: string | null = null) =>
  new DigestClient({ username: 'ann', password, realm }, () => 'cnonce');

const paramsOf = (client: DigestClient, index = 0) => {
  const header = client.authorize(REGISTER)[index];
  return parseAuthItems(header?.value ?? '')?.[0]?.params ?? new Map<string, string>();
};

describe('a digest response', () => {
  const circle = {
    username: 'Mufasa',
    realm: 'http-auth@example.org',
    password: 'Circle of Life',
    nonce: '7ypf/xlj9XXwfDPEoM4URrv/xwf94BcCAzFZH4GiTo0v',
    qop: 'auth',
    nc: '00000001',
    cnonce: 'f2/wE4q74E6zIJEtWaHKaf5wv/H5QzzpXusqGemxURZJ',
    method: 'GET',
    uri: '/dir/index.html',
  } as const;

  it('is that of RFC 7616 §3.9.1 with MD5', () => {
    const algorithm = { hash: 'MD5', isSession: false } as const;
    assert.equal(digestResponse({ ...circle, algorithm }), '8ca523f5e9506fed4657c9700eebdbec');
  });

  it('is that of RFC 7616 §3.9.1 with SHA-256', () => {
    const algorithm = { hash: 'SHA-256', isSession: false } as const;
    assert.equal(
      digestResponse({ ...circle, algorithm }),
      '753927fa0e85d155564e2e272a28d1802ca10daf4496794697cf8db5856cb6c1',
    );
  });

  const older = {
    ...circle,
    realm: 'testrealm@host.com',
    nonce: 'dcd98b7102dd2f0e8b11d0f600bfb0c093',
    cnonce: '0a4f113b',
    algorithm: { hash: 'MD5', isSession: false },
  } as const;

  it('is that of RFC 2617 §3.5', () => {
    const input = { ...older, password: 'Circle Of Life' };
    assert.equal(digestResponse(input), '6629fae49393a05397450978507c4ef1');
  });

  it('is that of RFC 2069 §2.4 as corrected, without qop', () => {
    const input = { ...older, password: 'CircleOfLife', qop: null };
    assert.equal(digestResponse(input), '1949323746fe6a43ef61f9606e7febea');
  });
});

describe('a digest client', () => {
  it('says nothing before it is asked', () => {
    assert.deepEqual(clientFor().authorize(REGISTER), []);
  });

  it('answers a challenge, and counts the uses of its nonce', () => {
    const client = clientFor();
    const header = 'Digest realm="r", nonce="n1", qop="auth", opaque="o", algorithm=SHA-256';
    assert.equal(client.challenged(401, header), 'answer');
    const first = paramsOf(client);
    assert.deepEqual(
      ['username', 'realm', 'nonce', 'uri', 'qop', 'nc', 'opaque', 'algorithm'].map((name) =>
        first.get(name),
      ),
      ['ann', 'r', 'n1', 'sip:example.org', 'auth', '00000001', 'o', 'SHA-256'],
    );
    const second = paramsOf(client);
    assert.equal(second.get('nc'), '00000002');
    assert.notEqual(second.get('response'), first.get('response'));
  });

  it('leaves out qop, nc and cnonce for a server of RFC 2069', () => {
    const client = clientFor();
    client.challenged(401, 'Digest realm="r", nonce="n1"');
    const params = paramsOf(client);
    assert.deepEqual(
      ['qop', 'nc', 'cnonce', 'algorithm'].map((name) => params.get(name)),
      [undefined, undefined, undefined, 'MD5'],
    );
  });

  it('picks the strongest challenge it understands, in whatever order they come', () => {
    const header = ['MD5', 'TIGER', 'SHA-256', 'MD5-sess']
      .map(
        (algorithm) => `Digest realm="r", nonce="${algorithm}", qop="auth", algorithm=${algorithm}`,
      )
      .join(', ');
    const client = clientFor();
    assert.equal(client.challenged(407, header), 'answer');
    assert.equal(paramsOf(client).get('nonce'), 'SHA-256');
    assert.equal(client.authorize(REGISTER)[0]?.name, 'Proxy-Authorization');
    assert.deepEqual(
      readChallenges(header).map(({ nonce }) => nonce),
      ['SHA-256', 'MD5-sess', 'MD5'],
    );
  });

  it('answers the proxy and the far end, each in its header', () => {
    const client = clientFor();
    client.challenged(407, 'Digest realm="proxy", nonce="p"');
    client.challenged(401, 'Digest realm="far", nonce="f"');
    assert.deepEqual(
      client.authorize(REGISTER).map(({ name }) => name),
      ['Proxy-Authorization', 'Authorization'],
    );
  });

  it('answers only its realm when it has one', () => {
    const client = clientFor('secret', 'ours');
    assert.equal(client.challenged(401, 'Digest realm="theirs", nonce="1"'), 'unanswerable');
    const both = 'Digest realm="theirs", nonce="1", Digest realm="ours", nonce="2"';
    assert.equal(client.challenged(401, both), 'answer');
    assert.equal(client.authorize(REGISTER).length, 1);
    assert.equal(paramsOf(client).get('realm'), 'ours');
  });

  it('knows a wrong password: the same question again, without stale', () => {
    const client = clientFor();
    client.challenged(401, 'Digest realm="r", nonce="1"');
    client.authorize(REGISTER);
    assert.equal(client.challenged(401, 'Digest realm="r", nonce="2"'), 'wrong');
  });

  it('takes a new nonce when the old one is stale, but not for ever', () => {
    const client = clientFor();
    const verdicts = [1, 2, 3, 4, 5].map((nonce) => {
      const verdict = client.challenged(401, `Digest realm="r", nonce="${nonce}", stale=TRUE`);
      client.authorize(REGISTER);
      return verdict;
    });
    assert.deepEqual(verdicts, ['answer', 'answer', 'answer', 'answer', 'wrong']);
  });

  it('takes a new nonce after one that worked, even from a server that never says stale', () => {
    const client = clientFor();
    client.challenged(401, 'Digest realm="r", nonce="1"');
    client.authorize(REGISTER);
    client.accepted();
    client.authorize(REGISTER);
    assert.equal(client.challenged(401, 'Digest realm="r", nonce="2"'), 'answer');
    assert.equal(paramsOf(client).get('nc'), undefined);
    assert.equal(client.challenged(401, 'Digest realm="r", nonce="3"'), 'wrong');
  });

  it('cannot answer integrity alone, unknown algorithms, or no challenge at all', () => {
    for (const header of [
      'Digest realm="r", nonce="1", qop="auth-int"',
      'Digest realm="r", nonce="1", algorithm=SHA-3',
      'Basic realm="r"',
      '',
    ]) {
      assert.equal(clientFor().challenged(401, header), 'unanswerable');
    }
  });

  it('binds the key of a -sess algorithm to nonce and cnonce', () => {
    const client = clientFor();
    client.challenged(401, 'Digest realm="r", nonce="1", algorithm=MD5-sess, qop="auth"');
    // MD5(MD5(MD5(ann:r:secret):1:cnonce):1:00000001:cnonce:auth:MD5(REGISTER:sip:example.org)).
    assert.equal(paramsOf(client).get('response'), 'c204fc24feffae6ae9c688306f68b910');
  });
});
