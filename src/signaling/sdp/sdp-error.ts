import { GatewayError } from '../../lib/gateway-error.ts';
import type { EndReason } from '../../model/end-reason.ts';

type SdpEndReason = Extract<EndReason, 'bad-offer' | 'no-common-codec' | 'encryption-required'>;

export type SdpErrorCode =
  | 'SDP_TOO_LARGE'
  | 'SDP_MALFORMED'
  | 'SDP_NO_COMMON_CODEC'
  | 'SDP_SRTP_REQUIRED'
  | 'SDP_ANSWER_MISMATCH';

/** The only thing this folder throws. Its message never holds text of the description. */
export class SdpError extends GatewayError<SdpErrorCode> {}

/** What a caller whose description we could not take is told, and how its call ended. */
export const SDP_VERDICTS: Readonly<
  Record<SdpErrorCode, { readonly sipStatus: 400 | 488; readonly reason: SdpEndReason }>
> = {
  SDP_TOO_LARGE: { sipStatus: 400, reason: 'bad-offer' },
  SDP_MALFORMED: { sipStatus: 400, reason: 'bad-offer' },
  SDP_SRTP_REQUIRED: { sipStatus: 488, reason: 'encryption-required' },
  SDP_NO_COMMON_CODEC: { sipStatus: 488, reason: 'no-common-codec' },
  SDP_ANSWER_MISMATCH: { sipStatus: 488, reason: 'bad-offer' },
};
