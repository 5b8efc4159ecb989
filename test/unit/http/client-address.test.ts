import assert from 'node:assert/strict';
import { IncomingMessage } from 'node:http';
import { Socket } from 'node:net';
import { clientOf } from '../../../src/http/client-address.ts';

function from(peer: string, headers: Record<string, string> = {}): IncomingMessage {
  const socket = new Socket();
  Object.defineProperty(socket, 'remoteAddress', { value: peer });
  const request = new IncomingMessage(socket);
  Object.assign(request.headers, headers);
  return request;
}

describe('who sent a request', () => {
  const proxies = ['10.0.0.0/8', '::1'];

  it('is the other end of its connection, whatever it wrote itself', () => {
    const request = from('::ffff:192.0.2.1', {
      'x-forwarded-for': '127.0.0.1',
      'x-forwarded-proto': 'https',
    });
    assert.deepEqual(clientOf(request, proxies), { address: '192.0.2.1', isSecure: false });
  });

  it('is the last hop before the trusted proxies', () => {
    const request = from('10.0.0.1', {
      'x-forwarded-for': '127.0.0.1, 198.51.100.7, 10.9.9.9',
      'x-forwarded-proto': 'https',
    });
    assert.deepEqual(clientOf(request, proxies), { address: '198.51.100.7', isSecure: true });
  });

  it('is the proxy when that says nothing that could be read', () => {
    for (const forwarded of ['', 'unknown', '10.1.1.1']) {
      const request = from('10.0.0.1', { 'x-forwarded-for': forwarded });
      assert.equal(clientOf(request, proxies).address, '10.0.0.1');
    }
  });
});
