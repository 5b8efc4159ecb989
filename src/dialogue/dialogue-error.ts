import { GatewayError } from '../lib/gateway-error.ts';

/** Why a reply, a phrasebook, a template or a tool call failed. */
export type DialogueErrorCode =
  /** The provider refused the key. */
  | 'LLM_UNAUTHORIZED'
  /** No such model, or the base URL does not speak chat completions. */
  | 'LLM_NOT_FOUND'
  /** The provider refused the request itself; trying again cannot help. */
  | 'LLM_BAD_REQUEST'
  | 'LLM_RATE_LIMITED'
  /** The provider could not be reached, or failed by its own account (5xx). */
  | 'LLM_UNAVAILABLE'
  /** No first token, or no next one, in time. */
  | 'LLM_TIMEOUT'
  /** The reply stopped before its end. */
  | 'LLM_STREAM_BROKEN'
  /** What came is not the vendor's format, or larger than any reply may be. */
  | 'LLM_BAD_RESPONSE'
  | 'PHRASEBOOK_INVALID'
  | 'TEMPLATE_TOO_LONG'
  | 'TOOL_INVALID';

/** A failure of this folder. `facts` never hold prompts, transcripts or keys. */
export class DialogueError extends GatewayError<DialogueErrorCode> {}
