import type { CallEnding, CallJournal } from './call/journal.ts';
import type { Tariff } from './model/billing.ts';
import type { CallRecord } from './model/call.ts';
import type { Storage } from './storage/storage.ts';
import type { Write } from './storage/write-queue.ts';

/** Who keeps the accounts of calls: what they write stands or falls with the call's own rows. */
export interface CallAccounts {
  /** What the call will be rated by. Asked once, with its first row. */
  tariffOf(call: CallRecord): Tariff | null;
  /** What is written in the transaction that ends it. */
  chargesOf(call: CallRecord, ending: CallEnding): readonly Write[];
  /** The call's end is durable, by these writes or by others before. May not throw. */
  settled?(call: CallRecord): void;
}

/** What storage calls its rows, in the words of the call room. */
export function journalOf({ calls }: Pick<Storage, 'calls'>, accounts: CallAccounts): CallJournal {
  return {
    started: (call) => calls.create({ ...call, tariff: accounts.tariffOf(call) }),
    ringing: async (id) => {
      await calls.markRinging(id);
    },
    answered: async (id, answeredAtMs) => {
      await calls.markAnswered(id, answeredAtMs);
    },
    turn: (id, turn) => calls.appendTurn(id, turn),
    ended: async (call, ending) => {
      const isTaken = await calls.end(call.id, ending, accounts.chargesOf(call, ending));
      accounts.settled?.(call);
      return isTaken;
    },
  };
}
