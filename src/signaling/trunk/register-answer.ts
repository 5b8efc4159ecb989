import { parseParty } from '../sip-address.ts';

/** What of a final answer to REGISTER counts. */
export interface RegisterAnswer {
  readonly status: number;
  readonly reason: string;
  /** How long we are registered: of our own contact, else of all. */
  readonly expiresSeconds: number | null;
  readonly minExpiresSeconds: number | null;
  readonly retryAfterSeconds: number | null;
  /** WWW-Authenticate or Proxy-Authenticate, all of them joined by commas. */
  readonly challenge: string | null;
  /** Our address as we wrote it into Via, `host:port`. */
  readonly sentBy: string | null;
  /** Our address as it was seen (RFC 3581), `host:port`. */
  readonly observed: string | null;
}

/** A message by its headers, repeated ones joined by commas. */
export interface AnswerHeaders {
  readonly status: number;
  readonly reason: string;
  get(name: string): string | undefined;
}

const CONTACTS_MAX = 64;
const HEADER_CHARACTERS_MAX = 8_192;

/** @param contactUser user part of the Contact that was sent */
export function readRegisterAnswer(answer: AnswerHeaders, contactUser: string): RegisterAnswer {
  const { status, reason } = answer;
  const challenge = status === 407 ? 'proxy-authenticate' : 'www-authenticate';
  const via = (answer.get('via') ?? '').slice(0, HEADER_CHARACTERS_MAX);
  return {
    status,
    reason: reason.slice(0, 128),
    expiresSeconds: expiresOf(answer, contactUser, via),
    minExpiresSeconds: secondsOf(answer.get('min-expires')),
    retryAfterSeconds: secondsOf(answer.get('retry-after')),
    challenge: answer.get(challenge) ?? null,
    ...addressesOf(via),
  };
}

function secondsOf(text: string | undefined): number | null {
  const digits = /^\s*([0-9]{1,10})/.exec(text ?? '')?.[1];
  return digits === undefined ? null : Number(digits);
}

/** The registrar lists every contact of the address; ours is the one with our user and host. */
function expiresOf(answer: AnswerHeaders, user: string, via: string): number | null {
  const contacts = splitContacts((answer.get('contact') ?? '').slice(0, HEADER_CHARACTERS_MAX));
  const { sentBy, observed } = addressesOf(via);
  const ours = contacts.filter((contact) => {
    const party = parseParty(contact);
    return (
      party.user === user &&
      [sentBy, observed].some((place) => place !== null && contact.includes(place))
    );
  });
  const [contact] = ours.length > 0 ? ours : contacts.length === 1 ? contacts : [];
  const parameter = /;\s*expires\s*=\s*"?([0-9]{1,10})/i.exec(contact?.replace(/^.*>/s, '') ?? '');
  return parameter === null ? secondsOf(answer.get('expires')) : Number(parameter[1]);
}

/** Splits at commas outside quotes and brackets. */
export function splitContacts(header: string): readonly string[] {
  const contacts = header.match(/(?:"(?:[^"\\]|\\[\s\S])*"|<[^>]*>|[^,"<])+/g) ?? [];
  return contacts
    .slice(0, CONTACTS_MAX)
    .map((contact) => contact.trim())
    .filter((contact) => contact !== '');
}

const VIA =
  /^\s*SIP\s*\/\s*2\.0\s*\/\s*[A-Za-z]+\s+(\[[^\]]+\]|[^\s;:,]+)(?:\s*:\s*([0-9]{1,5}))?([^,]*)/;

function addressesOf(via: string): Pick<RegisterAnswer, 'sentBy' | 'observed'> {
  const [, host, port = '5060', parameters = ''] = VIA.exec(via) ?? [];
  if (host === undefined) return { sentBy: null, observed: null };
  const received = /;\s*received\s*=\s*"?([0-9A-Fa-f:.[\]]{2,47})/.exec(parameters)?.[1];
  const rport = /;\s*rport\s*=\s*([0-9]{1,5})/.exec(parameters)?.[1];
  const sentBy = `${host}:${port}`;
  if (received === undefined && rport === undefined) return { sentBy, observed: null };
  const seen = received === undefined ? host : bracketed(received);
  return { sentBy, observed: `${seen}:${rport ?? port}` };
}

const bracketed = (address: string): string =>
  address.includes(':') && !address.startsWith('[') ? `[${address}]` : address;
