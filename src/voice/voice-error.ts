import { GatewayError } from '../lib/gateway-error.ts';

export type VoiceErrorCode =
  /** Every port of the configured range is taken. */
  | 'MEDIA_PORTS_EXHAUSTED'
  /** A socket could not be opened for another reason. */
  | 'MEDIA_SOCKET_FAILED'
  /** No worker is up at this moment; one is being started. */
  | 'NO_VOICE_WORKER'
  /** The worker died, or did not answer in time. */
  | 'VOICE_WORKER_LOST';

export class VoiceError extends GatewayError<VoiceErrorCode> {}
