import { type Static, Type } from 'typebox';
import { DialogueError } from '../dialogue/dialogue-error.ts';
import { compilePhrasebook, ENTRIES_MAX } from '../dialogue/phrasebook/compile.ts';
import type { Phrasebook, PhrasebookEntry, PhrasebookTransfer } from '../model/agent.ts';
import { HttpError } from './errors.ts';
import { oneOf } from './shapes.ts';

const id = Type.String({ pattern: '^[\\w.-]{1,64}$' });
const texts = (maxItems: number) => Type.Array(Type.String({ maxLength: 1000 }), { maxItems });
const strict = { additionalProperties: false };

const Entry = Type.Object(
  {
    id,
    says: texts(100),
    digits: Type.Optional(Type.String({ pattern: '^[0-9A-D*#]{1,32}$' })),
    replies: texts(50),
    after: Type.Optional(oneOf(['hang-up', 'repeat'])),
    transfer: Type.Optional(
      Type.Object(
        {
          to: Type.Optional(Type.String({ minLength: 1, maxLength: 100 })),
          replies: texts(20),
          failed: texts(20),
        },
        strict,
      ),
    ),
    expects: Type.Optional(oneOf(['yes-no', 'digits', 'open'])),
    next: Type.Optional(Type.Array(id, { maxItems: ENTRIES_MAX })),
    is_follow_up: Type.Optional(Type.Boolean()),
    is_aside: Type.Optional(Type.Boolean()),
    topic: Type.Optional(Type.String({ maxLength: 100 })),
  },
  strict,
);

/** What the embedded brain may hear and say: `PhrasebookEntry` describes the patterns. */
export const PhrasebookShape = Type.Object(
  {
    entries: Type.Array(Entry, { maxItems: ENTRIES_MAX }),
    fallbacks: texts(20),
    opening: Type.Optional(id),
  },
  { ...strict, title: 'Phrasebook' },
);

/** Throws `INVALID_ARGUMENT` for a book that cannot be compiled. */
export function parsePhrasebook(given: Static<typeof PhrasebookShape>): Phrasebook {
  const { entries, fallbacks, opening } = given;
  const book: Phrasebook = {
    entries: entries.map(
      ({ is_follow_up: isFollowUp, is_aside: isAside, ...entry }): PhrasebookEntry => ({
        ...entry,
        ...(isFollowUp === undefined ? {} : { isFollowUp }),
        ...(isAside === undefined ? {} : { isAside }),
      }),
    ),
    fallbacks,
    ...(opening === undefined ? {} : { opening }),
  };
  try {
    compilePhrasebook(book);
  } catch (error) {
    if (!(error instanceof DialogueError)) throw error;
    throw new HttpError('INVALID_ARGUMENT', `phrasebook: ${error.message}`, { cause: error });
  }
  return book;
}

const toTransferView = ({ replies, failed, ...to }: PhrasebookTransfer) => ({
  ...to,
  replies: [...replies],
  failed: [...failed],
});

export function toPhrasebookView(book: Phrasebook): Static<typeof PhrasebookShape> {
  return {
    entries: book.entries.map(
      ({ isFollowUp, isAside, says, replies, next, transfer, ...entry }) => ({
        ...entry,
        ...(transfer === undefined ? {} : { transfer: toTransferView(transfer) }),
        says: [...says],
        replies: [...replies],
        ...(next === undefined ? {} : { next: [...next] }),
        ...(isFollowUp === undefined ? {} : { is_follow_up: isFollowUp }),
        ...(isAside === undefined ? {} : { is_aside: isAside }),
      }),
    ),
    fallbacks: [...book.fallbacks],
    ...(book.opening === undefined ? {} : { opening: book.opening }),
  };
}
