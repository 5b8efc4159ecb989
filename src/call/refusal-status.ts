import type { EndReason } from '../model/end-reason.ts';

/** SIP statuses of calls that we refuse before the answer (RFC 3261 §21). */
const STATUS = {
  'agent-not-found': 404,
  'agent-disabled': 480,
  'agent-busy': 486,
  'workspace-busy': 486,
  // Not 503: another route of the carrier's would lead here too.
  'quota-exceeded': 480,
  'spend-cap-reached': 480,
  'no-common-codec': 488,
  'encryption-required': 488,
  'bad-offer': 400,
  'at-capacity': 503,
  draining: 503,
  'worker-crashed': 503,
  'stopped-by-operator': 503,
  'operator-hung-up': 603,
  'internal-error': 500,
} as const satisfies Partial<Record<EndReason, number>>;

export type RefusalReason = keyof typeof STATUS;

/** Statuses that mean "not here, not now": the caller may try again after this long. */
const RETRY_AFTER_SECONDS = 30;

export interface RefusalStatus {
  readonly status: number;
  /** Sent as Retry-After (RFC 3261 §20.33); absent where trying again is pointless. */
  readonly retryAfterSeconds?: number;
}

export function refusalStatus(reason: RefusalReason): RefusalStatus {
  const status = STATUS[reason];
  return status === 503 ? { status, retryAfterSeconds: RETRY_AFTER_SECONDS } : { status };
}
