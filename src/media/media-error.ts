import { GatewayError } from '../lib/gateway-error.ts';

export type MediaErrorCode =
  | 'MEDIA_PORTS_EXHAUSTED'
  | 'MEDIA_SOCKET_FAILED'
  | 'MEDIA_CODEC_UNAVAILABLE'
  | 'MEDIA_SRTP_UNSUPPORTED'
  | 'MEDIA_RATE_UNSUPPORTED'
  | 'MEDIA_QUEUE_FULL'
  | 'MEDIA_CLIP_FORMAT_MISMATCH'
  | 'MEDIA_DIGITS_INVALID'
  | 'MEDIA_LEG_NOT_READY'
  | 'MEDIA_LEG_CLOSED';

/** Any failure of the media folder. */
export class MediaError extends GatewayError<MediaErrorCode> {}
