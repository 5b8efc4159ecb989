import type { ClickToCallCode } from '../access/click-to-call-answer.ts';
import { ChatError, type ChatErrorCode } from '../chat/chat-error.ts';
import { GatewayError } from '../lib/gateway-error.ts';
import { StorageError } from '../storage/storage-error.ts';

/** What HTTP may answer instead of a result. The same codes stand in every API family. */
export type HttpErrorCode =
  | 'INVALID_ARGUMENT'
  | 'UNAUTHENTICATED'
  | 'QUOTA_EXCEEDED'
  | 'SPEND_CAP_REACHED'
  | 'PERMISSION_DENIED'
  | 'DESTINATION_NOT_ALLOWED'
  | 'CALLER_ID_NOT_ALLOWED'
  | 'NOT_FOUND'
  | 'ALREADY_EXISTS'
  | 'CALL_NOT_LIVE'
  | 'REQUEST_TIMEOUT'
  | 'CURRENCY_FIXED'
  | 'PRECONDITION_FAILED'
  | 'PAYLOAD_TOO_LARGE'
  | 'UNSUPPORTED_MEDIA_TYPE'
  | 'VALIDATION_FAILED'
  | 'VERIFICATION_REQUIRED'
  | 'VERIFICATION_FAILED'
  | 'REPLY_IN_PROGRESS'
  | 'CALL_NOT_ACTIVE'
  | 'TRANSFER_IN_PROGRESS'
  | 'LIMIT_REACHED'
  | 'RATE_LIMITED'
  | 'INTERNAL'
  | 'UNAVAILABLE'
  | 'AGENT_BUSY'
  | 'CALL_WINDOW_RESTRICTED'
  | `CTC_${ClickToCallCode}`;

interface CatalogEntry {
  readonly status: number;
  readonly message: string;
}

/** The only place that knows HTTP statuses. A new code does not compile until it is here. */
export const ERROR_CATALOG: Readonly<Record<HttpErrorCode, CatalogEntry>> = {
  INVALID_ARGUMENT: { status: 400, message: 'The request is malformed.' },
  UNAUTHENTICATED: { status: 401, message: 'Give a valid key: Authorization: Bearer pk_live_…' },
  QUOTA_EXCEEDED: { status: 402, message: 'Minutes or calls of the day or month are used up.' },
  SPEND_CAP_REACHED: { status: 403, message: 'The workspace has spent what it may for now.' },
  PERMISSION_DENIED: { status: 403, message: 'The key lacks the scope that this needs.' },
  DESTINATION_NOT_ALLOWED: { status: 403, message: 'No trunk may call that number.' },
  CALLER_ID_NOT_ALLOWED: { status: 403, message: 'That number may not be the caller.' },
  NOT_FOUND: { status: 404, message: 'There is no such thing.' },
  ALREADY_EXISTS: { status: 409, message: 'That exists already.' },
  CALL_NOT_LIVE: { status: 409, message: 'Nobody is talking in this call.' },
  REQUEST_TIMEOUT: { status: 408, message: 'The request took too long to arrive.' },
  CURRENCY_FIXED: {
    status: 409,
    message: 'Calls were charged in another currency; make another workspace for this one.',
  },
  PRECONDITION_FAILED: { status: 412, message: 'It has changed since you read it.' },
  PAYLOAD_TOO_LARGE: { status: 413, message: 'The body is too large.' },
  UNSUPPORTED_MEDIA_TYPE: { status: 415, message: 'Send application/json.' },
  VALIDATION_FAILED: { status: 422, message: 'A field is missing or malformed.' },
  VERIFICATION_REQUIRED: { status: 401, message: 'Verify your e-mail address first.' },
  VERIFICATION_FAILED: { status: 400, message: 'The code is wrong or no longer valid.' },
  REPLY_IN_PROGRESS: { status: 409, message: 'The last message is still being answered.' },
  CALL_NOT_ACTIVE: { status: 409, message: 'The call has not been answered, or is over.' },
  TRANSFER_IN_PROGRESS: { status: 409, message: 'The call is being transferred already.' },
  LIMIT_REACHED: { status: 409, message: 'There may be no more of these.' },
  RATE_LIMITED: { status: 429, message: 'Too many requests; try again later.' },
  INTERNAL: { status: 500, message: 'Something went wrong on our side.' },
  UNAVAILABLE: { status: 503, message: 'The service cannot do this now; try again later.' },
  AGENT_BUSY: { status: 503, message: 'The agent has as many calls as it may; try again later.' },
  CALL_WINDOW_RESTRICTED: {
    status: 422,
    message: 'The agent may call nobody at this time of day.',
  },
  CTC_MISSING_HEADERS: { status: 400, message: 'Missing headers' },
  CTC_AGENT_FETCH_FAILED: { status: 500, message: 'Error fetching agent' },
  CTC_INVALID_API_KEY: { status: 403, message: 'Invalid API key' },
  CTC_AGENT_DISABLED: { status: 400, message: 'Agent is disabled' },
  CTC_AGENT_NOT_CONFIGURED: { status: 400, message: 'Agent not configured' },
  CTC_INVALID_SIGNATURE: { status: 403, message: 'Invalid signature' },
  CTC_CALL_IN_PROGRESS: { status: 400, message: 'Call already in progress' },
  CTC_CALL_FAILED: { status: 500, message: 'Error initiating call' },
  CTC_INVALID_NUMBER: { status: 400, message: 'Invalid phone number' },
  CTC_INVALID_VARIABLES: { status: 400, message: 'Invalid variables' },
  CTC_INVALID_BODY: { status: 400, message: 'Invalid request body' },
  CTC_TOO_OFTEN: { status: 429, message: 'Rate limit exceeded' },
  CTC_DESTINATION_NOT_ALLOWED: { status: 403, message: 'Destination not allowed' },
};

