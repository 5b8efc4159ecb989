/**
 * Everything the page says when something goes wrong or ends: what happened, then what to do.
 *
 * @typedef {'insecure' | 'unsupported' | 'microphone-refused' | 'microphone-missing' |
 *   'microphone-taken' | 'link-off' | 'busy' | 'rate-limited' | 'refused' | 'unreachable' |
 *   'network-lost'} FailureKind
 * @typedef {{ readonly title: string, readonly advice: string, readonly canRetry: boolean }} Words
 */

/** @type {Readonly<Record<FailureKind, Words>>} */
export const FAILURES = {
  insecure: {
    title: 'This page needs a secure address',
    advice:
      'Browsers allow the microphone only on addresses that begin with https. Ask for such a link.',
    canRetry: false,
  },
  unsupported: {
    title: 'This browser cannot make calls',
    advice: 'Open the link in a current version of Chrome, Edge, Firefox or Safari.',
    canRetry: false,
  },
  'microphone-refused': {
    title: 'The microphone is blocked',
    advice: 'Allow it for this page in your browser’s address bar or settings, then try again.',
    canRetry: true,
  },
  'microphone-missing': {
    title: 'No microphone found',
    advice: 'Connect a microphone or a headset, then try again.',
    canRetry: true,
  },
  'microphone-taken': {
    title: 'The microphone is in use',
    advice: 'Another program holds it. Close that program, then try again.',
    canRetry: true,
  },
  'link-off': {
    title: 'This link is not active',
    advice: 'It may have been switched off, or mistyped. Ask whoever gave it to you for a new one.',
    canRetry: false,
  },
  busy: {
    title: 'The agent is busy',
    advice: 'All lines are taken right now. Please try again in a little while.',
    canRetry: true,
  },
  'rate-limited': {
    title: 'Too many calls',
    advice: 'There were many calls from your network in a short time. Please wait a little.',
    canRetry: true,
  },
  refused: {
    title: 'The call could not be set up',
    advice: 'Something went wrong on our side. Please try again.',
    canRetry: true,
  },
  unreachable: {
    title: 'No connection',
    advice: 'The call did not get through. Check your internet connection, then try again.',
    canRetry: true,
  },
  'network-lost': {
    title: 'The connection was lost',
    advice: 'The call ended because the network went away. Check it, then call again.',
    canRetry: true,
  },
};

/**
 * What becomes of an instant voice link, beside being active.
 *
 * @type {Readonly<Record<'expired' | 'used' | 'disabled' | 'unknown' | 'unreachable', Words>>}
 */
export const LINK_STATES = {
  expired: {
    title: 'This link has expired',
    advice: 'It was good for a certain time. Ask whoever gave it to you for a new one.',
    canRetry: false,
  },
  used: {
    title: 'This link has been used',
    advice: 'It was good for a certain number of calls, and they have been made.',
    canRetry: false,
  },
  disabled: {
    title: 'This link has been switched off',
    advice: 'Whoever gave it to you does not take calls by it any more.',
    canRetry: false,
  },
  unknown: {
    title: 'This link does not lead anywhere',
    advice: 'Check that you have all of it, or ask whoever gave it to you for a new one.',
    canRetry: false,
  },
  unreachable: {
    title: 'The page could not be loaded',
    advice: 'Check your internet connection, then try again.',
    canRetry: true,
  },
};

/** @type {Readonly<Record<string, string>>} */
const ENDS = {
  'caller-hung-up': 'You hung up.',
  'agent-hung-up': 'The agent hung up.',
  'operator-hung-up': 'The call was ended by its operator.',
  transferred: 'The call was transferred.',
  'time-limit': 'The time for this call was up.',
  'link-used-up': 'This link was good for a certain number of calls, and they have been made.',
  'caller-silent': 'The call ended because nobody was heard.',
  'media-timeout': 'The call ended because nobody was heard.',
  'stopped-by-operator': 'The service is being restarted.',
  'provider-failed': 'A service the agent needs has failed.',
};

/**
 * @param {string} reason an end reason of the gateway, or one of a later version
 * @returns {string}
 */
export function wordsOfEnd(reason) {
  return ENDS[reason] ?? 'The call is over.';
}

/**
 * @param {number} minutes
 * @returns {string}
 */
export function limitWords(minutes) {
  const whole = Math.round(minutes * 10) / 10;
  return `The call can take up to ${whole} ${whole === 1 ? 'minute' : 'minutes'}.`;
}

/**
 * @param {number} seconds
 * @returns {string} as in `1:05`
 */
export function clock(seconds) {
  const whole = Math.max(0, Math.floor(seconds));
  return `${Math.floor(whole / 60)}:${String(whole % 60).padStart(2, '0')}`;
}
