import assert from 'node:assert/strict';
import { once } from 'node:events';
import { createServer } from 'node:net';
import type { LookupAddress, lookup as systemLookup } from 'node:dns';
import { AddressGuard } from '../../../src/webhooks/address-guard.ts';
import { WebhookClient } from '../../../src/webhooks/webhook-client.ts';
import { answering, breaking, stalling, WebhookReceiver } from '../../support/webhook-receiver.ts';

describe('the guard of addresses', () => {
  const guard = new AddressGuard([]);

  it('lets public addresses be reached', () => {
    for (const address of ['1.1.1.1', '8.8.8.8', '193.99.144.80', '2606:4700::1111', '2a00::1']) {
      assert.equal(guard.allows(address), true, address);
    }
  });

  it('refuses loopback, private, link-local, metadata and shared ones, in any writing', () => {
    const inner = [
      '127.0.0.1',
      '127.8.8.8',
      '0.0.0.0',
      '10.0.0.1',
      '172.16.0.1',
      '172.31.255.255',
      '192.168.1.1',
      '169.254.169.254',
      '100.64.0.1',
      '198.18.0.1',
      '224.0.0.1',
      '255.255.255.255',
      '::1',
      '::',
      'fe80::1',
      'fe80::1%eth0',
      'fc00::1',
      'fd00:ec2::254',
      'ff02::1',
      '::ffff:127.0.0.1',
      '::ffff:10.0.0.1',
      '::ffff:7f00:1',
      '0:0:0:0:0:ffff:a9fe:a9fe',
      '::127.0.0.1',
      '64:ff9b::a9fe:a9fe',
      '2002:7f00:1::',
      'localhost',
      '',
    ];
    for (const address of inner) assert.equal(guard.allows(address), false, address);
  });

  it('lets those be reached that the operator allows, and no others', () => {
    const open = new AddressGuard(['10.1.0.0/16', '::1']);
    assert.equal(open.allows('10.1.2.3'), true);
    assert.equal(open.allows('::ffff:10.1.2.3'), true);
    assert.equal(open.allows('10.2.2.3'), false);
    assert.equal(open.allows('::1'), true);
    assert.equal(open.allows('127.0.0.1'), false);
  });
});

describe('a webhook client', () => {
  let receiver: WebhookReceiver;
  const opened: WebhookClient[] = [];
  before(async () => (receiver = await WebhookReceiver.listen()));
  after(() => receiver.close());
  afterEach(() => Promise.all(opened.splice(0).map((client) => client.close())));

  const clientOf = (
    allowedNetworks: readonly string[] = ['127.0.0.0/8'],
    lookup?: typeof systemLookup,
    timeoutMs = 1000,
  ) => {
    const more = lookup === undefined ? {} : { lookup };
    const client = new WebhookClient({ allowedNetworks, timeoutMs, ...more });
    opened.push(client);
    return client;
  };
  /** Names become what the test says, one answer after the other. */
  const resolving = (...answers: readonly (readonly string[])[]) => {
    let next = 0;
    const lookup = (
      _name: string,
      _options: object,
      done: (error: null, found: LookupAddress[]) => void,
    ) => {
      const addresses = answers[Math.min(next, answers.length - 1)] ?? [];
      next += 1;
      done(
        null,
        addresses.map((address) => ({ address, family: 4 })),
      );
    };
    return { lookup: lookup as unknown as typeof systemLookup, count: () => next };
  };
  const post = (client: WebhookClient, url: string) => client.post(url, {}, '{}');

  it('says what the server answered, and follows no redirection', async () => {
    receiver.behaviors.set('/moved', answering(302, { location: receiver.url('/inner') }));
    const client = clientOf();
    assert.equal((await post(client, receiver.url('/ok'))).type, 'answered');
    const moved = await post(client, receiver.url('/moved'));
    assert.equal(moved.type === 'answered' && moved.status, 302);
    assert.equal(receiver.at('/inner').length, 0);
  });

  it('tells a stall, a broken connection and a refusal apart', async () => {
    receiver.behaviors.set('/stall', stalling);
    receiver.behaviors.set('/break', breaking);
    const client = clientOf();
    const whyOf = async (url: string) => {
      const result = await post(client, url);
      return result.type === 'failed' ? result.why : result.status;
    };
    assert.equal(await whyOf(receiver.url('/stall')), 'timeout');
    assert.equal(await whyOf(receiver.url('/break')), 'connection-broken');
    const closed = createServer().listen(0, '127.0.0.1');
    await once(closed, 'listening');
    const address = closed.address();
    const port = typeof address === 'object' && address !== null ? address.port : 0;
    closed.close();
    await once(closed, 'close');
    assert.equal(await whyOf(`http://127.0.0.1:${port}/`), 'connection-refused');
    assert.equal(await whyOf('http://name.invalid/'), 'name-not-found');
    assert.equal(await whyOf(receiver.url('/ok').replace('http:', 'https:')), 'tls-failed');
  });

  it('reaches no inner address by number, by other writings of it, or by name', async () => {
    const client = clientOf([]);
    const { port } = receiver;
    const before = receiver.received.length;
    const urls = [
      `http://127.0.0.1:${port}/`,
      `http://2130706433:${port}/`,
      `http://0x7f.1:${port}/`,
      `http://0177.0.0.1:${port}/`,
      `http://127.1:${port}/`,
      `http://localhost:${port}/`,
      `http://[::1]:${port}/`,
      `http://[::ffff:127.0.0.1]:${port}/`,
      `http://0.0.0.0:${port}/`,
      'http://169.254.169.254/latest/meta-data',
      'http://user:secret@1.1.1.1/',
      'ftp://1.1.1.1/',
      'file:///etc/passwd',
      'nonsense',
    ];
    for (const url of urls) {
      const result = await post(client, url);
      assert.equal(result.type === 'failed' && result.why, 'address-not-allowed', url);
    }
    assert.equal(receiver.received.length, before);
  });

  it('connects to the address that was checked, whatever the name says later', async () => {
    // 127.0.0.2 is allowed here and 127.0.0.1 is not: the second answer would be the inner one.
    const { lookup, count } = resolving(['127.0.0.1']);
    const refused = await post(
      clientOf(['127.0.0.2'], lookup),
      `http://inner.example:${receiver.port}/rebound`,
    );
    assert.equal(refused.type === 'failed' && refused.why, 'address-not-allowed');
    assert.equal(receiver.at('/rebound').length, 0);
    assert.equal(count(), 1);

    const turning = resolving(['127.0.0.1'], ['10.0.0.1']);
    const reached = await post(
      clientOf(['127.0.0.1'], turning.lookup),
      `http://turning.example:${receiver.port}/once`,
    );
    assert.equal(reached.type === 'answered' && reached.status, 200);
    assert.equal(turning.count(), 1, 'one look-up for check and connection');
    assert.equal(receiver.at('/once')[0]?.headers.host, `turning.example:${receiver.port}`);
  });

  it('refuses a name of which one address is an inner one', async () => {
    const { lookup } = resolving(['1.1.1.1', '127.0.0.1']);
    const mixed = await post(clientOf([], lookup), `http://mixed.example:${receiver.port}/`);
    assert.equal(mixed.type === 'failed' && mixed.why, 'address-not-allowed');
  });
});
