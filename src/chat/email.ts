import { ChatError } from './chat-error.ts';

const LENGTH_MAX = 254;
const LOCAL = "[\\p{L}\\p{N}!#$%&'*+/=?^_`{|}~-]+";
const LABEL = '[\\p{L}\\p{N}](?:[\\p{L}\\p{N}-]{0,61}[\\p{L}\\p{N}])?';
const EMAIL = new RegExp(`^${LOCAL}(?:\\.${LOCAL})*@${LABEL}(?:\\.${LABEL})+$`, 'u');

/**
 * An address as it is kept and compared: trimmed, in lower case. Quoted local parts and
 * addresses without a domain name are refused. Throws `CHAT_EMAIL_MALFORMED`.
 */
export function toEmail(text: string): string {
  const email = text.trim().normalize('NFC').toLowerCase();
  if (email.length > LENGTH_MAX || !EMAIL.test(email) || email.indexOf('@') > 64) {
    throw new ChatError('CHAT_EMAIL_MALFORMED', 'This is no e-mail address that mail can reach.');
  }
  return email;
}