/** One field that is wrong: where it stands, what is wrong, and a word for programs. */
export interface ValidationIssue {
  readonly loc: readonly (string | number)[];
  readonly msg: string;
  readonly type: string;
}

interface HttpErrorOptions {
  readonly cause?: unknown;
  readonly retryAfterSeconds?: number;
  /** Of `VALIDATION_FAILED`. */
  readonly issues?: readonly ValidationIssue[];
  /** Of click-to-call: what stands in the body beside the code. */
  readonly details?: Readonly<Record<string, unknown>>;
}

/** Thrown by a route; the error handler gives it the shape of the route's API family. */
export class HttpError extends GatewayError<HttpErrorCode> {
  readonly status: number;
  readonly retryAfterSeconds: number | null;
  readonly issues: readonly ValidationIssue[];
  readonly details: Readonly<Record<string, unknown>>;

  constructor(
    code: HttpErrorCode,
    message: string = ERROR_CATALOG[code].message,
    options: HttpErrorOptions = {},
  ) {
    super(code, message, { cause: options.cause });
    this.status = ERROR_CATALOG[code].status;
    this.retryAfterSeconds = options.retryAfterSeconds ?? null;
    this.issues = options.issues ?? [];
    this.details = options.details ?? {};
  }
}

const CODE_BY_STATUS: Readonly<Record<number, HttpErrorCode>> = {
  404: 'NOT_FOUND',
  408: 'REQUEST_TIMEOUT',
  413: 'PAYLOAD_TOO_LARGE',
  414: 'INVALID_ARGUMENT',
  415: 'UNSUPPORTED_MEDIA_TYPE',
  429: 'RATE_LIMITED',
  503: 'UNAVAILABLE',
};

/** What was thrown while answering, in our words. Only `INTERNAL` is a bug of ours. */
export function toHttpError(error: unknown): HttpError {
  if (error instanceof HttpError) return error;
  if (error instanceof StorageError) return fromStorage(error);
  if (error instanceof ChatError) return fromChat(error);
  const status = statusOf(error);
  const message = error instanceof Error ? error.message : undefined;
  const code = CODE_BY_STATUS[status];
  if (code !== undefined) return new HttpError(code, undefined, { cause: error });
  if (status >= 400 && status < 500) {
    return new HttpError('INVALID_ARGUMENT', message, { cause: error });
  }
  return new HttpError('INTERNAL', undefined, { cause: error });
}

function fromStorage(error: StorageError): HttpError {
  if (error.code === 'STORAGE_CONFLICT') {
    return new HttpError('ALREADY_EXISTS', undefined, { cause: error });
  }
  if (error.retryable || error.code === 'STORAGE_CLOSED') {
    return new HttpError('UNAVAILABLE', undefined, { cause: error, retryAfterSeconds: 5 });
  }
  return new HttpError('INTERNAL', undefined, { cause: error });
}

const FROM_CHAT: Readonly<Record<ChatErrorCode, HttpErrorCode>> = {
  CHAT_LINK_INACTIVE: 'NOT_FOUND',
  CHAT_VERIFICATION_REQUIRED: 'VERIFICATION_REQUIRED',
  CHAT_VERIFICATION_OFF: 'INVALID_ARGUMENT',
  CHAT_CODE_REFUSED: 'VERIFICATION_FAILED',
  CHAT_EMAIL_MALFORMED: 'INVALID_ARGUMENT',
  CHAT_TEXT_EMPTY: 'INVALID_ARGUMENT',
  CHAT_RATE_LIMITED: 'RATE_LIMITED',
  CHAT_REPLYING: 'REPLY_IN_PROGRESS',
  CHAT_OVERLOADED: 'UNAVAILABLE',
  CHAT_REPLY_FAILED: 'UNAVAILABLE',
  CHAT_AGENT_UNKNOWN: 'NOT_FOUND',
  CHAT_AGENT_AMBIGUOUS: 'INVALID_ARGUMENT',
  CHAT_LINK_UNKNOWN: 'NOT_FOUND',
  CHAT_LINKS_FULL: 'LIMIT_REACHED',
};

