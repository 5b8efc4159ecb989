import { GatewayError } from '../lib/gateway-error.ts';

export type SignalingErrorCode =
  /** The caller canceled before our 200 could take effect. */
  | 'INVITE_CANCELED'
  /** `answer` after another verdict. */
  | 'INVITE_SETTLED'
  /** No connection to the SIP engine, or it was lost while we waited. */
  | 'ENGINE_LOST'
  /** The engine would not send the message. */
  | 'ENGINE_REFUSED'
  /** The leg ended while the request was under way. */
  | 'LEG_ENDED'
  /** The remote side answered with a failure; its status is in `facts.sipStatus`. */
  | 'REQUEST_REFUSED'
  | 'REQUEST_TIMEOUT'
  /** Another re-INVITE of ours is still open. */
  | 'OFFER_PENDING'
  /** Another REFER of ours is still open. */
  | 'REFER_PENDING'
  /** A description larger than drachtio-server's admin port can take. */
  | 'SDP_TOO_LARGE'
  /** An address or header that cannot be written into a SIP message. */
  | 'HEADER_MALFORMED';

/** Every failure of this folder but those of session descriptions (`SdpError`). */
export class SignalingError extends GatewayError<SignalingErrorCode> {}
