import { isSupportedCountry, parsePhoneNumberFromString } from 'libphonenumber-js';
import type { Trunk } from './trunk.ts';

const NUMBER_CHARACTERS_MAX = 40;

/**
 * A number as people or carriers write it, in E.164 with `+`; null for what is none. Without `+`
 * it needs the country it was written in.
 */
export function toE164(text: string, country: string | null): string | null {
  if (text.length > NUMBER_CHARACTERS_MAX || !/^[+(]?[0-9][0-9 ().\-/]*$/.test(text)) return null;
  const isKnown = country !== null && isSupportedCountry(country);
  if (!text.startsWith('+') && !isKnown) return null;
  const options = isKnown ? { defaultCountry: country, extract: false } : { extract: false };
  const number = parsePhoneNumberFromString(text, options);
  // Possible, not valid: numbering plans change faster than any table of them.
  return number?.isPossible() === true ? number.number : null;
}

/**
 * The user part of an address of a trunk: E.164 when it is a number, else as it came (`demo`,
 * `1001`). A trunk that writes numbers as bare digits means international ones.
 */
export function normalizeUser(
  user: string,
  trunk: Pick<Trunk, 'country' | 'numberFormat'>,
): string {
  const isBare = trunk.numberFormat === 'digits' && /^[1-9][0-9]{7,14}$/.test(user);
  if (isBare) return toE164(`+${user}`, null) ?? toE164(user, trunk.country) ?? user;
  return toE164(user, trunk.country) ?? user;
}

/** A number as the carrier wants it written; names stay as they are. */
export function toCarrierFormat(
  user: string,
  { numberFormat }: Pick<Trunk, 'numberFormat'>,
): string {
  return numberFormat === 'digits' && /^\+[0-9]+$/.test(user) ? user.slice(1) : user;
}