function fromChat(error: ChatError): HttpError {
  const retryAfterSeconds = error.retryAfterSeconds ?? undefined;
  return new HttpError(FROM_CHAT[error.code], error.message, { cause: error, retryAfterSeconds });
}

function statusOf(error: unknown): number {
  if (typeof error !== 'object' || error === null || !('statusCode' in error)) return 500;
  return typeof error.statusCode === 'number' ? error.statusCode : 500;
}

/** What a body says beside the error itself. */
export interface ErrorContext {
  readonly requestId: string;
  /** Base of our own addresses, without a slash at its end. */
  readonly publicUrl: string;
}

/**
 * APIs that answer errors in shapes of their own. Each has one serializer, and none answers in
 * another's shape.
 */
export type ApiFamily =
  | 'v1'
  | 'public-web-call'
  | 'instant-links'
  | 'click-to-call'
  | 'public-chat';

export type ErrorSerializer = (error: HttpError, context: ErrorContext) => object;

/** The codes of the click-to-call API; messages go with them, whatever the status. */
export const CLICK_TO_CALL_CODES: Readonly<Record<ClickToCallCode, string>> = {
  MISSING_HEADERS: 'ctc:001',
  AGENT_FETCH_FAILED: 'ctc:002',
  INVALID_API_KEY: 'ctc:003',
  AGENT_DISABLED: 'ctc:004',
  AGENT_NOT_CONFIGURED: 'ctc:005',
  INVALID_SIGNATURE: 'ctc:006',
  CALL_IN_PROGRESS: 'ctc:007',
  CALL_FAILED: 'ctc:008',
  INVALID_NUMBER: 'ctc:009',
  INVALID_VARIABLES: 'ctc:010',
  INVALID_BODY: 'ctc:011',
  TOO_OFTEN: 'ctc:012',
  DESTINATION_NOT_ALLOWED: 'ctc:013',
};

/** What click-to-call itself does not say, the server does: a body too large, a bug, a stop. */
function clickToCallError(error: HttpError, { requestId }: ErrorContext): object {
  const own = Object.entries(CLICK_TO_CALL_CODES).find(([code]) => error.code === `CTC_${code}`);
  if (own !== undefined) {
    return { code: own[1], message: error.message, request_id: requestId, ...error.details };
  }
  const [code, name] =
    error.code === 'RATE_LIMITED'
      ? (['ctc:012', 'CTC_TOO_OFTEN'] as const)
      : error.status < 500
        ? (['ctc:011', 'CTC_INVALID_BODY'] as const)
        : (['ctc:008', 'CTC_CALL_FAILED'] as const);
  const { message } = ERROR_CATALOG[name];
  return { code, message, request_id: requestId, detail: error.message };
}

const SERIALIZERS: Readonly<Record<ApiFamily, ErrorSerializer>> = {
  v1: ({ code, message }, { requestId, publicUrl }) => ({
    error_code: code,
    message,
    request_id: requestId,
    documentation_url: `${publicUrl}/docs#${code}`,
  }),
  'public-web-call': ({ code, message, issues }, { requestId }) =>
    code === 'VALIDATION_FAILED'
      ? { detail: issues, request_id: requestId }
      : { error: code, message, request_id: requestId },
  'instant-links': ({ code, message }, { requestId }) => ({
    error: message,
    code,
    request_id: requestId,
  }),
  'click-to-call': clickToCallError,
  'public-chat': ({ code, message }, { requestId }) => ({
    detail: message,
    code,
    request_id: requestId,
  }),
};

/** The first prefix that fits; whatever fits none is answered as `v1`. */
const FAMILIES: readonly (readonly [prefix: string, family: ApiFamily])[] = [
  ['/v1/calls/public/', 'public-web-call'],
  ['/v1/instant-voice-links', 'instant-links'],
  ['/api/click-to-call', 'click-to-call'],
  ['/api/agents/', 'public-chat'],
  ['/api/public/', 'public-chat'],
  ['/v1/', 'v1'],
];

export function serializeError(url: string, error: HttpError, context: ErrorContext): object {
  const family = FAMILIES.find(([prefix]) => url.startsWith(prefix))?.[1] ?? 'v1';
  return SERIALIZERS[family](error, context);
}
