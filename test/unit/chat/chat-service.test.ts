import assert from 'node:assert/strict';
import type { ChatErrorCode } from '../../../src/chat/chat-error.ts';
import { ChatError } from '../../../src/chat/chat-error.ts';
import { asAgentId } from '../../../src/model/ids.ts';
import { DEMO_WORKSPACE_ID } from '../../../src/storage/bootstrap.ts';
import { type ChatRig, chatRig } from '../../support/chat.ts';

const AGENT = asAgentId('agt_demo');
const MINUTE_MS = 60_000;
const HOUR_MS = 3_600_000;

export async function refusal(work: Promise<unknown>): Promise<ChatError> {
  const error = await work.then(
    () => null,
    (thrown: unknown) => thrown,
  );
  assert.ok(error instanceof ChatError, `expected a ChatError, got ${String(error)}`);
  return error;
}

async function refusedWith(code: ChatErrorCode, work: Promise<unknown>): Promise<ChatError> {
  const error = await refusal(work);
  assert.equal(error.code, code);
  return error;
}

describe('public chat', () => {
  let rig: ChatRig;
  beforeEach(async () => (rig = await chatRig()));
  afterEach(() => rig.close());

  it('SEED-130, SEED-144: anyone with the address chats at once, without signing in', async () => {
    const visitor = rig.visitor((await rig.link()).token);
    assert.equal(await visitor.say('What are your opening hours?'), 'Nine to five.');
  });

  it('SEED-134, SEED-146: the conversation is there after a refresh, and goes on', async () => {
    const visitor = rig.visitor((await rig.link()).token);
    await visitor.say('My name is Anna');
    rig.clock.nowMs += 23 * HOUR_MS;
    assert.deepEqual(await visitor.texts(), ['Hello.', 'My name is Anna', 'Hello, anna.']);
    assert.equal(await visitor.say('who am i'), 'You are anna.');
    rig.clock.nowMs += 23 * HOUR_MS;
    assert.equal((await visitor.texts()).length, 5, 'each message lets it live a day longer');
    rig.clock.nowMs += 25 * HOUR_MS;
    assert.deepEqual(await visitor.texts(), ['Hello.'], 'a day without a message ends it');
  });

  it('SEED-135, SEED-145: a verified address chats; its conversation is there on any device', async () => {
    const { token } = await rig.link({ requiresEmail: true });
    const phone = rig.visitor(token);
    await phone.verify('Ann@Example.org ');
    await phone.say('My name is Anna');
    const desktop = rig.visitor(token);
    await desktop.verify('ann@example.org');
    assert.equal(await desktop.say('who am i'), 'You are anna.');
    assert.equal((await phone.texts()).length, 5);
  });

  it('SEED-132: nothing is said or shown before the address is verified', async () => {
    const { token } = await rig.link({ requiresEmail: true });
    const visitor = rig.visitor(token);
    await refusedWith('CHAT_VERIFICATION_REQUIRED', visitor.say('opening hours'));
    await refusedWith('CHAT_VERIFICATION_REQUIRED', visitor.history());
    visitor.secret = 'x'.repeat(43);
    await refusedWith('CHAT_VERIFICATION_REQUIRED', visitor.history());
  });

  it('SEED-131: verification turned on later stops anonymous sessions at the next message', async () => {
    const link = await rig.link();
    const visitor = rig.visitor(link.token);
    await visitor.say('My name is Anna');
    await rig.links.update(DEMO_WORKSPACE_ID, 'agt_demo', link.id, { requiresEmail: true });
    await refusedWith('CHAT_VERIFICATION_REQUIRED', visitor.say('who am i'));
    await rig.links.update(DEMO_WORKSPACE_ID, 'agt_demo', link.id, { requiresEmail: false });
    assert.equal(await visitor.say('who am i'), 'You are anna.', 'its history was kept');
  });

  it('SEED-147: New Conversation begins an empty one', async () => {
    const visitor = rig.visitor((await rig.link()).token);
    await visitor.say('My name is Anna');
    await visitor.startAnew();
    assert.deepEqual(await visitor.texts(), ['Hello.']);
    assert.equal(await visitor.say('who am i'), 'You are a stranger.');
    assert.deepEqual(await visitor.texts(), ['Hello.', 'who am i', 'You are a stranger.']);
  });

  it('SEED-147: New Conversation of a verified address keeps the sign-in', async () => {
    const visitor = rig.visitor((await rig.link({ requiresEmail: true })).token);
    await visitor.verify('ann@example.org');
    await visitor.say('My name is Anna');
    await visitor.startAnew();
    assert.equal(await visitor.say('who am i'), 'You are a stranger.');
  });

  it('SEED-155: an anonymous session gives nothing to another browser or the next session', async () => {
    const { token } = await rig.link();
    const one = rig.visitor(token);
    const other = rig.visitor(token);
    await one.say('My name is Anna');
    assert.equal(await other.say('who am i'), 'You are a stranger.');
  });

  it('a session of one link opens no other', async () => {
    const visitor = rig.visitor((await rig.link()).token);
    await visitor.say('My name is Anna');
    const elsewhere = rig.visitor((await rig.link()).token);
    elsewhere.secret = visitor.secret;
    assert.deepEqual(await elsewhere.texts(), ['Hello.']);
  });

  it('SEED-142: the welcome is the first turn, or the greeting, or none, and counts to no limit', async () => {
    const own = await rig.link({ welcomeMessage: 'Hi from {{agent_name}}!', messagesPerDay: 1 });
    const visitor = rig.visitor(own.token);
    assert.deepEqual(await visitor.texts(), ['Hi from Front Desk!']);
    await visitor.say('opening hours');
    assert.deepEqual((await visitor.texts())[0], 'Hi from Front Desk!');
    assert.deepEqual(await rig.visitor((await rig.link()).token).texts(), ['Hello.']);
    const silent = await rig.link({ welcomeMessage: '' });
    assert.deepEqual(await rig.visitor(silent.token).texts(), []);
  });

  it('SEED-154: a session has its messages per minute and per day', async () => {
    const { token } = await rig.link({ messagesPerMinute: 2, messagesPerDay: 3 });
    const visitor = rig.visitor(token);
    await visitor.say('one');
    rig.clock.nowMs += 20_000;
    await visitor.say('two');
    const minute = await refusedWith('CHAT_RATE_LIMITED', visitor.say('three'));
    assert.equal(minute.retryAfterSeconds, 40);
    assert.equal((await visitor.texts()).length, 5, 'a refused message is not kept');
    rig.clock.nowMs += 40_000;
    await visitor.say('three');
    rig.clock.nowMs += MINUTE_MS;
    const day = await refusedWith('CHAT_RATE_LIMITED', visitor.say('four'));
    assert.equal(day.retryAfterSeconds, 12 * 3600 - 120, 'until the day of UTC ends');
    rig.clock.nowMs += (day.retryAfterSeconds ?? 0) * 1000;
    await visitor.say('four');
  });

  it('SEED-133: a verified address has one limit over all its devices and conversations', async () => {
    const { token } = await rig.link({ requiresEmail: true, messagesPerMinute: 2 });
    const phone = rig.visitor(token);
    await phone.verify('ann@example.org');
    const desktop = rig.visitor(token);
    await desktop.verify('ann@example.org');
    await phone.say('one');
    await phone.startAnew();
    await desktop.say('two');
    await refusedWith('CHAT_RATE_LIMITED', phone.say('three'));
    const ben = rig.visitor(token);
    await ben.verify('ben@example.org');
    await ben.say('one');
  });

  it('SEED-154: sessions are free to make, so an address of the network has a limit too', async () => {
    const { token } = await rig.link();
    for (let count = 0; count < 30; count += 1) await rig.visitor(token).say('hello');
    const error = await refusedWith('CHAT_RATE_LIMITED', rig.visitor(token).say('hello'));
    assert.equal(error.retryAfterSeconds, 60);
    await rig.visitor(token, '203.0.113.8').say('hello');
  });

  it('one reply at a time: a second message waits for the first', async () => {
    const visitor = rig.visitor((await rig.link()).token);
    await visitor.say('hello');
    const all = await Promise.allSettled([
      visitor.say('one'),
      visitor.say('two'),
      visitor.say('3'),
    ]);
    const refused = all.filter(({ status }) => status === 'rejected');
    assert.equal(refused.length, 2);
    for (const one of refused)
      assert.equal((one as PromiseRejectedResult).reason.code, 'CHAT_REPLYING');
    assert.equal((await visitor.texts()).length, 5);
  });

  it('a conversation keeps the agent it began with; a new one has the agent of now', async () => {
    const { token } = await rig.link();
    const visitor = rig.visitor(token);
    await visitor.say('opening hours');
    const phrasebook = { entries: [], fallbacks: ['All new.'] };
    await rig.storage.agents.update(DEMO_WORKSPACE_ID, AGENT, { phrasebook }, 1);
    assert.equal(await visitor.say('opening hours'), 'Still nine to five.');
    assert.equal(await rig.visitor(token).say('opening hours'), 'All new.');
    await visitor.startAnew();
    assert.equal(await visitor.say('opening hours'), 'All new.');
  });

  it('a conversation of a verified address takes the new agent after a day without a message', async () => {
    const visitor = rig.visitor((await rig.link({ requiresEmail: true })).token);
    await visitor.verify('ann@example.org');
    await visitor.say('opening hours');
    const phrasebook = { entries: [], fallbacks: ['All new.'] };
    await rig.storage.agents.update(DEMO_WORKSPACE_ID, AGENT, { phrasebook }, 1);
    rig.clock.nowMs += 25 * HOUR_MS;
    await visitor.verify('ann@example.org');
    assert.equal(await visitor.say('opening hours'), 'All new.');
    assert.equal((await visitor.texts()).length, 5, 'and keeps its history');
  });

  it('a sign-in ends after a day, used or not', async () => {
    const visitor = rig.visitor((await rig.link({ requiresEmail: true })).token);
    await visitor.verify('ann@example.org');
    rig.clock.nowMs += 23 * HOUR_MS;
    await visitor.say('hello');
    rig.clock.nowMs += 2 * HOUR_MS;
    await refusedWith('CHAT_VERIFICATION_REQUIRED', visitor.say('hello'));
  });

  it('SEED-151: a deleted, disabled, expired or unknown link answers the same', async () => {
    const { clock, links } = rig;
    const deleted = await rig.link();
    await links.remove(DEMO_WORKSPACE_ID, 'agt_demo', deleted.id);
    const disabled = await rig.link({ isEnabled: false });
    const expired = await rig.link({ expiresAtMs: clock.nowMs });
    const rotated = await rig.link();
    await links.rotate(DEMO_WORKSPACE_ID, 'agt_demo', rotated.id);
    const messages = new Set<string>();
    for (const token of [
      deleted.token,
      disabled.token,
      expired.token,
      rotated.token,
      'x',
      'y'.repeat(32),
    ]) {
      const error = await refusedWith('CHAT_LINK_INACTIVE', rig.visitor(token).say('hello'));
      messages.add(error.message);
    }
    assert.equal(messages.size, 1);
    await rig.storage.agents.update(DEMO_WORKSPACE_ID, AGENT, { isEnabled: false }, 1);
    await refusedWith('CHAT_LINK_INACTIVE', rig.visitor((await rig.link()).token).say('hello'));
  });

  it('takes no empty message, and keeps no control characters', async () => {
    const visitor = rig.visitor((await rig.link()).token);
    await refusedWith('CHAT_TEXT_EMPTY', visitor.say(' \u0000\u0007\n '));
    await visitor.say('one\u0000\u001b[31m\r\ntwo\ud800');
    assert.equal((await visitor.texts())[1], 'one[31m\ntwo\ufffd');
  });

  it('writes nothing about people into the log', async () => {
    const visitor = rig.visitor((await rig.link({ requiresEmail: true })).token);
    await visitor.verify('ann@example.org');
    await visitor.say('My name is Anna');
    await rig.keeper.idle();
    const log = rig.logLines.join('');
    for (const word of ['ann@', 'Anna', visitor.secret ?? '']) assert.ok(!log.includes(word), word);
  });

  it('keeps neither cookies nor codes as they are', async () => {
    const visitor = rig.visitor((await rig.link({ requiresEmail: true })).token);
    await rig.verification.request(visitor.token, 'ann@example.org', '::1');
    await rig.outbox.idle();
    const code = rig.mails[0]?.text.slice(0, 6) ?? '';
    await visitor.verify('ben@example.org');
    const { Connection } = await import('../../../src/storage/connection.ts');
    const connection = await Connection.open(rig.file, { busyTimeoutMs: 1000 });
    const rows = await connection.all('SELECT * FROM chat_grants');
    const codes = await connection.all('SELECT * FROM chat_codes');
    await connection.close();
    assert.equal(rows.length, 1);
    assert.equal(codes.length, 1);
    const text = JSON.stringify([rows, codes]);
    assert.ok(!text.includes(visitor.secret ?? '?'));
    assert.ok(!text.includes(`"${code}"`));
  });
});
