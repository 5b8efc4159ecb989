import type { CapNotice } from '../../src/model/billing.ts';
import type { TermsBook } from '../../src/billing/terms-book.ts';
import { journalOf } from '../../src/call-journal.ts';
import type { CallRecord } from '../../src/model/call.ts';
import type { NewCall } from '../../src/storage/call-repository.ts';
import type { Storage } from '../../src/storage/storage.ts';
import { testMeter } from './billing.ts';
import { newCall } from './storage.ts';

/** A call that happened: how long it was, null for one that was not answered. */
export interface PastCall extends Partial<NewCall> {
  readonly talkMs: number | null;
}

/** Writes calls as the daemon does: metered, and with their ledger entries. */
export function billedCalls(
  storage: Storage,
  terms?: TermsBook,
  onCap?: (notice: CapNotice) => void,
) {
  const meter = testMeter(() => storage, terms, onCap);
  const journal = journalOf(storage, meter);

  const begin = async (id: string, change: Parameters<typeof newCall>[1]): Promise<CallRecord> => {
    const call: CallRecord = {
      ...newCall(id, change),
      status: 'initiated',
      answeredAtMs: null,
      endedAtMs: null,
      endReason: null,
      sipStatus: null,
      report: null,
    };
    await meter.admit({ ...call, timeLimitSeconds: 900 });
    await journal.started(call);
    return call;
  };
  const end = async (call: CallRecord, talkMs: number | null): Promise<boolean> => {
    const answeredAtMs = talkMs === null ? null : call.startedAtMs + 500;
    if (answeredAtMs !== null) await journal.answered(call.id, answeredAtMs);
    const endedAtMs = (answeredAtMs ?? call.startedAtMs + 200) + (talkMs ?? 0);
    const ending = {
      reason: 'caller-hung-up',
      sipStatus: null,
      detail: null,
      report: null,
    } as const;
    return journal.ended({ ...call, answeredAtMs }, { ...ending, endedAtMs });
  };
  return {
    meter,
    begin,
    end,
    async past(id: string, { talkMs, ...change }: PastCall) {
      return end(await begin(id, change), talkMs);
    },
  };
}
