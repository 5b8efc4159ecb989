import { GatewayError } from '../lib/gateway-error.ts';

export type CallErrorCode = 'CALL_EVENT_OUT_OF_ORDER' | 'CALL_NOT_LIVE';

export class CallError extends GatewayError<CallErrorCode> {}
