import type { SrfMessage } from './drachtio.ts';

/** What an INFO was: a key, something of ours that is no key (hook flash), or not ours. */
export type InfoDigit =
  | { readonly type: 'digit'; readonly digit: string }
  | { readonly type: 'ignored' }
  | { readonly type: 'unsupported' };

/** `application/dtmf` of some devices counts on: 10 is star, 11 pound, 12 to 15 are A to D. */
const NUMBERED = '0123456789*#ABCD';

/**
 * Reads a key from INFO: `application/dtmf-relay` (`Signal=5`, `Duration=160`) and
 * `application/dtmf` (`5`, or a number of two digits). An INFO without a body is a keep-alive.
 */
export function infoDigit(message: SrfMessage): InfoDigit {
  const body = (message.body ?? '').slice(0, 256);
  const contentType = (message.get('content-type') ?? '').split(';')[0]?.trim().toLowerCase();
  if (body.trim() === '') return { type: 'ignored' };
  if (contentType !== 'application/dtmf-relay' && contentType !== 'application/dtmf') {
    return { type: 'unsupported' };
  }
  const signal = /^\s*signal\s*=\s*(\S+)/im.exec(body)?.[1] ?? body.trim();
  if (/^[0-9*#A-Da-d]$/.test(signal)) return { type: 'digit', digit: signal.toUpperCase() };
  const digit = /^1[0-5]$/.test(signal) ? NUMBERED[Number(signal)] : undefined;
  return digit === undefined ? { type: 'ignored' } : { type: 'digit', digit };
}
