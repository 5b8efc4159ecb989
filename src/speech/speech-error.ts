import { GatewayError } from '../lib/gateway-error.ts';

export type SpeechErrorCode =
  /** The provider could not be reached, or broke off. */
  | 'SPEECH_PROVIDER_UNREACHABLE'
  /** The provider did not answer, or not on, within its timeout. */
  | 'SPEECH_PROVIDER_TIMEOUT'
  /** The provider refused the request (HTTP 4xx but 408 and 429): trying again will not help. */
  | 'SPEECH_PROVIDER_REFUSED'
  /** The provider is out of order or out of capacity (HTTP 408, 429, 5xx). */
  | 'SPEECH_PROVIDER_OVERLOADED'
  /** The provider answered something that its protocol does not know, or too much. */
  | 'SPEECH_PROVIDER_MALFORMED'
  /** The thread of an embedded engine died, or the engine failed inside. */
  | 'SPEECH_ENGINE_FAILED'
  /** The embedded engine has as much work waiting as it may. */
  | 'SPEECH_ENGINE_BUSY'
  /** The grammar made from the phrasebook could not be read by the recognizer. */
  | 'SPEECH_GRAMMAR_INVALID';

/** Any failure of hearing or speaking. */
export class SpeechError extends GatewayError<SpeechErrorCode> {}

/** Makes a `SpeechError` of whatever was thrown; a `SpeechError` stays as it is. */
export function toSpeechError(err: unknown, code: SpeechErrorCode, message: string): SpeechError {
  if (err instanceof SpeechError) return err;
  return new SpeechError(code, message, { cause: err, retryable: true });
}
