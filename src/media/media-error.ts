import { GatewayError } from '../lib/gateway-error.ts';

export type MediaErrorCode =
  | 'MEDIA_PORTS_EXHAUSTED'
  | 'MEDIA_SOCKET_FAILED'
  | 'MEDIA_CODEC_UNAVAILABLE'
  | 'MEDIA_SRTP_KEY_INVALID'
  | 'MEDIA_RATE_UNSUPPORTED'
  | 'MEDIA_QUEUE_FULL'
  | 'MEDIA_CLIP_FORMAT_MISMATCH'
  | 'MEDIA_DIGITS_INVALID'
  | 'MEDIA_LEG_NOT_READY'
  | 'MEDIA_LEG_CLOSED'
  | 'MEDIA_OFFER_TOO_LARGE'
  | 'MEDIA_OFFER_INVALID'
  | 'MEDIA_OFFER_UNSUPPORTED'
  | 'MEDIA_PEERS_EXHAUSTED'
  | 'MEDIA_WEBRTC_UNAVAILABLE';

/** Any failure of the media folder. */
export class MediaError extends GatewayError<MediaErrorCode> {}
