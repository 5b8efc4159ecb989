import { SUPPORTED } from '../sip-settings.ts';
import { formatParty } from '../sip-address.ts';
import { normalizeUser, toCarrierFormat } from './phone-number.ts';
import type { Trunk } from './trunk.ts';

/** Who calls, as the owner of the call wants it. */
export interface WantedCaller {
  /** null: the trunk's own. */
  readonly number: string | null;
  /** The operator gave the number to whoever calls, on this trunk; null: on any. */
  readonly assignedTo?: string | null;
  readonly displayName?: string;
  /** Shown to nobody: an anonymous From, and Privacy (RFC 3323). */
  readonly isPrivate?: boolean;
}

/** From of an INVITE, and the identity beside it. */
export interface CallerHeaders {
  readonly from: { readonly user: string; readonly host: string; readonly displayName: string };
  readonly headers: Readonly<Record<string, string>>;
}

/** The number that would be dialed through a trunk, in E.164; null when it may not be. */
export function destinationThrough(trunk: Trunk, to: string): string | null {
  const number = normalizeUser(to, trunk);
  const isAllowed =
    /^\+[0-9]+$/.test(number) && trunk.outboundPrefixes.some((prefix) => number.startsWith(prefix));
  return isAllowed ? number : null;
}

/** The caller's number by the trunk's policy; null when it may not be used, or there is none. */
export function callerThrough(
  { callerId, numbers, ...trunk }: Trunk,
  { number: wanted, assignedTo }: Pick<WantedCaller, 'number' | 'assignedTo'>,
): string | null {
  if (callerId.policy === 'fixed') return callerId.number;
  if (wanted === null) return callerId.number ?? trunk.username;
  const number = normalizeUser(wanted, trunk);
  const isAssigned = assignedTo === null || assignedTo === trunk.name;
  if (callerId.policy === 'any' || isAssigned) return number;
  const isOwn = number === callerId.number || numbers.has(number) || numbers.has(wanted);
  return isOwn ? number : null;
}

const IDENTITY_HEADERS = {
  'p-asserted-identity': 'P-Asserted-Identity',
  'p-preferred-identity': 'P-Preferred-Identity',
  'remote-party-id': 'Remote-Party-ID',
} as const;

/** @param number of `callerThrough` */
export function callerHeaders(trunk: Trunk, number: string, wanted: WantedCaller): CallerHeaders {
  const { domain, callerId, username } = trunk;
  const { displayName = '', isPrivate = false } = wanted;
  const caller = { user: toCarrierFormat(number, trunk), host: domain, displayName };
  const header = callerId.header;
  if (header === 'from' && !isPrivate) return { from: caller, headers: {} };
  // A hidden caller still has to be known to the carrier, who bills the call.
  const name = header === 'from' ? 'P-Preferred-Identity' : IDENTITY_HEADERS[header];
  const parameters =
    header === 'remote-party-id'
      ? `;party=calling;screen=yes;privacy=${isPrivate ? 'full' : 'off'}`
      : '';
  const identity = { [name]: `${formatParty(caller)}${parameters}` };
  if (isPrivate) return { from: ANONYMOUS, headers: { Privacy: 'id', ...identity } };
  return { from: { ...caller, user: username ?? caller.user }, headers: identity };
}

/** RFC 3323 §4.1.1.3. */
const ANONYMOUS = { user: 'anonymous', host: 'anonymous.invalid', displayName: 'Anonymous' };

/** Session timer and extensions of an INVITE (RFC 4028 §7.1). */
export function sessionHeaders(
  { sessionTimer }: Pick<Trunk, 'sessionTimer'>,
  minSeconds = 0,
): Readonly<Record<string, string>> {
  const supported = { Supported: SUPPORTED.join(', ') };
  if (sessionTimer === null && minSeconds === 0) return supported;
  const { refresher = null } = sessionTimer ?? {};
  const seconds = Math.max(sessionTimer?.expiresSeconds ?? 0, minSeconds);
  const by = refresher === null ? '' : `;refresher=${refresher}`;
  const least: Record<string, string> = minSeconds === 0 ? {} : { 'Min-SE': String(minSeconds) };
  return { ...supported, ...least, 'Session-Expires': `${seconds}${by}` };
}
