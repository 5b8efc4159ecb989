import { GatewayError } from '../lib/gateway-error.ts';

export type SipEngineErrorCode =
  | 'SIP_MESSAGE_MALFORMED'
  | 'SIP_STREAM_MALFORMED'
  | 'SIP_FRAME_MALFORMED'
  | 'SIP_LISTEN_FAILED'
  | 'SIP_REQUEST_REFUSED'
  | 'SIP_TLS_CERTIFICATE'
  | 'SIP_TLS_WRONG_NAME';

/** The one failure type of this folder. */
export class SipEngineError extends GatewayError<SipEngineErrorCode> {}
