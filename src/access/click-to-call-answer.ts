/** Why there is no call. HTTP gives each its code and status. */
export type ClickToCallCode =
  | 'MISSING_HEADERS'
  | 'AGENT_FETCH_FAILED'
  | 'INVALID_API_KEY'
  | 'AGENT_DISABLED'
  | 'AGENT_NOT_CONFIGURED'
  | 'INVALID_SIGNATURE'
  | 'CALL_IN_PROGRESS'
  | 'CALL_FAILED'
  | 'INVALID_NUMBER'
  | 'INVALID_VARIABLES'
  | 'INVALID_BODY'
  | 'TOO_OFTEN'
  | 'DESTINATION_NOT_ALLOWED';

export interface ClickToCallDetails {
  /** For people. */
  readonly detail?: string;
  /** For programs: why a call failed. */
  readonly reason?: string;
  /** Names of variables. */
  readonly variables?: readonly string[];
  readonly retryAfterSeconds?: number;
}

export interface ClickToCallRefusal extends ClickToCallDetails {
  readonly code: ClickToCallCode;
}

/** A call that is on its way, or why there is none. */
export type ClickToCallAnswer =
  | { readonly callId: string; readonly warnings: readonly string[] }
  | ClickToCallRefusal;

export function refuse(
  code: ClickToCallCode,
  details: ClickToCallDetails = {},
): ClickToCallRefusal {
  return { code, ...details };
}
