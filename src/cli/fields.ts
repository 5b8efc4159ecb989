/** An object as it came over HTTP. */
export type Fields = Readonly<Record<string, unknown>>;

export function isFields(value: unknown): value is Fields {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

export function fieldsOf(value: unknown): Fields {
  return isFields(value) ? value : {};
}

/** The objects of a list that an answer holds under that name. */
export function listIn(answer: unknown, name: string): readonly Fields[] {
  const list: unknown = fieldsOf(answer)[name];
  return Array.isArray(list) ? list.filter(isFields) : [];
}

/** A value as a person reads it. */
export function shown(value: unknown): string {
  if (value === null || value === undefined || value === '') return '-';
  if (typeof value === 'boolean') return value ? 'yes' : 'no';
  if (Array.isArray(value)) return value.map(shown).join(', ') || '-';
  return typeof value === 'string' ? value : JSON.stringify(value);
}

/** `2026-01-31T09:00:00.000Z` without what nobody reads. */
export function shownTime(value: unknown): string {
  return typeof value === 'string' ? value.replace('T', ' ').replace(/\.\d+Z$/, 'Z') : '-';
}
