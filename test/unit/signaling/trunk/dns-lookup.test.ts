import assert from 'node:assert/strict';

import {
  cachedDns,
  DNS_EMPTY_TTL_MS,
  DNS_ENTRIES_MAX,
  DNS_TTL_MS,
} from '../../../../src/signaling/trunk/dns-lookup.ts';

describe('remembered DNS', () => {
  let nowMs: number;
  let asked: string[];
  let addresses: readonly string[];
  const dns = () =>
    cachedDns(
      {
        naptr: () => Promise.resolve([]),
        srv: () => Promise.resolve([]),
        addresses: (name) => {
          asked.push(name);
          return Promise.resolve(addresses);
        },
      },
      () => nowMs,
    );
  beforeEach(() => {
    nowMs = 0;
    asked = [];
    addresses = ['192.0.2.1'];
  });

  it('asks once for all who wait, and again when the answer is old', async () => {
    const lookup = dns();
    await Promise.all([lookup.addresses('a'), lookup.addresses('a')]);
    nowMs = DNS_TTL_MS - 1;
    assert.deepEqual(await lookup.addresses('a'), addresses);
    assert.equal(asked.length, 1);
    nowMs = DNS_TTL_MS;
    addresses = ['192.0.2.2'];
    assert.deepEqual(await lookup.addresses('a'), addresses);
    assert.equal(asked.length, 2);
  });

  it('believes the lack of an answer for a short time alone', async () => {
    const lookup = dns();
    addresses = [];
    await lookup.addresses('a');
    nowMs = DNS_EMPTY_TTL_MS;
    await lookup.addresses('a');
    assert.equal(asked.length, 2);
  });

  it('remembers no more names than it may', async () => {
    const lookup = dns();
    for (let name = 0; name <= DNS_ENTRIES_MAX; name += 1) await lookup.addresses(`n${name}`);
    await lookup.addresses(`n${DNS_ENTRIES_MAX}`);
    assert.equal(asked.length, DNS_ENTRIES_MAX + 1);
    await lookup.addresses('n0');
    assert.equal(asked.length, DNS_ENTRIES_MAX + 2);
  });
});
