import assert from 'node:assert/strict';
import type { TransferRecord } from '../../../src/model/transfer.ts';
import { readFile, stat, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { asAgentId, asCallId, asWorkspaceId } from '../../../src/model/ids.ts';
import { silentLogger } from '../../../src/observability/logger.ts';
import { CLICK_TO_CALL_RULES } from '../../../src/storage/agent-repository.ts';
import { bootstrap, DEMO_WORKSPACE_ID } from '../../../src/storage/bootstrap.ts';
import type { CallEnd } from '../../../src/storage/call-repository.ts';
import { Connection } from '../../../src/storage/connection.ts';
import { openStorage } from '../../../src/storage/storage.ts';
import { DEMO_AGENT, newCall, newTurn, temporaryStorage } from '../../support/storage.ts';
import { temporaryFolder } from '../../support/temporary-folder.ts';

const END: CallEnd = {
  endedAtMs: 1_700_000_060_000,
  reason: 'caller-hung-up',
  sipStatus: null,
  report: null,
};

const TRANSFER: TransferRecord = {
  by: 'owner',
  mode: 'blind',
  way: 'refer',
  toNumber: '+34955666777',
  stage: 'completed',
  failure: null,
  sipStatus: 200,
  startedAtMs: 1,
  joinedAtMs: 2,
  endedAtMs: 3,
};

describe('storage of calls', () => {
  let temporary: Awaited<ReturnType<typeof temporaryStorage>>;
  before(async () => (temporary = await temporaryStorage()));
  after(() => temporary.remove());

  it('gives back a call as it was written', async () => {
    const { calls } = temporary.storage;
    const networkFacts = {
      callerName: 'Ann',
      isPrivate: false,
      divertedFrom: '+34600000001',
      diversionReason: 'no-answer',
      reason: null,
      claimedAttestation: 'A',
      headers: { 'user-agent': 'Desk phone' },
    };
    const call = { ...newCall('call_1'), networkFacts };
    await calls.create(call);
    assert.equal(await calls.markAnswered(call.id, 1_700_000_001_000.7), true);
    const transfers = [TRANSFER];
    assert.equal(await calls.end(call.id, { ...END, transfers }), true);
    assert.deepEqual(await calls.find(DEMO_WORKSPACE_ID, call.id), {
      ...call,
      status: 'completed',
      answeredAtMs: 1_700_000_001_001,
      endedAtMs: END.endedAtMs,
      endReason: 'caller-hung-up',
      sipStatus: null,
      report: null,
      transfers,
    });
  });

  it('ends a call exactly once, whoever asks, even in one batch', async () => {
    const { calls } = temporary.storage;
    await calls.create(newCall('call_2'));
    const ends = await Promise.all([
      calls.end(asCallId('call_2'), END),
      calls.end(asCallId('call_2'), { ...END, reason: 'time-limit' }),
      calls.end(asCallId('call_2'), { ...END, reason: 'media-timeout' }),
    ]);
    assert.deepEqual(ends, [true, false, false]);
    const found = await calls.find(DEMO_WORKSPACE_ID, asCallId('call_2'));
    assert.equal(found?.endReason, 'caller-hung-up');
    assert.equal(found?.status, 'failed');
  });

  it('answers no call that has ended', async () => {
    const { calls } = temporary.storage;
    await calls.create(newCall('call_3'), { ...END, reason: 'agent-busy', sipStatus: 486 });
    assert.equal(await calls.markAnswered(asCallId('call_3'), 1), false);
    const found = await calls.find(DEMO_WORKSPACE_ID, asCallId('call_3'));
    assert.equal(found?.sipStatus, 486);
    assert.equal(found?.answeredAtMs, null);
  });

  it('takes start, answer, turns and end of a call asked for at once', async () => {
    const { calls } = temporary.storage;
    const id = asCallId('call_4');
    const results = await Promise.all([
      calls.create(newCall('call_4')),
      calls.markAnswered(id, 1_700_000_000_500),
      calls.appendTurn(id, newTurn(0)),
      calls.appendTurn(id, newTurn(1)),
      calls.end(id, END),
    ]);
    assert.deepEqual(results, [undefined, true, undefined, undefined, true]);
    assert.deepEqual(await calls.transcript(id), [newTurn(0), newTurn(1)]);
  });

  it('keeps any text of a turn, save what no database can hold', async () => {
    const { calls } = temporary.storage;
    const id = asCallId('call_5');
    await calls.create(newCall('call_5'));
    const text = `quotes " ' \\ \u2028 🙂 {{x}} ${'é'.repeat(10_000)}`;
    await calls.appendTurn(id, newTurn(0, { text }));
    await calls.appendTurn(id, newTurn(1, { text: 'a\0b\ud800c' }));
    const [first, second] = await calls.transcript(id);
    assert.equal(first?.text, text);
    assert.equal(second?.text, 'a\u{FFFD}b\u{FFFD}c');
  });

  it('hides a call from other workspaces', async () => {
    const { calls } = temporary.storage;
    assert.equal(await calls.find(asWorkspaceId('ws_other'), asCallId('call_1')), null);
    assert.deepEqual(await calls.list(asWorkspaceId('ws_other'), {}, 10), []);
  });

  it('lists newest first, in pages that neither miss nor repeat, by filter', async () => {
    const { calls } = temporary.storage;
    const agentId = asAgentId('agt_list');
    const ids = Array.from({ length: 25 }, (_, index) => `call_l${String(index).padStart(2, '0')}`);
    await Promise.all(
      // Five at a time share their moment.
      ids.map((id, index) =>
        calls.create(newCall(id, { agentId, startedAtMs: 1000 + Math.floor(index / 5) })),
      ),
    );
    const seen: string[] = [];
    let page = await calls.list(DEMO_WORKSPACE_ID, { agentId }, 4);
    while (page.length > 0) {
      seen.push(...page.map(({ id }) => id));
      const last = page.at(-1);
      assert.ok(last !== undefined);
      page = await calls.list(DEMO_WORKSPACE_ID, { agentId }, 4, last);
    }
    assert.deepEqual(seen, ids.toReversed());
    const some = { agentId, startedFromMs: 1001, startedBeforeMs: 1003 };
    assert.equal((await calls.list(DEMO_WORKSPACE_ID, some, 100)).length, 10);
    assert.equal(
      (await calls.list(DEMO_WORKSPACE_ID, { agentId, status: 'completed' }, 9)).length,
      0,
    );
    assert.equal((await calls.list(DEMO_WORKSPACE_ID, { direction: 'outbound' }, 9)).length, 0);
  });

  it('refuses a second call of the same id and a turn of no call, and only those', async () => {
    const { calls } = temporary.storage;
    const results = await Promise.allSettled([
      calls.create(newCall('call_6')),
      calls.create(newCall('call_1')),
      calls.appendTurn(asCallId('call_none'), newTurn(0)),
      calls.create(newCall('call_7')),
    ]);
    assert.deepEqual(
      results.map((result) => (result.status === 'rejected' ? result.reason.code : 'stands')),
      ['stands', 'STORAGE_CONFLICT', 'STORAGE_CONFLICT', 'stands'],
    );
    assert.notEqual(await calls.find(DEMO_WORKSPACE_ID, asCallId('call_7')), null);
    assert.equal(temporary.storage.health().lastFailure, null);
  });
});

describe('storage of agents', () => {
  let temporary: Awaited<ReturnType<typeof temporaryStorage>>;
  before(async () => (temporary = await temporaryStorage()));
  after(() => temporary.remove());

  it('has the demo agent after the first start', async () => {
    const agent = await temporary.storage.agents.findForCall(asAgentId('agt_demo'));
    assert.deepEqual(agent, {
      ...DEMO_AGENT,
      workspaceId: DEMO_WORKSPACE_ID,
      type: 'standard',
      isShareable: false,
      templateId: null,
      aiProvider: null,
      aiModel: null,
      clickToCall: CLICK_TO_CALL_RULES,
      webhookUrl: null,
      preCallAnnouncement: '',
      callWindow: null,
      timeZone: null,
      transferTargets: [],
      revision: 1,
      createdAtMs: 1_700_000_000_000,
      updatedAtMs: 1_700_000_000_000,
    });
  });

  it('changes what is given and keeps the rest, also when two change at once', async () => {
    const { agents } = temporary.storage;
    await Promise.all([
      agents.update(DEMO_WORKSPACE_ID, DEMO_AGENT.id, { greetingText: 'Hi.' }, 5),
      agents.update(DEMO_WORKSPACE_ID, DEMO_AGENT.id, { isEnabled: false, phrasebook: null }, 6),
    ]);
    const agent = await agents.find(DEMO_WORKSPACE_ID, DEMO_AGENT.id);
    assert.equal(agent?.greetingText, 'Hi.');
    assert.equal(agent?.isEnabled, false);
    assert.equal(agent?.phrasebook, null);
    assert.deepEqual(agent?.idle, DEMO_AGENT.idle);
    assert.equal(agent?.updatedAtMs, 6);
  });

  it('changes nothing of another workspace', async () => {
    const { agents } = temporary.storage;
    const change = { displayName: 'mine now' };
    assert.equal(await agents.update(asWorkspaceId('ws_x'), DEMO_AGENT.id, change, 7), null);
    assert.equal((await agents.findForCall(DEMO_AGENT.id))?.displayName, 'Demo');
  });

  it('refuses an agent whose id is taken', async () => {
    const agent = { ...DEMO_AGENT, workspaceId: DEMO_WORKSPACE_ID };
    assert.equal(await temporary.storage.agents.create(agent, 9), false);
  });
});

describe('the admin key', () => {
  it('is made once, kept in a file that only its owner reads, and stored as a hash', async () => {
    const { storage, folder, file, adminKey, remove } = await temporaryStorage();
    const keyFile = join(folder, 'admin.key');
    assert.equal((await stat(keyFile)).mode & 0o777, 0o600);
    assert.equal((await readFile(keyFile, 'utf8')).trim(), adminKey);
    assert.equal((await storage.apiKeys.verify(adminKey))?.workspaceId, DEMO_WORKSPACE_ID);
    assert.equal(await storage.apiKeys.verify(`${adminKey.slice(0, -1)}!`), null);

    const options = { storage, demoAgent: DEMO_AGENT, adminKey: null, dataDir: folder, nowMs: 2 };
    assert.equal((await bootstrap(options)).adminKey, adminKey);
    assert.equal((await storage.apiKeys.listActive(DEMO_WORKSPACE_ID)).length, 1);
    await storage.close();
    for (const path of [file, `${file}-wal`]) {
      const bytes = await readFile(path).catch(() => Buffer.alloc(0));
      assert.equal(bytes.includes(adminKey), false);
    }
    await remove();
  });

  it('of the settings replaces the one before it', async () => {
    const { storage, folder, adminKey, remove } = await temporaryStorage();
    const chosen = 'pk_live_chosen_by_the_operator_0001';
    const options = { storage, demoAgent: DEMO_AGENT, dataDir: folder, nowMs: 2 };
    await bootstrap({ ...options, adminKey: chosen });
    assert.equal(await storage.apiKeys.verify(adminKey), null);
    assert.equal((await storage.apiKeys.verify(chosen))?.label, 'admin');
    // The same first letters do not make it the same key.
    const next = `${chosen}x`;
    await bootstrap({ ...options, adminKey: next });
    assert.equal(await storage.apiKeys.verify(chosen), null);
    assert.notEqual(await storage.apiKeys.verify(next), null);
    await remove();
  });

  it('is refused at once when revoked', async () => {
    const { storage, adminKey, remove } = await temporaryStorage();
    const key = await storage.apiKeys.verify(adminKey);
    assert.ok(key !== null);
    assert.equal(await storage.apiKeys.revoke(DEMO_WORKSPACE_ID, key.id, 5), true);
    assert.equal(await storage.apiKeys.revoke(DEMO_WORKSPACE_ID, key.id, 6), false);
    assert.equal(await storage.apiKeys.verify(adminKey), null);
    await remove();
  });
});

describe('a database that cannot be used', () => {
  it('says so when it is no database', async () => {
    const folder = await temporaryFolder();
    const file = join(folder.path, 'x.sqlite');
    await writeFile(
      file,
      'this is a text and not a database, and long enough to be one '.repeat(40),
    );
    await assert.rejects(openStorage({ file, log: silentLogger() }), { code: 'STORAGE_CORRUPT' });
    await folder.remove();
  });

  it('says so when its folder cannot be written', async () => {
    const folder = await temporaryFolder();
    await writeFile(join(folder.path, 'file'), '');
    const file = join(folder.path, 'file', 'deeper', 'x.sqlite');
    await assert.rejects(openStorage({ file, log: silentLogger() }), {
      code: 'STORAGE_UNWRITABLE',
    });
    await folder.remove();
  });

  it('says so when a later version made it', async () => {
    const folder = await temporaryFolder();
    const file = join(folder.path, 'x.sqlite');
    const connection = await Connection.open(file, { busyTimeoutMs: 100 });
    await connection.exec('PRAGMA user_version = 9999');
    await connection.close();
    await assert.rejects(openStorage({ file, log: silentLogger() }), { code: 'STORAGE_NEWER' });
    await folder.remove();
  });
});
