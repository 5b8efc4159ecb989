import { HttpError } from './errors.ts';
import { PAGE_SIZE } from './shapes.ts';

/** Where a page ended: a time and an id, which are unique together. */
export interface PagePosition {
  readonly atMs: number;
  readonly id: string;
}

/** Opaque to clients. It holds no secret: it only says where to go on. */
export function toPageToken({ atMs, id }: PagePosition): string {
  return Buffer.from(`${atMs}.${id}`).toString('base64url');
}

/** Throws `INVALID_ARGUMENT` for what we did not make. */
export function parsePageToken(token: string): PagePosition {
  const text = Buffer.from(token, 'base64url').toString('utf8');
  const match = /^(\d{1,15})\.(\w{1,100})$/.exec(text);
  const [, atMs = '', id = ''] = match ?? [];
  if (match === null) throw new HttpError('INVALID_ARGUMENT', 'page_token is not one of ours.');
  return { atMs: Number(atMs), id };
}

/** What a client asked for, as `PAGE_QUERY` of `shapes.ts` allows. */
export interface PageQuery {
  readonly page_size?: number | undefined;
  readonly page_token?: string | undefined;
}

export interface Page<Item> {
  readonly items: readonly Item[];
  readonly nextPageToken: string | null;
}

/**
 * One page of a list that is ordered by a time, which `atMsOf` tells, and id. `read` gets how
 * many to read at most, one more than fits, which tells whether another page follows; and where
 * to go on. Throws `INVALID_ARGUMENT` for a token that is not ours.
 */
export async function pageOf<Item extends { readonly id: string }>(
  { page_size: size = PAGE_SIZE, page_token: token }: PageQuery,
  read: (limit: number, after: PagePosition | undefined) => Promise<readonly Item[]>,
  atMsOf: (item: Item) => number,
): Promise<Page<Item>> {
  const found = await read(size + 1, token === undefined ? undefined : parsePageToken(token));
  const items = found.slice(0, size);
  const last = items.at(-1);
  const hasMore = found.length > size && last !== undefined;
  const nextPageToken = hasMore ? toPageToken({ atMs: atMsOf(last), id: last.id }) : null;
  return { items, nextPageToken };
}
