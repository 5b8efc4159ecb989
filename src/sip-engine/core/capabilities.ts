/** Methods that the engine or an application behind it understands inside a call. */
export const ALLOW =
  'INVITE, ACK, CANCEL, BYE, OPTIONS, INFO, UPDATE, PRACK, REFER, NOTIFY, SUBSCRIBE, MESSAGE';

/** What we offer to use when the peer asks. */
export const SUPPORTED = 'timer, 100rel, replaces';

/** Require'd extensions that are not refused: the engine or applications implement them. */
export const UNDERSTOOD: ReadonlySet<string> = new Set([
  '100rel',
  'timer',
  'replaces',
  'norefersub',
  'tdialog',
  'histinfo',
  'privacy',
  'path',
  'outbound',
  'gruu',
  'from-change',
  'eventlist',
]);

/** Methods with an RFC: refused with 405 when no application takes them. Others get 501. */
export const KNOWN_METHODS: ReadonlySet<string> = new Set([
  'INVITE',
  'ACK',
  'CANCEL',
  'BYE',
  'OPTIONS',
  'REGISTER',
  'INFO',
  'UPDATE',
  'PRACK',
  'REFER',
  'NOTIFY',
  'SUBSCRIBE',
  'MESSAGE',
  'PUBLISH',
]);
