import type { HeaderList } from './header-list.ts';
import type { CSeq, NameAddr, Via } from './header-values.ts';

/** What every message must have, parsed once. */
interface MessageCommon {
  readonly headers: HeaderList;
  readonly body: Buffer;
  /** Octets on the wire. */
  readonly size: number;
  readonly via: Via;
  readonly from: NameAddr;
  readonly to: NameAddr;
  readonly callId: string;
  readonly cseq: CSeq;
}

export interface SipRequest extends MessageCommon {
  readonly type: 'request';
  readonly method: string;
  readonly uri: string;
}

export interface SipResponse extends MessageCommon {
  readonly type: 'response';
  readonly status: number;
  readonly reason: string;
}

export type SipMessage = SipRequest | SipResponse;

/** A start line and headers, not judged yet. Also the shape in which applications hand us messages. */
export interface MessageDraft {
  readonly startLine: string;
  readonly headers: HeaderList;
  readonly body: Buffer;
}

export const NO_BODY = Buffer.alloc(0);

export function fromTag(message: SipMessage): string {
  return message.from.params.get('tag') ?? '';
}

export function toTag(message: SipMessage): string {
  return message.to.params.get('tag') ?? '';
}

/** A request outside any dialog has no To tag. */
export function isInDialog(request: SipRequest): boolean {
  return request.to.params.has('tag');
}
