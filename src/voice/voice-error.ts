import { GatewayError } from '../lib/gateway-error.ts';
import type { LegFailureCode } from './protocol.ts';

export type VoiceErrorCode =
  /** The worker could not open the leg: no free port, an offer that cannot be used, … */
  | LegFailureCode
  /** No worker is up at this moment; one is being started. */
  | 'NO_VOICE_WORKER'
  /** The worker died, or did not answer in time. */
  | 'VOICE_WORKER_LOST';

export class VoiceError extends GatewayError<VoiceErrorCode> {}
