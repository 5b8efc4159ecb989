import { HttpError } from './errors.ts';

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
