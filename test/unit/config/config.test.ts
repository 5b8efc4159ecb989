import assert from 'node:assert/strict';
import { readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { ConfigError, loadConfig } from '../../../src/config.ts';
import { SETTINGS } from '../../../src/config/settings.ts';
import { helpText } from '../../../src/help.ts';
import { exampleConfig } from '../../support/example-config.ts';
import { temporaryFolder } from '../../support/temporary-folder.ts';

let folder: Awaited<ReturnType<typeof temporaryFolder>>;
before(async () => (folder = await temporaryFolder()));
after(() => folder.remove());

const EXAMPLE = join(import.meta.dirname, '../../../config/trunkline.example.yaml');

async function load(yaml: string, env: Readonly<Record<string, string>> = {}) {
  await writeFile(join(folder.path, 'c.yaml'), yaml);
  return loadConfig({ ...env, TRUNKLINE_CONFIG: 'c.yaml' }, folder.path);
}

async function problemOf(yaml: string, env: Readonly<Record<string, string>> = {}) {
  try {
    await load(yaml, env);
  } catch (error) {
    assert.ok(error instanceof ConfigError);
    return error.message.replaceAll(`${folder.path}/`, '');
  }
  return 'no problem';
}

describe('the configuration', () => {
  it('has its documented defaults without a file', () => {
    const config = loadConfig({}, folder.path);
    assert.equal(config.http.host, '127.0.0.1');
    assert.equal(config.http.port, 8080);
    assert.equal(config.sip.port, 5060);
    assert.equal(config.sip.engine, 'embedded');
    assert.deepEqual(config.media.ports, { first: 40_000, last: 40_999 });
    assert.equal(config.dataDir, join(folder.path, 'data'));
    assert.equal(config.databaseFile, join(folder.path, 'data', 'trunkline.sqlite'));
    assert.deepEqual(
      [config.stt, config.llm, config.tts].map(({ provider }) => provider),
      ['embedded', 'phrasebook', 'embedded'],
    );
    assert.equal(config.numbers.get('demo'), 'agt_demo');
    assert.equal(config.file, null);
  });

  it('takes the environment over the file over the defaults', async () => {
    const config = await load('http:\n  port: 1\n  host: 0.0.0.0\n', { TRUNKLINE_HTTP_PORT: '2' });
    assert.equal(config.http.port, 2);
    assert.equal(config.http.host, '0.0.0.0');
    assert.equal(config.http.bodyMaxBytes, 1_048_576);
  });

  it('reads every type of setting from the environment', async () => {
    const config = await load('', {
      TRUNKLINE_MEDIA_WORKERS: '3',
      TRUNKLINE_SIP_ALLOWED_SOURCES: '203.0.113.0/24, 198.51.100.7',
      TRUNKLINE_LLM_TEMPERATURE: '0.25',
      TRUNKLINE_LLM_BASE_URL: 'http://127.0.0.1:11434/v1/',
      TRUNKLINE_DATABASE_URL: 'sqlite:/var/x.db',
      TRUNKLINE_STT_API_KEY: '',
    });
    assert.equal(config.media.workers, 3);
    assert.deepEqual(config.sip.allowedSources, ['203.0.113.0/24', '198.51.100.7']);
    assert.equal(config.databaseFile, '/var/x.db');
    assert.deepEqual(config.llm, {
      provider: 'openai',
      baseUrl: 'http://127.0.0.1:11434/v1',
      apiKey: '',
      model: 'gpt-4o-mini',
      temperature: 0.25,
      maxTokens: 400,
      timeoutMs: 8000,
    });
  });

  it('reads a secret from the file that a variable names', async () => {
    await writeFile(join(folder.path, 'key'), 'pk_live_0123456789abcdefghijklmn\n');
    const config = await load('', { TRUNKLINE_ADMIN_KEY_FILE: 'key' });
    assert.equal(config.adminKey, 'pk_live_0123456789abcdefghijklmn');
    assert.deepEqual(config.secrets, ['pk_live_0123456789abcdefghijklmn']);
  });

  it('knows the secret inside an engine address', async () => {
    const config = await load('', { TRUNKLINE_SIP_ENGINE: 'drachtio://:cymru7@127.0.0.1:9022' });
    assert.deepEqual(config.secrets, ['cymru7']);
  });

  const refused: readonly (readonly [string, string, string])[] = [
    ['an unknown setting', 'http:\n  prot: 1\n', 'c.yaml:2:3: there is no setting "http.prot"'],
    [
      'a setting in the wrong section',
      'port: 1\n',
      'c.yaml:1:1: there is no setting "port"; did you mean http.port?',
    ],
    [
      'a text for a number',
      '# a comment\nhttp:\n  host: x\n  port: "80a"\n',
      'c.yaml:4:3: http.port: expected a whole number from 0 to 65535, got "80a"',
    ],
    [
      'a number out of range',
      'http: { port: 70000 }\n',
      'c.yaml:1:9: http.port: expected a whole number from 0 to 65535, got 70000',
    ],
    [
      'an unknown word',
      'log:\n  level: loud\n',
      'c.yaml:2:3: log.level: expected one of fatal, error, warn, info, debug, trace, silent, got "loud"',
    ],
    ['a section that is none', 'http: 3\n', 'c.yaml:1:1: expected a map of settings'],
    ['a file that is no map', '- 1\n', 'c.yaml:1:1: expected a map of sections'],
    [
      'a key given twice',
      'log:\n  level: info\n  level: warn\n',
      'c.yaml:3:3: not YAML: duplicate key',
    ],
    [
      'ports that are no range',
      'media: { ports: 5000-4000 }\n',
      'c.yaml:1:10: media.ports: expected a range of ports such as 40000-40999, got "5000-4000"',
    ],
    [
      'a list that is none',
      'sip:\n  allowed_sources: 5\n',
      'c.yaml:2:3: sip.allowed_sources: expected a list of texts, got 5',
    ],
    [
      'a number without an agent',
      'numbers:\n  demo: 5\n',
      'c.yaml:1:1: numbers: expected a map of text to text',
    ],
  ];
  for (const [what, yaml, expected] of refused) {
    it(`refuses ${what}, saying where and what was expected`, async () => {
      assert.equal(await problemOf(yaml), expected);
    });
  }

  it('refuses what the environment has wrong, naming the variable', async () => {
    const problem = await problemOf('', {
      TRUNKLINE_HTTP_PROT: '1',
      TRUNKLINE_SIP_PORT: 'x',
      TRUNKLINE_LLM_API_KEY: 'a',
      TRUNKLINE_LLM_API_KEY_FILE: 'b',
      TRUNKLINE_TTS_API_KEY_FILE: 'no-such-file',
    });
    assert.match(problem, /^environment TRUNKLINE_HTTP_PROT: there is no such setting$/m);
    assert.match(problem, /^environment TRUNKLINE_SIP_PORT: sip.port: expected a whole/m);
    assert.match(problem, /^environment TRUNKLINE_LLM_API_KEY_FILE: TRUNKLINE_LLM_API_KEY is set/m);
    assert.match(problem, /^environment TRUNKLINE_TTS_API_KEY_FILE: cannot read/m);
  });

  it('never repeats a secret, wherever it is wrong', async () => {
    const secret = 'hunter2hunter2';
    const problems = [
      await problemOf(`admin_key: ${secret}\n`),
      await problemOf(`llm:\n  api_key: [${secret}]\n`),
      await problemOf(`sip:\n  engine: http://:${secret}@host\n`),
      await problemOf(`llm:\n  api_key: "${secret}\n`),
      await problemOf(`database_url: postgres://u:${secret}@host/db\n`),
      await problemOf('', { TRUNKLINE_ADMIN_KEY: secret }),
    ];
    for (const problem of problems) {
      assert.notEqual(problem, 'no problem');
      assert.equal(problem.includes(secret), false, problem);
    }
  });

  it('refuses a file that is named and is not there', () => {
    assert.throws(() => loadConfig({ TRUNKLINE_CONFIG: 'none.yaml' }, folder.path), {
      code: 'CONFIG_FILE_UNREADABLE',
    });
  });
});

describe('SIP over TLS', () => {
  it('needs a certificate and its key, which can be read', async () => {
    await assert.rejects(
      load('sip:\n  tls_port: 5061\n'),
      /:2:3: sip\.tls_port: expected sip\.tls_cert_file beside it[^]*sip\.tls_key_file/,
    );
    const files = '  tls_cert_file: /nowhere/a.pem\n  tls_key_file: /nowhere/a.key\n';
    await assert.rejects(
      load(`sip:\n  tls_port: 5061\n${files}`),
      /:3:3: sip\.tls_cert_file: cannot read \/nowhere\/a\.pem[^]*:4:3/,
    );
  });

  it('takes the names of its files from variables, which hold names and not contents', () => {
    const config = loadConfig(
      {
        TRUNKLINE_SIP_TLS_PORT: '0',
        TRUNKLINE_SIP_TLS_CERT_FILE: EXAMPLE,
        TRUNKLINE_SIP_TLS_KEY_FILE: EXAMPLE,
      },
      folder.path,
    );
    assert.deepEqual([config.sip.tlsPort, config.sip.tlsCertFile], [0, EXAMPLE]);
  });
});

describe('the example file', () => {
  it('is what the schema says: every setting, its default, meaning and variable', async () => {
    assert.equal(await readFile(EXAMPLE, 'utf8'), exampleConfig());
  });

  it('loads, and changes nothing', async () => {
    const fromExample = loadConfig({ TRUNKLINE_CONFIG: EXAMPLE }, folder.path);
    assert.deepEqual({ ...fromExample, file: null }, loadConfig({}, folder.path));
  });

  it('loads with every line that begins with "#" set, too', async () => {
    const all = (await readFile(EXAMPLE, 'utf8')).replaceAll(/^( *)#(\w+:)/gm, '$1$2');
    // Files that are named must be there.
    await load(all.replaceAll(/(tls_\w+_file): .*/g, `$1: ${EXAMPLE}`));
    for (const { key } of SETTINGS) assert.match(all, new RegExp(`^ *${key}:`, 'm'));
  });
});

describe('--help', () => {
  it('names every variable', () => {
    const text = helpText();
    for (const { env } of SETTINGS) if (env !== null) assert.ok(text.includes(`  ${env}`), env);
  });
});
