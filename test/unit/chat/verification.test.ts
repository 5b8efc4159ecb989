import assert from 'node:assert/strict';
import { toEmail } from '../../../src/chat/email.ts';
import { type ChatRig, chatRig } from '../../support/chat.ts';

const EMAIL = 'ann@example.org';

describe('verification of an e-mail address', () => {
  let rig: ChatRig;
  let token: string;
  beforeEach(async () => {
    rig = await chatRig();
    ({ token } = await rig.link({ requiresEmail: true }));
  });
  afterEach(() => rig.close());

  async function codeFor(email: string): Promise<string> {
    await rig.verification.request(token, email, '203.0.113.7');
    await rig.outbox.idle();
    return rig.mails.at(-1)?.text.slice(0, 6) ?? '';
  }
  const confirm = (code: string, email = EMAIL) =>
    rig.verification.confirm(token, email, code, '203.0.113.7');
  const refused = (work: Promise<unknown>) => assert.rejects(work, { code: 'CHAT_CODE_REFUSED' });
  const notThis = (code: string) => (code === '000000' ? '000001' : '000000');

  it('SEED-145: a code of six digits is mailed and works once', async () => {
    const code = await codeFor(EMAIL);
    assert.match(code, /^\d{6}$/);
    assert.match(rig.mails[0]?.text ?? '', /to chat with Front Desk/);
    assert.match((await confirm(code)).secret, /^\w{43}$/);
    await refused(confirm(code));
  });

  it('SEED-158: a code holds for ten minutes', async () => {
    const code = await codeFor(EMAIL);
    rig.clock.nowMs += 600_000;
    await refused(confirm(code));
  });

  it('a new code makes the one before void', async () => {
    const first = await codeFor(EMAIL);
    const second = await codeFor(EMAIL);
    if (first !== second) await refused(confirm(first));
    await confirm(second);
  });

  it('a code is tried five times at most, also at the same time', async () => {
    const code = await codeFor(EMAIL);
    await Promise.all(Array.from({ length: 5 }, () => refused(confirm(notThis(code)))));
    await refused(confirm(code));
  });

  it('a code is for its address and its link alone', async () => {
    const code = await codeFor(EMAIL);
    await refused(confirm(code, 'ben@example.org'));
    const other = await rig.link({ requiresEmail: true });
    await refused(rig.verification.confirm(other.token, EMAIL, code, '::1'));
    await confirm(code);
  });

  it('SEED-158: three codes for an address in ten minutes, over all links', async () => {
    for (let count = 0; count < 3; count += 1) await codeFor(EMAIL);
    const { token: other } = await rig.link({ requiresEmail: true });
    const fourth = rig.verification.request(other, ` ${EMAIL.toUpperCase()}`, '::2');
    await assert.rejects(fourth, { code: 'CHAT_RATE_LIMITED', retryAfterSeconds: 600 });
    rig.clock.nowMs += 600_000;
    await codeFor(EMAIL);
  });

  it('a link that asks for no address mails nothing', async () => {
    const open = await rig.link();
    const asked = rig.verification.request(open.token, EMAIL, '::1');
    await assert.rejects(asked, { code: 'CHAT_VERIFICATION_OFF' });
    await assert.rejects(rig.verification.request('x', EMAIL, '::1'), {
      code: 'CHAT_LINK_INACTIVE',
    });
    assert.equal(rig.mails.length, 0);
  });

  it('takes addresses that mail can reach, and nothing that could be two', () => {
    assert.equal(
      toEmail('  Ann.O\u2019Neil@Example.ORG'.replace('\u2019', "'")),
      "ann.o'neil@example.org",
    );
    assert.equal(toEmail('jörg@exämple.de'), 'jörg@exämple.de');
    const wrong = [
      '',
      'ann',
      'ann@',
      '@b.c',
      'a@b',
      'a b@c.de',
      'a@b.c, d@e.f',
      'a@b..c',
      'a\n@b.c',
      '"a"@b.c',
      `${'a'.repeat(65)}@b.cd`,
      'a@-b.cd',
      '<a@b.cd>',
    ];
    for (const text of wrong)
      assert.throws(() => toEmail(text), { code: 'CHAT_EMAIL_MALFORMED' }, text);
  });
});
