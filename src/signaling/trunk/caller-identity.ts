import type { NetworkFacts } from '../../model/call.ts';
import { parseParty } from '../sip-address.ts';
import type { SipInvite, SipParty } from '../sip-leg.ts';
import { normalizeUser } from './phone-number.ts';
import { splitContacts } from './register-answer.ts';
import type { Trunk } from './trunk.ts';

/** Who calls whom, with numbers in E.164 where they can be. */
export interface CallIdentity {
  /** By the network's word (P-Asserted-Identity, Remote-Party-ID) from a trunk, else From. */
  readonly caller: string;
  readonly callerName: string;
  /** The caller asked that the number be shown to nobody (Privacy: id; RFC 3323, RFC 3325). */
  readonly isPrivate: boolean;
  readonly dialed: string;
  /** Whom the caller had dialed first (Diversion, History-Info); null: nobody else. */
  readonly divertedFrom: string | null;
  /** `no-answer`, `user-busy`, `unconditional` and the like. */
  readonly diversionReason: string | null;
  /** `A`, `B` or `C` as the Identity header claims; its signature is not checked. */
  readonly claimedAttestation: string | null;
}

type Format = Pick<Trunk, 'country' | 'numberFormat'>;

const AS_IT_CAME: Format = { country: null, numberFormat: 'e164' };

/** @param trunk the trunk the call came by; without one only From is believed */
export function identityOf(
  { from, dialed, headers }: Pick<SipInvite, 'from' | 'dialed' | 'headers'>,
  trunk: Trunk | null,
): CallIdentity {
  const format = trunk ?? AS_IT_CAME;
  const asserted = trunk === null ? null : assertedParty(headers);
  const party = asserted ?? from;
  const diversion = diversionOf(headers);
  return {
    caller: normalizeUser(party.user, format),
    callerName: party.displayName === '' ? from.displayName : party.displayName,
    isPrivate: isPrivate(headers, from),
    dialed: normalizeUser(dialed.user, format),
    divertedFrom: diversion === null ? null : normalizeUser(diversion.user, format),
    diversionReason: diversion?.reason ?? null,
    claimedAttestation: attestationOf(headers['identity']),
  };
}

/** What is worth keeping of it on the call's record. */
export function networkFactsOf(
  identity: CallIdentity,
  { headers }: Pick<SipInvite, 'headers'>,
): NetworkFacts {
  const { isPrivate, callerName } = identity;
  const kept = Object.entries(headers).filter(([name]) => !isPrivate || !NAMES_CALLER.has(name));
  return {
    callerName: isPrivate || callerName === '' ? null : callerName,
    isPrivate,
    divertedFrom: identity.divertedFrom,
    diversionReason: identity.diversionReason,
    reason: headers['reason'] ?? null,
    claimedAttestation: identity.claimedAttestation,
    headers: Object.fromEntries(kept),
  };
}

/** Headers that hold the number of a caller who wants to hide it (RFC 3323 §5, RFC 3325 §7). */
const NAMES_CALLER: ReadonlySet<string> = new Set([
  'identity',
  'p-asserted-identity',
  'p-preferred-identity',
  'referred-by',
  'remote-party-id',
]);

/** As template variables of an agent. Absent ones are left out. */
export function identityVariables(
  identity: CallIdentity,
  { headers, trunk }: Pick<SipInvite, 'headers' | 'trunk'>,
): Readonly<Record<string, string>> {
  const variables: Record<string, string | null | undefined> = {
    caller_number: identity.isPrivate ? null : identity.caller,
    caller_name: identity.isPrivate || identity.callerName === '' ? null : identity.callerName,
    dialed_number: identity.dialed,
    diverted_from: identity.divertedFrom,
    diversion_reason: identity.diversionReason,
    call_reason: headers['reason'],
    attestation: identity.claimedAttestation,
    trunk,
  };
  const present = Object.entries(variables).filter(
    (entry): entry is [string, string] => typeof entry[1] === 'string',
  );
  return Object.fromEntries(present);
}

function assertedParty(headers: Readonly<Record<string, string>>): SipParty | null {
  for (const name of ['p-asserted-identity', 'remote-party-id']) {
    // Two identities may stand there, one sip: and one tel: (RFC 3325 §9.1): the first with a user.
    const parties = splitContacts(headers[name] ?? '').map(parseParty);
    const party = parties.find(({ user }) => user !== '');
    if (party !== undefined) return party;
  }
  return null;
}

function isPrivate(headers: Readonly<Record<string, string>>, from: SipParty): boolean {
  const wanted = (headers['privacy'] ?? '').toLowerCase().split(/[;,\s]+/);
  const isHidden = /;\s*privacy\s*=\s*"?(full|uri|name)/i.test(headers['remote-party-id'] ?? '');
  const isAnonymous = from.user.toLowerCase() === 'anonymous' || from.host === 'anonymous.invalid';
  return isHidden || isAnonymous || ['id', 'user', 'header'].some((word) => wanted.includes(word));
}

/** The first diversion: the number that the caller dialed (RFC 5806, RFC 7044 §4). */
function diversionOf(
  headers: Readonly<Record<string, string>>,
): { readonly user: string; readonly reason: string | null } | null {
  // The newest stands first in Diversion, the oldest first in History-Info.
  const diversion = splitContacts(headers['diversion'] ?? '').at(-1);
  if (diversion !== undefined) {
    const reason = /;\s*reason\s*=\s*"?([a-z-]{1,32})/i.exec(diversion)?.[1] ?? null;
    return toDiversion(diversion, reason?.toLowerCase() ?? null);
  }
  const history = splitContacts(headers['history-info'] ?? '');
  const [original] = history;
  // A lone entry is the call itself.
  if (original === undefined || history.length < 2) return null;
  const cause = /[;?&]cause=([0-9]{3})/i.exec(history[1] ?? '')?.[1];
  return toDiversion(original, cause === undefined ? null : (CAUSES[cause] ?? null));
}

/** Cause values of RFC 4458 §4, in the words of Diversion. */
const CAUSES: Readonly<Record<string, string>> = {
  '302': 'unconditional',
  '404': 'unknown',
  '408': 'no-answer',
  '480': 'deflection',
  '486': 'user-busy',
  '487': 'deflection',
  '503': 'unavailable',
};

function toDiversion(entry: string, reason: string | null) {
  const { user } = parseParty(entry);
  return user === '' ? null : { user, reason };
}

/** `attest` of a PASSporT (RFC 8588): the middle part of a JSON Web Token. */
function attestationOf(identity: string | undefined): string | null {
  const payload = identity?.split('.', 3)[1];
  if (payload === undefined) return null;
  const text = Buffer.from(payload, 'base64url').toString('utf8');
  return /"attest"\s*:\s*"([ABC])"/.exec(text)?.[1] ?? null;
}
