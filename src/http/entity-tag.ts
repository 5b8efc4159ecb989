import { HttpError } from './errors.ts';

/** The ETag of one revision of a thing (RFC 9110 §8.8.3): strong. */
export function entityTag(revision: number): string {
  return `"${revision}"`;
}

/**
 * What `If-Match` (RFC 9110 §13.1.1) says of the revision that is current: the revision that a
 * change must find, undefined where any will do. Throws `PRECONDITION_FAILED`.
 */
export function revisionToFind(ifMatch: string | undefined, current: number): number | undefined {
  if (ifMatch === undefined || ifMatch.trim() === '*') return undefined;
  // Weak tags never match here, so they need no parsing.
  const tags = ifMatch.split(',').map((tag) => tag.trim());
  if (!tags.includes(entityTag(current))) throw new HttpError('PRECONDITION_FAILED');
  return current;
}
