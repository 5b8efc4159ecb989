import assert from 'node:assert/strict';
import { readdir, readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { setTimeout as pause } from 'node:timers/promises';
import { openStorage } from '../../../src/storage/storage.ts';
import { silentLogger } from '../../../src/observability/logger.ts';
import { chatRig } from '../../support/chat.ts';
import { Gateway } from '../../support/gateway.ts';

interface Link {
  readonly id: string;
  readonly token: string;
  readonly url: string;
}

async function post(url: string, body: object, headers: Record<string, string> = {}) {
  const response = await fetch(url, {
    method: 'POST',
    headers: { 'content-type': 'application/json', ...headers },
    body: JSON.stringify(body),
  });
  return { status: response.status, json: (await response.json()) as Record<string, unknown> };
}

describe('public chat of the whole daemon', function () {
  this.timeout(60_000);

  it('SEED-130…153: link, page, mailed code, chat; all of it survives kill -9', async () => {
    const first = await Gateway.start();
    let gateway = first;
    const { dataDir, adminKey } = gateway;
    const owner = { authorization: `Bearer ${adminKey}` };
    const make = `${gateway.httpUrl}/api/agents/agt_demo/public-links`;
    const made = await post(make, { require_email: true }, owner);
    assert.equal(made.status, 201);
    const { token, url } = made.json as unknown as Link;
    const page = await fetch(url);
    assert.equal(page.status, 200);
    assert.match(page.headers.get('content-security-policy') ?? '', /default-src 'none'/);

    const verify = `${gateway.httpUrl}/api/public/verify`;
    const email = 'ann@example.org';
    assert.equal((await post(`${verify}/request`, { token, email })).status, 200);
    const code = await mailedCode(join(dataDir, 'mail'));
    const { session_token: session } = (await post(`${verify}/confirm`, { token, email, code }))
      .json;
    const headers = { 'x-session-token': String(session) };
    const message = 'What is Trunkline?';
    const chat = await post(`${gateway.httpUrl}/api/public/chat/${token}`, { message }, headers);
    assert.equal(chat.status, 200);
    assert.match(JSON.stringify(chat.json), /open telephony gateway/);

    const log = gateway.lines.join('\n');
    for (const word of [email, 'ann@', String(session), token])
      assert.ok(!log.includes(word), word);
    await gateway.kill();
    gateway = await Gateway.start({ dataDir });
    try {
      const history = await fetch(`${gateway.httpUrl}/api/public/history/${token}`, { headers });
      const { messages } = (await history.json()) as { messages: { content: string }[] };
      assert.equal(messages.length, 3);
      assert.equal(messages[1]?.content, message);
    } finally {
      await gateway.stop();
      await first.removeData();
    }
  });

  it('SEED-133: of two daemons on one database only one takes the last message of a limit', async () => {
    const rig = await chatRig();
    const other = await openStorage({ file: rig.file, log: silentLogger() });
    try {
      for (let round = 0; round < 20; round += 1) {
        const link = await rig.link({ messagesPerMinute: 2 });
        const visitor = rig.visitor(link.token, `203.0.113.${round}`);
        await visitor.say('one');
        const [first] = (await visitor.history()).messages.slice(-1);
        const grant = await rig.storage.chats.findGrant(visitor.secret ?? '', rig.clock.nowMs);
        const sessionId = grant?.sessionId ?? '';
        const place = { sessionId, linkId: link.id, agentId: link.agentId, visitor: sessionId };
        const limits = { perMinute: 2, perDay: 100, minuteBeganAtMs: 0, dayBeganAtMs: 0 };
        const add = (chats: typeof other.chats, id: string, position: number) =>
          chats.addUser(
            place,
            { id, position, role: 'user', text: 'x', createdAtMs: rig.clock.nowMs },
            limits,
          );
        const next = (first?.position ?? 0) + 1;
        const taken = await Promise.all([
          add(rig.storage.chats, `msg_a${round}`, next),
          add(other.chats, `msg_b${round}`, next + 1),
        ]);
        assert.equal(taken.filter(Boolean).length, 1, `round ${round}`);
      }
    } finally {
      await other.close();
      await rig.close();
    }
  });
});

/** The code of the only mail in the folder, once it is there. */
async function mailedCode(folder: string): Promise<string> {
  for (;;) {
    const names = await readdir(folder).catch(() => []);
    const [name] = names.filter((one) => one.endsWith('.eml'));
    if (name !== undefined) {
      const text = await readFile(join(folder, name), 'utf8');
      return /^(\d{6}) is your code/m.exec(text)?.[1] ?? '';
    }
    await pause(20);
  }
}
