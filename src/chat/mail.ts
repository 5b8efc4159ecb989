import { randomUUID } from 'node:crypto';
import { mkdir, readdir, rename, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { createTransport } from 'nodemailer';
import { GatewayError } from '../lib/gateway-error.ts';

export interface Mail {
  readonly to: string;
  readonly subject: string;
  readonly text: string;
}

/** Sends one mail, or throws `MailError`. It does not try again. */
export interface Mailer {
  send(mail: Mail): Promise<void>;
  close(): void;
}

export type MailErrorCode =
  /** The server could not be reached, broke off or said nothing in time. */
  | 'MAIL_UNREACHABLE'
  | 'MAIL_UNAUTHORIZED'
  /** The server refused the mail; `retryable` when it said that it may take it later. */
  | 'MAIL_REFUSED';

/** Facts hold the server's status, never its words: they may name the recipient. */
export class MailError extends GatewayError<MailErrorCode> {}

export interface SmtpSettings {
  readonly host: string;
  readonly port: number;
  /** `implicit`: from the first byte; `starttls`: before anything is said, or not at all. */
  readonly tls: 'implicit' | 'starttls' | 'none';
  readonly user: string | null;
  readonly password: string | null;
  readonly from: string;
  /** Longest wait for any one answer of the server. */
  readonly timeoutMs: number;
}

/** Mails kept in a folder; the oldest go. */
const FILES_MAX = 100;

/** Sends by an SMTP server, over a few connections that are kept for a while. */
export function createSmtpMailer(settings: SmtpSettings): Mailer {
  const { host, port, tls, user, password, from, timeoutMs } = settings;
  const transport = createTransport({
    pool: true,
    maxConnections: 2,
    host,
    port,
    secure: tls === 'implicit',
    requireTLS: tls === 'starttls',
    ignoreTLS: tls === 'none',
    ...(user === null ? {} : { auth: { user, pass: password ?? '' } }),
    connectionTimeout: timeoutMs,
    greetingTimeout: timeoutMs,
    socketTimeout: timeoutMs,
    dnsTimeout: timeoutMs,
    disableFileAccess: true,
    disableUrlAccess: true,
  });
  return {
    async send(mail) {
      try {
        await transport.sendMail({ ...toMessage(mail, from) });
      } catch (error) {
        throw toMailError(error);
      }
    },
    close: () => transport.close(),
  };
}

/** Keeps mails as `.eml` files that only their owner can read, for a daemon without a server. */
export function createFileMailer(folder: string, from: string): Mailer {
  const composer = createTransport({ streamTransport: true, buffer: true });
  return {
    async send(mail) {
      const { message } = await composer.sendMail(toMessage(mail, from));
      await mkdir(folder, { recursive: true, mode: 0o700 });
      const name = `${new Date().toISOString().replaceAll(':', '')}-${randomUUID().slice(0, 8)}.eml`;
      // Whole or not at all, for whoever reads the folder.
      const path = join(folder, name);
      if (!Buffer.isBuffer(message)) throw new TypeError('a mail was composed as a stream');
      await writeFile(`${path}.part`, message, { mode: 0o600 });
      await rename(`${path}.part`, path);
      await forgetOldest(folder);
    },
    close: () => composer.close(),
  };
}

async function forgetOldest(folder: string): Promise<void> {
  const names = (await readdir(folder)).filter((name) => name.endsWith('.eml')).toSorted();
  for (const name of names.slice(0, -FILES_MAX)) await rm(join(folder, name), { force: true });
}

function toMessage({ to, subject, text }: Mail, from: string) {
  // An address as an object is never read as a list of addresses.
  const recipient = { name: '', address: to };
  const headers = { 'Auto-Submitted': 'auto-generated' };
  return { from, to: recipient, subject, text, headers };
}

function toMailError(error: unknown): MailError {
  const status = numberIn(error, 'responseCode');
  const code = typeof error === 'object' && error !== null && 'code' in error ? error.code : '';
  const facts = { status, reason: typeof code === 'string' ? code : '' };
  if (code === 'EAUTH') {
    return new MailError('MAIL_UNAUTHORIZED', 'the mail server refused the sign-in', { facts });
  }
  if (status >= 400) {
    const retryable = status < 500;
    return new MailError('MAIL_REFUSED', 'the mail server refused a mail', { facts, retryable });
  }
  const message = 'the mail server could not be reached';
  return new MailError('MAIL_UNREACHABLE', message, { facts, retryable: true });
}

function numberIn(value: unknown, key: 'responseCode'): number {
  if (typeof value !== 'object' || value === null || !(key in value)) return 0;
  const { [key]: found } = value;
  return typeof found === 'number' ? found : 0;
}
