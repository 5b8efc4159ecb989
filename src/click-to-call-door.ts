import { ClickToCall } from './access/click-to-call.ts';
import { DailyCalls } from './access/daily-calls.ts';
import type { CallService } from './call/call-service.ts';
import type { Logger } from './observability/logger.ts';
import type { Storage } from './storage/storage.ts';

export interface ClickToCallDoorOptions {
  readonly storage: () => Storage;
  readonly calls: () => CallService;
  readonly simulate: CallService['dial'];
  readonly hasTrunks: () => boolean;
  readonly requestsPerMinute: number;
  readonly log: Logger;
}

/** Made at the first request, when storage is open, and once: it remembers who asks too often. */
export function clickToCallDoor(options: ClickToCallDoorOptions): () => ClickToCall {
  let door: ClickToCall | null = null;
  return () => {
    if (door !== null) return door;
    const { agents, clickToCall: credentials, publicAdmissions: admissions } = options.storage();
    const nowMs = Date.now;
    door = new ClickToCall({
      ...options,
      credentials,
      agents,
      dailyCalls: new DailyCalls({ admissions, nowMs }),
      onError: (error) => options.log.error({ err: error }, 'click-to-call failed'),
      nowMs,
    });
    return door;
  };
}
