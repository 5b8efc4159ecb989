import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { createServer } from 'node:net';
import { join } from 'node:path';
import { temporaryFolder } from '../../support/temporary-folder.ts';

const ROOT = join(import.meta.dirname, '../../..');
const DEADLINE_MS = 30_000;

/** The daemon as an operator starts it, on free ports and in a folder of its own. */
async function startDaemon(
  args: readonly string[] = [],
  env: Readonly<Record<string, string>> = {},
) {
  const folder = await temporaryFolder();
  const child = spawn(process.execPath, [join(ROOT, 'config/start.mjs'), ...args], {
    cwd: folder.path,
    timeout: DEADLINE_MS,
    env: {
      PATH: process.env.PATH,
      TRUNKLINE_HTTP_PORT: '0',
      TRUNKLINE_SIP_PORT: '0',
      ...env,
    },
  });
  const output = { out: '', err: '' };
  const exit = once(child, 'close').then(async ([code]: unknown[]) => {
    await folder.remove();
    return code;
  });
  const isUp = new Promise<void>((resolve) => {
    child.stdout.on('data', (bytes) => {
      output.out += bytes;
      if (output.out.includes('Trunkline is up')) resolve();
    });
  });
  child.stderr.on('data', (bytes) => (output.err += bytes));
  return { child, output, exit, up: Promise.race([isUp, exit]) };
}

describe('the daemon process', () => {
  it('says when it is up, answers, and ends with 0 when asked to', async () => {
    const { child, output, exit, up } = await startDaemon();
    await up;
    const url = /"url":"(http:[^"]+)"/.exec(output.out)?.[1];
    assert.ok(url !== undefined, output.out + output.err);
    const health = await fetch(`${url.replace('localhost', '127.0.0.1')}/health`);
    assert.equal(health.status, 200);
    await health.text();
    child.kill('SIGTERM');
    assert.equal(await exit, 0, output.out + output.err);
    assert.match(output.out, /asked to stop: draining/);
  });

  it('ends with 1 when it cannot listen, and says where', async () => {
    const other = createServer().listen(0, '127.0.0.1');
    await once(other, 'listening');
    const address = other.address();
    assert.ok(typeof address === 'object' && address !== null);
    const { exit, output } = await startDaemon([], { TRUNKLINE_HTTP_PORT: String(address.port) });
    assert.equal(await exit, 1);
    assert.match(output.out, /"part":"http".*EADDRINUSE/);
    other.close();
  });

  it('ends with 78 when a setting is wrong, before anything listens', async () => {
    const { exit, output } = await startDaemon([], { TRUNKLINE_HTTP_PROT: '1' });
    assert.equal(await exit, 78);
    assert.match(output.err, /environment TRUNKLINE_HTTP_PROT: there is no such setting/);
    assert.equal(output.out, '');
  });

  it('ends with 64 when the command line is wrong', async () => {
    const { exit, output } = await startDaemon(['--frobnicate']);
    assert.equal(await exit, 64);
    assert.match(output.err, /--frobnicate/);
  });

  it('prints its manual and its version', async () => {
    const help = await startDaemon(['--help']);
    assert.equal(await help.exit, 0);
    assert.match(help.output.out, /^NAME\n {2}trunkline/);
    const version = await startDaemon(['--version']);
    assert.equal(await version.exit, 0);
    assert.match(version.output.out, /^trunkline \d+\.\d+\.\d+\n$/);
  });
});
