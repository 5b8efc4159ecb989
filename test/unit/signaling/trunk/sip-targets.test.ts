import assert from 'node:assert/strict';

import {
  type DnsLookup,
  nextHopUri,
  type NaptrRecord,
  orderSrv,
  resolveTargets,
  type SrvRecord,
  TARGETS_MAX,
  targetText,
} from '../../../../src/signaling/trunk/sip-targets.ts';
import type { TrunkTransport } from '../../../../src/signaling/trunk/trunk.ts';

interface Zone {
  readonly naptr?: Readonly<Record<string, readonly NaptrRecord[]>>;
  readonly srv?: Readonly<Record<string, readonly SrvRecord[]>>;
  readonly addresses?: Readonly<Record<string, readonly string[]>>;
}

const dnsOf = ({ naptr = {}, srv = {}, addresses = {} }: Zone): DnsLookup => ({
  naptr: (name) => Promise.resolve(naptr[name] ?? []),
  srv: (name) => Promise.resolve(srv[name] ?? []),
  addresses: (name) => Promise.resolve(addresses[name] ?? []),
});
const srv = (name: string, port: number, priority = 0, weight = 0): SrvRecord => ({
  name,
  port,
  priority,
  weight,
});
const naptr = (service: string, replacement: string, order: number, preference = 0) => ({
  flags: 's',
  service,
  replacement,
  order,
  preference,
});

describe('the targets of a host', () => {
  const of = async (
    host: string,
    transport: TrunkTransport,
    zone: Zone,
    port: number | null = null,
  ) => (await resolveTargets({ host, port }, transport, dnsOf(zone), () => 0)).map(targetText);
  const ZONE: Zone = {
    naptr: {
      'a.test': [
        naptr('SIP+D2U', '_u.a.test', 20),
        naptr('SIPS+D2T', '_s.a.test', 10, 2),
        naptr('SIP+D2T', '_t.a.test', 10, 1),
        naptr('E2U+sip', '_e.a.test', 1),
        { ...naptr('SIP+D2U', 'x.test', 1), flags: 'u' },
      ],
    },
    srv: {
      '_u.a.test': [srv('one.test', 5062)],
      '_t.a.test': [srv('two.test', 5063, 2), srv('one.test', 5063, 1)],
      '_s.a.test': [srv('one.test', 5061)],
      '_sip._udp.b.test': [srv('one.test', 5070)],
      '_sip._tcp.b.test': [srv('two.test', 5071)],
      '_sips._tcp.b.test': [srv('two.test', 5081)],
      '_sip._udp.none.test': [srv('.', 0)],
    },
    addresses: {
      'one.test': ['192.0.2.1', '2001:db8::1'],
      'two.test': ['192.0.2.2'],
      'c.test': ['192.0.2.3'],
      'none.test': ['192.0.2.4'],
    },
  };

  it('are an address as it is, by the transport or UDP', async () => {
    assert.deepEqual(await of('192.0.2.9', 'auto', ZONE), ['udp/192.0.2.9:5060']);
    assert.deepEqual(await of('192.0.2.9', 'tls', ZONE), ['tls/192.0.2.9:5061']);
    assert.deepEqual(await of('2001:db8::9', 'tcp', ZONE, 5080), ['tcp/[2001:db8::9]:5080']);
  });

  it('are by NAPTR order and preference, then SRV priority, when the transport is open', async () => {
    assert.deepEqual(await of('a.test', 'auto', ZONE), [
      'tcp/192.0.2.1:5063',
      'tcp/[2001:db8::1]:5063',
      'tcp/192.0.2.2:5063',
      'tls/192.0.2.1:5061',
      'tls/[2001:db8::1]:5061',
      'udp/192.0.2.1:5062',
      'udp/[2001:db8::1]:5062',
    ]);
  });

  it('are SRV of UDP, then TCP, without NAPTR; and of the given transport alone', async () => {
    assert.deepEqual(await of('b.test', 'auto', ZONE), [
      'udp/192.0.2.1:5070',
      'udp/[2001:db8::1]:5070',
      'tcp/192.0.2.2:5071',
    ]);
    assert.deepEqual(await of('b.test', 'tls', ZONE), ['tls/192.0.2.2:5081']);
  });

  it('are plain addresses without SRV, or with a port', async () => {
    assert.deepEqual(await of('c.test', 'auto', ZONE), ['udp/192.0.2.3:5060']);
    assert.deepEqual(await of('c.test', 'tls', ZONE), ['tls/192.0.2.3:5061']);
    assert.deepEqual(await of('a.test', 'udp', { addresses: { 'a.test': ['192.0.2.5'] } }, 5090), [
      'udp/192.0.2.5:5090',
    ]);
    assert.deepEqual(await of('nowhere.test', 'auto', ZONE), []);
  });

  it('are at most as many as anyone would try', async () => {
    const addresses = Array.from({ length: 100 }, (_, i) => `192.0.2.${i}`);
    assert.equal(
      (await of('x.test', 'udp', { addresses: { 'x.test': addresses } })).length,
      TARGETS_MAX,
    );
  });

  it('are next hops by address, over TLS by name and trunk', () => {
    const target = {
      transport: 'udp',
      host: 'one.test',
      address: '2001:db8::1',
      port: 5060,
    } as const;
    assert.equal(nextHopUri(target, 'north'), 'sip:[2001:db8::1]:5060;transport=udp');
    assert.equal(
      nextHopUri({ ...target, transport: 'tls' }, 'north'),
      'sip:one.test:5060;transport=tls;peer=north',
    );
  });
});

describe('SRV records', () => {
  it('are drawn by their weights within a priority', () => {
    const records = [
      srv('a', 1, 1, 90),
      srv('b', 1, 1, 10),
      srv('last', 1, 2, 1000),
      srv('z', 1, 1, 0),
    ];
    const firsts: Record<string, number> = {};
    for (let draw = 0; draw < 100; draw += 1) {
      const ordered = orderSrv(records, () => (draw % 100) / 100);
      firsts[ordered[0]?.name ?? ''] = (firsts[ordered[0]?.name ?? ''] ?? 0) + 1;
      assert.equal(ordered.length, 4);
      assert.equal(ordered[3]?.name, 'last');
    }
    assert.deepEqual(firsts, { a: 90, b: 10 });
  });
});
