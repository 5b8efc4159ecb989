import assert from 'node:assert/strict';
import { readdir, readFile, stat } from 'node:fs/promises';
import { join } from 'node:path';
import {
  createFileMailer,
  createSmtpMailer,
  type Mailer,
  type SmtpSettings,
} from '../../../src/chat/mail.ts';
import { Outbox } from '../../../src/chat/outbox.ts';
import { createLogger } from '../../../src/observability/logger.ts';
import { codeIn, SmtpServer } from '../../support/smtp-server.ts';
import { temporaryFolder } from '../../support/temporary-folder.ts';

const MAIL = {
  to: 'ann@example.org',
  subject: '123456 is your code',
  text: '123456 is your code.\n',
};

describe('mail', () => {
  let server: SmtpServer;
  let mailer: Mailer | null = null;
  beforeEach(async () => (server = await SmtpServer.start({ password: 'pass word' })));
  afterEach(async () => {
    mailer?.close();
    mailer = null;
    await server.stop();
  });

  function open(change: Partial<SmtpSettings> = {}): Mailer {
    mailer = createSmtpMailer({
      host: '127.0.0.1',
      port: server.port,
      tls: 'none',
      user: 'trunkline',
      password: 'pass word',
      from: 'Front Desk <desk@example.org>',
      timeoutMs: 300,
      ...change,
    });
    return mailer;
  }

  it('reaches an SMTP server whole, signed in', async () => {
    await open().send(MAIL);
    const mail = await server.nextMail();
    assert.deepEqual(
      [mail.from, mail.to, mail.user],
      ['desk@example.org', ['ann@example.org'], 'trunkline'],
    );
    assert.match(mail.text, /^From: Front Desk <desk@example\.org>$/m);
    assert.match(mail.text, /^Auto-Submitted: auto-generated$/m);
    assert.equal(codeIn(mail), '123456');
  });

  it('cannot be made to reach a second person or carry a header of its reader', async () => {
    await open()
      .send({
        ...MAIL,
        subject: 'Hi\r\nBcc: eve@example.org',
        to: 'ann@example.org, eve@example.org',
      })
      .catch(() => {});
    for (const { to, text } of server.mails) {
      assert.ok(!to.includes('eve@example.org'));
      assert.doesNotMatch(text, /^Bcc:/m);
    }
  });

  const refusals = [
    ['refuses', 'MAIL_REFUSED', false],
    ['defers', 'MAIL_REFUSED', true],
    ['stalls', 'MAIL_UNREACHABLE', true],
    ['breaks', 'MAIL_UNREACHABLE', true],
  ] as const;
  for (const [mood, code, retryable] of refusals) {
    it(`fails with ${code} when the server ${mood}, and says nothing of the recipient`, async () => {
      server.mood = mood;
      await assert.rejects(
        open().send(MAIL),
        (error: Error & { code: string; retryable: boolean; facts: object }) => {
          assert.deepEqual([error.code, error.retryable], [code, retryable]);
          assert.doesNotMatch(`${error.message}${JSON.stringify(error.facts)}`, /ann/);
          return true;
        },
      );
      server.mood = 'accepts';
      await mailer?.send(MAIL);
      assert.equal(server.mails.length, 1, 'and works again when the server does');
    });
  }

  it('fails with MAIL_UNAUTHORIZED when the password is wrong', async () => {
    await assert.rejects(open({ password: 'wrong' }).send(MAIL), {
      code: 'MAIL_UNAUTHORIZED',
      retryable: false,
    });
  });

  it('is not sent in the clear to a server that has no TLS, unless that was asked for', async () => {
    await assert.rejects(open({ tls: 'starttls' }).send(MAIL));
    assert.equal(server.attempts, 0);
  });

  it('fails when there is no server', async () => {
    const { port } = server;
    await server.stop();
    server = await SmtpServer.start();
    const sent = open({ port }).send(MAIL);
    await assert.rejects(sent, { code: 'MAIL_UNREACHABLE', retryable: true });
  });

  it('is tried twice by the outbox, which logs what is lost without the address', async () => {
    const lines: string[] = [];
    const log = createLogger({
      level: 'debug',
      pretty: 'never',
      destination: { write: (line) => void lines.push(line) },
    });
    const outbox = new Outbox({ mailer: open(), log, retryAfterMs: 1 });
    server.mood = 'defers';
    outbox.add(MAIL);
    await outbox.idle();
    assert.equal(server.attempts, 2);
    server.mood = 'refuses';
    outbox.add(MAIL);
    await outbox.idle();
    assert.equal(server.attempts, 3, 'a refusal is final');
    assert.equal(lines.filter((line) => line.includes('a mail was not sent')).length, 2);
    assert.doesNotMatch(lines.join(''), /ann|123456/);
    outbox.close();
    assert.equal(outbox.hasRoom, false);
  });

  it('has room for a hundred mails and no more', async () => {
    const held: (() => void)[] = [];
    const slow = {
      send: () => new Promise<void>((resolve) => held.push(resolve)),
      close: () => {},
    };
    const log = createLogger({ level: 'silent', pretty: 'never' });
    const outbox = new Outbox({ mailer: slow, log });
    for (let count = 0; count < 120; count += 1) outbox.add(MAIL);
    assert.equal(held.length, 100);
    assert.equal(outbox.hasRoom, false);
    for (const release of held) release();
    await outbox.idle();
    assert.equal(outbox.hasRoom, true);
  });

  it('is kept as files that only their owner reads, the latest hundred, when there is no server', async () => {
    const folder = await temporaryFolder();
    const path = join(folder.path, 'mail');
    const files = createFileMailer(path, 'desk@example.org');
    for (let count = 0; count < 102; count += 1)
      await files.send({ ...MAIL, subject: `mail ${count}` });
    const names = (await readdir(path)).toSorted();
    assert.equal(names.length, 100);
    const last = join(path, names.at(-1) ?? '');
    assert.equal((await stat(last)).mode & 0o777, 0o600);
    const text = await readFile(last, 'utf8');
    assert.match(text, /^To: ann@example\.org\r$/m);
    assert.match(text, /^123456 is your code/m);
    files.close();
    await folder.remove();
  });
});
