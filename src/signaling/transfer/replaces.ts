/** What tells one dialog from all others, as its owner sees it (RFC 3261 §12). */
export interface DialogIdentity {
  readonly callId: string;
  readonly localTag: string;
  readonly remoteTag: string;
  /** Contact of the far side: a request to it finds the one device that has the dialog. */
  readonly remoteTarget: string;
}

/** A Replaces header (RFC 3891 §6.1), as whoever receives it reads it. */
export interface Replaces {
  readonly callId: string;
  /** Tag of the side that receives it. */
  readonly toTag: string;
  readonly fromTag: string;
  /** Only a dialog that is not answered yet may be replaced. */
  readonly isEarlyOnly: boolean;
}

const CALL_ID = /^[^\s;,<>"]{1,256}$/;
const TAG = /^[^\s;,<>"]{1,128}$/;

/** Null for what is none. */
export function parseReplaces(header: string): Replaces | null {
  const [callId = '', ...parameters] = header.slice(0, 1_024).split(';');
  const values = new Map(
    parameters.map((parameter) => {
      const [name = '', value = ''] = parameter.split('=', 2);
      return [name.trim().toLowerCase(), value.trim()] as const;
    }),
  );
  const [toTag = '', fromTag = ''] = [values.get('to-tag'), values.get('from-tag')];
  const isWhole = CALL_ID.test(callId.trim()) && TAG.test(toTag) && TAG.test(fromTag);
  if (!isWhole) return null;
  return { callId: callId.trim(), toTag, fromTag, isEarlyOnly: values.has('early-only') };
}

/** For a request that shall take the place of a dialog at its far side. */
export const replacesOf = ({ callId, localTag, remoteTag }: DialogIdentity): string =>
  `${callId};to-tag=${remoteTag};from-tag=${localTag}`;

/** A name that a dialog has on our side; a Replaces header names the same. */
export const dialogKey = (callId: string, localTag: string, remoteTag: string): string =>
  `${callId}\n${localTag}\n${remoteTag}`;
