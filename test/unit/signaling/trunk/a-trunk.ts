import type { Trunk } from '../../../../src/signaling/trunk/trunk.ts';

/** A trunk as the configuration would give it, with what a test cares about. */
export function aTrunk(settings: Partial<Trunk> = {}): Trunk {
  return {
    name: 'carrier',
    hosts: [{ host: '127.0.0.1', port: 5060 }],
    transport: 'udp',
    domain: 'carrier.test',
    username: 'ann',
    credentials: { username: 'ann', password: 'secret', realm: null },
    registration: { expiresSeconds: 3600 },
    allowedSources: [],
    inboundCredentials: null,
    callerId: { policy: 'any', number: '+34911222333', header: 'from' },
    country: null,
    numberFormat: 'e164',
    codecs: ['pcma', 'pcmu'],
    dtmf: 'rfc4733',
    srtp: 'off',
    outboundPrefixes: ['+'],
    channelsMax: 10,
    callsPerSecond: 10,
    noAnswerSeconds: 60,
    externalAddress: null,
    sessionTimer: null,
    optionsSeconds: 30,
    keepAliveSeconds: 0,
    prefersTcp: false,
    tls: { verify: true, caFile: null },
    numbers: new Map(),
    agent: null,
    ...settings,
  };
}
