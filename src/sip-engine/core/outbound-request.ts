import type { Dialog } from '../dialog/dialog.ts';
import type { AppPort } from '../drachtio/app-port.ts';
import type { MessageDraft } from '../message/message.ts';
import type { Timer } from '../transaction/timer-wheel.ts';
import type { Flow, Place, Protocol } from '../transport/transport.ts';

/** A request that an application had us send and that has no final answer yet. */
export interface OutboundRequest {
  /** The application's name for the transaction. */
  readonly id: string;
  readonly method: string;
  readonly app: AppPort;
  /** Without Via. */
  readonly draft: MessageDraft;
  /** Token 9 of the frames about it: '' where srf expects none. */
  readonly dialogId: string;
  readonly fromTag: string;
  readonly protocol: Protocol;
  /** Further places to try when this one fails (RFC 3263 §4.3). */
  places: readonly Place[];
  flow: Flow;
  branch: string;
  dialog: Dialog | undefined;
  isInDialog: boolean;
  hasProvisional: boolean;
  /** `wanted` until a provisional answer allows the CANCEL to leave (RFC 3261 §9.1). */
  cancel: { state: 'wanted' | 'sent'; draft: MessageDraft } | undefined;
  cancelTimer: Timer | undefined;
  /** No final answer came within 64 × T1 of the CANCEL. */
  onCancelTimeout: () => void;
  /** The application that asked is gone: end whatever comes of it. */
  isOrphaned: boolean;
  /** ACKs of 2xx answers from other branches of a fork, by To tag. */
  readonly forkAcks: Map<string, Buffer>;
}

/** Most branches of one forked INVITE that are answered. */
export const FORKS_MAX = 16;
