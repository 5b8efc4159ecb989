import assert from 'node:assert/strict';
import { readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';

import { ConfigError, loadConfig } from '../../../src/config.ts';
import { TRUNK_SETTINGS } from '../../../src/config/trunk-settings.ts';
import { exampleConfig } from '../../support/example-config.ts';
import { temporaryFolder } from '../../support/temporary-folder.ts';

const EXAMPLE = join(import.meta.dirname, '../../../config/trunkline.example.yaml');

let folder: Awaited<ReturnType<typeof temporaryFolder>>;
before(async () => (folder = await temporaryFolder()));
after(() => folder.remove());

async function load(yaml: string) {
  await writeFile(join(folder.path, 'c.yaml'), yaml);
  return loadConfig({ TRUNKLINE_CONFIG: 'c.yaml' }, folder.path);
}

async function problemOf(yaml: string) {
  try {
    await load(yaml);
  } catch (error) {
    assert.ok(error instanceof ConfigError);
    return error.message.replaceAll(`${folder.path}/`, '');
  }
  return 'no problem';
}

const MINIMAL = 'trunks:\n  - name: a\n    hosts: [sip.example.org]\n';

describe('the trunks of the configuration', () => {
  it('are none by default', async () => {
    assert.deepEqual((await load('')).trunks, []);
    assert.deepEqual((await load('trunks:\n')).trunks, []);
  });

  it('need a name and a host, and have careful defaults', async () => {
    const [trunk] = (await load(MINIMAL)).trunks;
    assert.deepEqual(trunk, {
      name: 'a',
      hosts: [{ host: 'sip.example.org', port: null }],
      transport: 'auto',
      domain: 'sip.example.org',
      username: null,
      credentials: null,
      registration: null,
      allowedSources: [],
      inboundCredentials: null,
      callerId: { policy: 'own-numbers', number: null, header: 'from' },
      country: null,
      numberFormat: 'e164',
      outboundPrefixes: [],
      channelsMax: 30,
      callsPerSecond: 5,
      noAnswerSeconds: 60,
      externalAddress: null,
      sessionTimer: { expiresSeconds: 1800, refresher: null },
      optionsSeconds: 30,
      keepAliveSeconds: 0,
      prefersTcp: false,
      tls: { verify: true, caFile: null },
      codecs: ['pcma', 'pcmu'],
      dtmf: 'rfc4733',
      srtp: 'off',
      numbers: new Map(),
      agent: null,
    });
  });

  it('read a password from the file they name, and keep all passwords from the log', async () => {
    await writeFile(join(folder.path, 'secret'), 'from the file\n');
    const config = await load(
      `${MINIMAL}    username: ann
    password_file: secret
    register: true
    register_expires_seconds: 120
    inbound_username: carrier
    inbound_password: theirs
`,
    );
    const [trunk] = config.trunks;
    assert.deepEqual(trunk?.credentials, {
      username: 'ann',
      password: 'from the file',
      realm: null,
    });
    assert.deepEqual(trunk?.registration, { expiresSeconds: 120 });
    assert.deepEqual(trunk?.inboundCredentials, { username: 'carrier', password: 'theirs' });
    assert.deepEqual(config.secrets, ['from the file', 'theirs']);
  });

  it('name hosts with ports, IPv6 too, and numbers with agents', async () => {
    const [trunk] = (
      await load(
        'trunks: [{ name: a, hosts: ["[2001:db8::1]:5080", "203.0.113.9:5062"], numbers: { "+34911222333": agt_x } }]',
      )
    ).trunks;
    assert.deepEqual(trunk?.hosts, [
      { host: '2001:db8::1', port: 5080 },
      { host: '203.0.113.9', port: 5062 },
    ]);
    assert.equal(trunk?.numbers.get('+34911222333'), 'agt_x');
    assert.equal(trunk?.callerId.number, '+34911222333');
  });

  const refused: readonly (readonly [string, string, string])[] = [
    [
      'a list that is none',
      'trunks: 5\n',
      'c.yaml:1:1: trunks: expected a list of at most 256 trunks',
    ],
    ['an item that is none', 'trunks:\n  - 5\n', 'c.yaml:2:5: trunk: expected a map of settings'],
    [
      'an unknown setting',
      `${MINIMAL}    hots: 1\n`,
      'c.yaml:4:5: there is no trunk setting "hots"',
    ],
    [
      'a trunk without hosts',
      'trunks:\n  - name: a\n',
      'c.yaml:2:5: trunk hosts: expected a list of 1 to 8 hosts, each as host or host:port',
    ],
    [
      'an unknown word',
      `${MINIMAL}    transport: sctp\n`,
      'c.yaml:4:5: trunk transport: expected one of auto, udp, tcp, tls, got "sctp"',
    ],
    [
      'a number out of range, in the second trunk',
      `${MINIMAL}  - name: b\n    hosts: [x]\n    channels_max: 0\n`,
      'c.yaml:6:5: trunk channels_max: expected a whole number from 1 to 100000, got 0',
    ],
    [
      'two trunks of one name',
      `${MINIMAL}  - name: a\n    hosts: [x]\n`,
      'c.yaml:4:5: trunk name: expected one not used above',
    ],
    [
      'a registration without a password',
      `${MINIMAL}    register: true\n    username: ann\n`,
      'c.yaml:4:5: trunk register: expected username and password beside it',
    ],
    [
      'a network that is none',
      `${MINIMAL}    allowed_sources: [203.0.113.0/40]\n`,
      'c.yaml:4:5: trunk allowed_sources: expected addresses or networks, got "203.0.113.0/40"',
    ],
    [
      'a password given twice, without showing it',
      `${MINIMAL}    password: hush\n    password_file: x\n`,
      'c.yaml:5:5: trunk password is set too; expected only one of them',
    ],
    [
      'a password that is none, without showing it',
      `${MINIMAL}    password: 12345\n`,
      'c.yaml:4:5: trunk password: expected a text that is not empty',
    ],
    [
      'a file that is not there',
      `${MINIMAL}    password_file: nowhere\n`,
      'c.yaml:4:5: trunk password_file: cannot read nowhere',
    ],
    [
      'a session timer below 90 seconds',
      `${MINIMAL}    session_expires_seconds: 60\n`,
      'c.yaml:4:5: trunk session_expires_seconds: expected 0, or 90 and more',
    ],
    [
      'a fixed caller without a number',
      `${MINIMAL}    caller_id_policy: fixed\n`,
      'c.yaml:4:5: trunk caller_id_policy: expected caller_id_number beside "fixed"',
    ],
    [
      'a country that is none',
      `${MINIMAL}    country: XX\n`,
      'c.yaml:4:5: trunk country: expected a country code such as ES',
    ],
    [
      'inbound authentication without a password',
      `${MINIMAL}    inbound_username: x\n`,
      'c.yaml:4:5: trunk inbound_username: expected inbound_password beside it',
    ],
  ];
  for (const [what, yaml, expected] of refused) {
    it(`refuse ${what}, saying where and what was expected`, async () => {
      assert.equal(await problemOf(yaml), expected);
    });
  }

  it('are not taken from the environment', () => {
    assert.throws(
      () => loadConfig({ TRUNKLINE_TRUNKS: '[]' }, folder.path),
      (error) => error instanceof ConfigError && /there is no such setting/.test(error.message),
    );
  });

  it('stand in the example with every setting, and it can be used when uncommented', async () => {
    const example = await readFile(EXAMPLE, 'utf8');
    assert.equal(example, exampleConfig());
    const [before = '', after = ''] = example.split(/^# trunks:\n/m);
    const trunks = after.replace(/^# /gm, '');
    const config = await load(`${before.replace(/^trunks: \[\]\n/m, '')}trunks:\n${trunks}`);
    assert.equal(config.trunks[0]?.name, 'my-carrier');
    for (const name of Object.keys(TRUNK_SETTINGS))
      assert.match(trunks, new RegExp(`^ {4}#?${name}: `, 'm'));
  });
});
