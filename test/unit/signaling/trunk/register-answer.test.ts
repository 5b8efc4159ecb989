import assert from 'node:assert/strict';

import {
  readRegisterAnswer,
  splitContacts,
} from '../../../../src/signaling/trunk/register-answer.ts';

const read = (headers: Readonly<Record<string, string>>, status = 200) =>
  readRegisterAnswer({ status, reason: 'OK', get: (name) => headers[name] }, 'ann');

const VIA = 'SIP/2.0/UDP 10.0.0.5:5060;branch=z9hG4bK1;rport=1024;received=203.0.113.9';

describe('the answer to a REGISTER', () => {
  it('grants what stands at our own contact among others', () => {
    const contact =
      '"a, b" <sip:ann@192.0.2.7>;expires=5, <sip:ann@10.0.0.5:5060;transport=udp>;expires=600, <sip:x@10.0.0.5:5060>;expires=7';
    assert.equal(read({ contact, via: VIA, expires: '9' }).expiresSeconds, 600);
    assert.equal(
      read({ contact: '<sip:ann@203.0.113.9:1024>;expires="77"', via: VIA }).expiresSeconds,
      77,
    );
  });

  it('grants what Expires says where no contact tells', () => {
    assert.equal(read({ contact: '<sip:ann@10.0.0.5:5060>', expires: '120' }).expiresSeconds, 120);
    assert.equal(
      read({ contact: '<sip:a@b>;expires=1, <sip:c@d>;expires=2', expires: '120' }).expiresSeconds,
      120,
    );
    assert.equal(read({}).expiresSeconds, null);
  });

  it('tells our address as it was seen, IPv6 too', () => {
    assert.deepEqual(
      [read({ via: VIA }).sentBy, read({ via: VIA }).observed],
      ['10.0.0.5:5060', '203.0.113.9:1024'],
    );
    const six = 'SIP/2.0/UDP [2001:db8::5]:5070;rport=9;received=2001:db8::9';
    assert.deepEqual(
      [read({ via: six }).sentBy, read({ via: six }).observed],
      ['[2001:db8::5]:5070', '[2001:db8::9]:9'],
    );
    assert.equal(read({ via: 'SIP/2.0/UDP 10.0.0.5;branch=1;rport' }).observed, null);
    assert.equal(read({ via: 'nonsense' }).sentBy, null);
  });

  it('reads the challenge of its status, Min-Expires and Retry-After with a comment', () => {
    const headers = {
      'www-authenticate': 'Digest a',
      'proxy-authenticate': 'Digest b',
      'min-expires': '1800',
      'retry-after': '18 (in a while);duration=3600',
    };
    assert.equal(read(headers, 401).challenge, 'Digest a');
    assert.equal(read(headers, 407).challenge, 'Digest b');
    assert.equal(read(headers, 423).minExpiresSeconds, 1800);
    assert.equal(read(headers, 503).retryAfterSeconds, 18);
  });

  it('splits contacts outside quotes and brackets only, hostile ones too', () => {
    assert.deepEqual(splitContacts('"a,\\"b" <sip:a@b,c>;q=1 , sip:d@e'), [
      '"a,\\"b" <sip:a@b,c>;q=1',
      'sip:d@e',
    ]);
    assert.deepEqual(splitContacts(''), []);
    assert.ok(splitContacts('<'.repeat(8_000)).length <= 64);
    assert.ok(splitContacts('"'.repeat(8_001)).length <= 64);
  });
});
