import { readDraft, SipParseError } from '../message/parse-message.ts';
import { responseFromHeaders, serialize } from '../message/serialize.ts';
import type { Flow } from './transport.ts';

/** A request whose end cannot be found gets 400 before its connection is closed (RFC 3261 §18.3). */
export function answerStreamFault(packet: Buffer, flow: Flow): void {
  const draft = draftOf(packet);
  if (draft === undefined || /^(SIP\/|ACK )/i.test(draft.startLine)) return;
  const { headers } = draft;
  const isAnswerable = ['via', 'from', 'to', 'call-id', 'cseq'].every((key) => headers.has(key));
  if (isAnswerable) flow.send(serialize(responseFromHeaders(headers, 400)));
}

function draftOf(packet: Buffer) {
  try {
    return readDraft(packet, (rest) => rest);
  } catch (error) {
    if (error instanceof SipParseError) return error.draft;
    throw error;
  }
}
