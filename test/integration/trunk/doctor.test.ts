import assert from 'node:assert/strict';
import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { trunkline } from '../../support/command-line.ts';
import { FakeCarrier } from '../../support/fake-carrier.ts';
import { Gateway } from '../../support/gateway.ts';
import { temporaryFolder } from '../../support/temporary-folder.ts';

interface Check {
  readonly check: string;
  readonly verdict: string;
  readonly fix: string | null;
}

describe('the doctor of a running daemon', function () {
  this.timeout(120_000);
  let carrier: FakeCarrier;
  let gateway: Gateway;
  let folder: Awaited<ReturnType<typeof temporaryFolder>>;

  before(async () => {
    [carrier, folder] = await Promise.all([FakeCarrier.listen(), temporaryFolder()]);
    carrier.rules.password = 'another';
    const configFile = join(folder.path, 'trunkline.yaml');
    const lines = [
      'trunks:',
      '  - name: north',
      `    hosts: ["127.0.0.1:${carrier.port}"]`,
      '    transport: udp',
      '    username: ann',
      '    password: secret-of-ann',
      '    register: true',
      '    outbound_prefixes: ["+34"]',
      '',
    ];
    await writeFile(configFile, lines.join('\n'));
    gateway = await Gateway.start({ env: { TRUNKLINE_CONFIG: configFile } });
  });
  after(async () => {
    await gateway?.stop();
    await carrier?.close();
    await folder?.remove();
  });

  it('names the wrong password and nothing secret, over HTTP', async () => {
    const response = await gateway.api('/v1/trunks/north/diagnosis');
    const text = await response.text();
    assert.equal(response.status, 200, text);
    assert.equal(text.includes('secret-of-ann'), false);
    const { verdict, checks } = JSON.parse(text) as { verdict: string; checks: Check[] };
    assert.equal(verdict, 'fail');
    const failed = checks.filter((check) => check.verdict === 'fail');
    assert.deepEqual(
      failed.map(({ check }) => check),
      ['registration'],
    );
    assert.match(failed[0]?.fix ?? '', /password/);
  });

  it('is asked only with the scopes, and only for trunks that there are', async () => {
    assert.equal((await gateway.api('/v1/trunks/nobody/diagnosis')).status, 404);
    assert.equal((await fetch(`${gateway.httpUrl}/v1/trunks/north/diagnosis`)).status, 401);
    const made = await gateway.api('/v1/keys', {
      method: 'POST',
      headers: { 'content-type': 'application/json' },
      body: JSON.stringify({ label: 'watch', scopes: ['trunks:read'] }),
    });
    const { key } = (await made.json()) as { key: string };
    const headers = { authorization: `Bearer ${key}` };
    const path = '/v1/trunks/north/diagnosis?test_number=%2B34955666777';
    assert.equal((await gateway.api(path, { headers })).status, 403);
    assert.equal(carrier.count('INVITE'), 0);
  });

  it('is shown by the command line', async () => {
    const env = { TRUNKLINE_URL: gateway.httpUrl, TRUNKLINE_API_KEY: gateway.adminKey };
    const { code, out, err } = await trunkline(['doctor', 'trunk', 'north'], env);
    assert.equal(code, 0, err);
    assert.match(out, /^ok +dns /m);
    assert.match(
      out,
      /^FAIL registration +The registrar refuses the password\.\n +-> Check username/m,
    );
    assert.equal((await trunkline(['doctor', 'trunk', 'nobody'], env)).code, 66);
  });
});
