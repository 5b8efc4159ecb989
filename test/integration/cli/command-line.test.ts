import assert from 'node:assert/strict';
import { type CommandResult, trunkline } from '../../support/command-line.ts';
import { Gateway } from '../../support/gateway.ts';
import { SipPhone } from '../../support/sip-phone.ts';
import { TestPhone } from '../../support/test-phone.ts';

describe('the command line', function () {
  this.timeout(120_000);
  let gateway: Gateway;
  before(async () => {
    gateway = await Gateway.start();
  });
  after(() => gateway?.stop());

  const run = (...args: string[]): Promise<CommandResult> =>
    trunkline(args, { TRUNKLINE_URL: gateway.httpUrl, TRUNKLINE_API_KEY: gateway.adminKey });
  const done = async (...args: string[]): Promise<string> => {
    const { code, out, err } = await run(...args);
    assert.equal(code, 0, `${args.join(' ')}: ${err}`);
    assert.equal(err, '');
    return out;
  };
  const json = async (...args: string[]) => JSON.parse(await done('--json', ...args)) as Json;

  it('shows keys, makes one that works, and revokes it', async () => {
    assert.match(await done('keys', 'list'), /^ID +LABEL +PREFIX.*\n\S+ +admin /);
    const made = await json('keys', 'create', 'crm', '--scope', 'agents:read,calls:read');
    const key = String(made['key']);
    assert.match(key, /^pk_live_/);
    const asCrm = { TRUNKLINE_URL: gateway.httpUrl };
    const read = await trunkline(['--key', key, 'agents', 'list'], asCrm);
    assert.equal(read.code, 0, read.err);
    const refused = await trunkline(['--key', key, 'agents', 'set', 'agt_demo', 'voice=x'], asCrm);
    assert.equal(refused.code, 77);
    assert.match(refused.err, /^trunkline: .*agents:write.*\(PERMISSION_DENIED\)\n$/);
    const id = String(made['key_id']);
    assert.match(await done('keys', 'rotate', id, '--overlap-seconds', '0'), /pk_live_/);
    assert.equal((await trunkline(['--key', key, 'agents', 'list'], asCrm)).code, 77);
    assert.equal((await run('keys', 'revoke', 'key_none')).code, 66);
  });

  it('makes, shows, changes, shares and deletes an agent', async () => {
    const made = await json('agents', 'create', 'Bakery', '-f', 'time_limit_seconds=60');
    const id = String(made['agent_id']);
    assert.equal(made['time_limit_seconds'], 60);
    assert.match(await done('agents', 'list'), new RegExp(`${id} +Bakery +standard +yes`));
    await done('agents', 'set', id, 'greeting_text=Hi there', 'enabled=false');
    assert.match(await done('agents', 'show', id), /^greeting +Hi there$/m);
    assert.equal(await done('links', 'share', id), `${gateway.httpUrl}/try/${id}\n`);
    assert.match(await done('links', 'unshare', id), /not shared/);
    assert.match(await done('agents', 'templates'), /^ID +NAME/);
    assert.match(await done('agents', 'delete', id), /is deleted/);
    assert.equal((await run('agents', 'show', id)).code, 66);
  });

  it('makes and ends links of both kinds', async () => {
    const create = ['--expiry', '1_day', '--prompt', 'You are a baker.', '--minutes', '90'];
    const { links } = await json('links', 'voice', 'create', '-l', 'Ann,Bob', ...create);
    const [ann, bob] = links as Json[];
    assert.deepEqual(
      [ann?.['label'], ann?.['timeLimitMinutes'], bob?.['label']],
      ['Ann', 60, 'Bob'],
    );
    assert.match(await done('links', 'voice', 'list'), /Ann +active/);
    const id = String(ann?.['id']);
    await done('links', 'voice', 'disable', id);
    assert.match(await done('links', 'voice', 'list'), /Ann +disabled/);
    await done('links', 'voice', 'delete', id);
    const bad = await run('links', 'voice', 'create', '-l', 'x', '-e', '1_year', '-p', 'y');
    assert.equal(bad.code, 64);
    const url = await done('links', 'chat', 'create', 'agt_demo', '--name', 'site');
    assert.match(url, /\/public\/chat\/\S+\n$/);
    const listed = await json('links', 'chat', 'list', 'agt_demo');
    const [link] = listed['public_links'] as Json[];
    assert.match(await done('links', 'chat', 'list', 'agt_demo'), /site +active/);
    await done('links', 'chat', 'delete', 'agt_demo', String(link?.['id']));
  });

  it('lists, shows, watches and hangs up calls', async () => {
    const phone = await SipPhone.open(gateway.sipPort);
    const media = await TestPhone.open({ codec: 'pcmu' });
    const answer = await phone.invite({ sdp: media.sdp() });
    assert.equal(answer.status, 200);
    const { call_id: id } = await gateway.nextCall();
    assert.match(await done('calls', 'list', '--status', 'in-progress'), new RegExp(id));
    const watched = done('calls', 'watch', id);
    const words = done('--json', 'calls', 'watch', id, '--words');
    media.connectTo(answer.body);
    await gateway.callWhen(id, 'greeted', (_, turns) => turns.length > 0);
    assert.match(await done('calls', 'say', id, 'One moment.'), /will be said/);
    assert.match(await done('calls', 'hangup', id), /is hung up/);
    assert.match(
      await watched,
      /initiated\n[^]*answered\n[^]*agent: Hi[^]*ended end_reason=operator-/,
    );
    const frames = (await words)
      .trim()
      .split('\n')
      .map((line) => JSON.parse(line) as Json);
    assert.ok(frames.some((frame) => frame['is_final'] === true));
    assert.equal(frames.at(-1)?.['type'], 'ended');
    assert.match(await done('calls', 'show', id), /^end +operator-hung-up$/m);
    assert.equal((await run('calls', 'say', id, 'x')).code, 65);
    const noTrunk = await run('calls', 'dial', 'agt_demo', '+34955666777');
    assert.equal(noTrunk.code, 77);
    assert.match(noTrunk.err, /DESTINATION_NOT_ALLOWED/);
    phone.close();
    media.close();
  });

  it('tells what calls came to', async () => {
    assert.match(await done('usage', '--by', 'door'), /^period .*\n(.*\n)*cost +0\.0000$/m);
    const usage = await json('usage', '--from', '2026-01-01', '--to', '2026-01-31');
    assert.deepEqual(usage['period'], { from: '2026-01-01', to: '2026-01-31' });
    assert.equal((await run('usage', '--from', 'soon')).code, 65);
  });

  it('finds the key in the data folder of a daemon on the same machine', async () => {
    const env = { TRUNKLINE_URL: gateway.httpUrl, TRUNKLINE_DATA_DIR: gateway.dataDir };
    const { code, out } = await trunkline(['trunks', 'list'], env);
    assert.deepEqual([code, out], [0, 'no trunks\n']);
    const lost = await trunkline(['trunks', 'list'], { ...env, TRUNKLINE_DATA_DIR: '/nowhere' });
    assert.equal(lost.code, 77);
    assert.match(lost.err, /no key: give --key or TRUNKLINE_API_KEY/);
  });

  it('says with 69 that no daemon answers, with 77 that a key is none', async () => {
    const nobody = await trunkline(['--url', 'http://127.0.0.1:1', '--key', 'k', 'calls', 'list']);
    assert.equal(nobody.code, 69);
    assert.equal(nobody.err, 'trunkline: no daemon answers at http://127.0.0.1:1\n');
    const wrong = ['--url', gateway.httpUrl, '--key', 'pk_live_wrong', 'calls', 'list'];
    assert.equal((await trunkline(wrong)).code, 77);
  });

  it('ends with 64 when the command line is wrong, and says what is', async () => {
    for (const [args, said] of [
      [['frobnicate'], /unknown command 'frobnicate'/],
      [['calls', 'list', '--colour', 'red'], /unknown option '--colour'/],
      [['calls', 'list', '--limit', 'many'], /expected a whole number/],
      [['calls', 'show'], /missing required argument 'call-id'/],
      [['keys', 'create', 'x'], /required option.*--scope/],
      [['agents', 'show', 'a', 'b'], /too many arguments/],
      [['--url', 'nonsense', 'calls', 'list'], /nonsense is no address/],
    ] as const) {
      const { code, err } = await run(...args);
      assert.equal(code, 64, args.join(' '));
      assert.match(err, said);
    }
  });

  it('has a page of help for every command', async () => {
    const whole = await done('help');
    assert.match(whole, /Exit status:/);
    for (const area of ['keys', 'agents', 'links', 'calls', 'trunks'])
      assert.match(await done(area, '--help'), new RegExp(`Usage: trunkline ${area}`));
    assert.match(await done('help', 'calls'), /watch/);
    assert.match(await done('calls', 'dial', '--help'), /--var <name=value>/);
  });
});

type Json = Readonly<Record<string, unknown>>;
