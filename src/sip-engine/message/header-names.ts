/** Compact forms, RFC 3261 §7.3.3 and the extensions that added one. */
const COMPACT: Readonly<Record<string, string>> = {
  a: 'accept-contact',
  b: 'referred-by',
  c: 'content-type',
  d: 'request-disposition',
  e: 'content-encoding',
  f: 'from',
  i: 'call-id',
  j: 'reject-contact',
  k: 'supported',
  l: 'content-length',
  m: 'contact',
  o: 'event',
  r: 'refer-to',
  s: 'subject',
  t: 'to',
  u: 'allow-events',
  v: 'via',
  x: 'session-expires',
  y: 'identity',
};

/** Spellings that capitalizing after each dash would not give. */
const SPECIAL: Readonly<Record<string, string>> = {
  'call-id': 'Call-ID',
  cseq: 'CSeq',
  'mime-version': 'MIME-Version',
  'www-authenticate': 'WWW-Authenticate',
  rack: 'RAck',
  rseq: 'RSeq',
  'min-se': 'Min-SE',
  'sip-etag': 'SIP-ETag',
  'sip-if-match': 'SIP-If-Match',
};

const REMEMBERED_MAX = 2000;
const keys = new Map<string, string>();
const names = new Map<string, string>();

/** The lower-case long form by which a header is looked up: `v`, `Via` and `VIA` all give `via`. */
export function headerKey(name: string): string {
  let key = keys.get(name);
  if (key === undefined) {
    const lower = name.toLowerCase();
    key = COMPACT[lower] ?? lower;
    if (keys.size < REMEMBERED_MAX) keys.set(name, key);
  }
  return key;
}

/** How we spell a header that an application wrote in lower case. `X-` and `P-` names stay as written. */
export function canonicalName(name: string): string {
  if (/^[A-Z]/.test(name)) return name;
  let spelled = names.get(name);
  if (spelled === undefined) {
    const key = headerKey(name);
    spelled = SPECIAL[key] ?? key.replace(/(^|-)([a-z])/g, (found) => found.toUpperCase());
    if (names.size < REMEMBERED_MAX) names.set(name, spelled);
  }
  return spelled;
}
