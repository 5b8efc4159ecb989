import type { CallEnding, CallJournal } from './call/journal.ts';
import type { CallRecord } from './model/call.ts';
import type { Storage } from './storage/storage.ts';
import type { Write } from './storage/write-queue.ts';

/** What else is written in the transaction that ends a call, e.g. what it costs. */
export type Alongside = (call: CallRecord, ending: CallEnding) => readonly Write[];

/** What storage calls its rows, in the words of the call room. */
export function journalOf({ calls }: Pick<Storage, 'calls'>, alongside: Alongside): CallJournal {
  return {
    started: (call) => calls.create(call),
    ringing: async (id) => {
      await calls.markRinging(id);
    },
    answered: async (id, answeredAtMs) => {
      await calls.markAnswered(id, answeredAtMs);
    },
    turn: (id, turn) => calls.appendTurn(id, turn),
    ended: (call, ending) => calls.end(call.id, ending, alongside(call, ending)),
  };
}
