import type { SqlRow } from './connection.ts';

/** Reads columns of a row that our own statements chose: a wrong type is a bug of ours. */
export function textOf(row: SqlRow, column: string): string {
  const value = row[column];
  if (typeof value !== 'string') throw new TypeError(`column ${column} is no text`);
  return value;
}

export function numberOf(row: SqlRow, column: string): number {
  const value = row[column];
  if (typeof value !== 'number') throw new TypeError(`column ${column} is no number`);
  return value;
}

export function nullableText(row: SqlRow, column: string): string | null {
  return row[column] === null ? null : textOf(row, column);
}

export function nullableNumber(row: SqlRow, column: string): number | null {
  return row[column] === null ? null : numberOf(row, column);
}

/** What we wrote as JSON, in the type it was written from. */
// oxlint-disable-next-line typescript/no-unnecessary-type-parameters -- the one cast of our own JSON
export function jsonOf<T>(row: SqlRow, column: string): T {
  return JSON.parse(textOf(row, column)) as T;
}

/** Text that sqlite can hold and give back unchanged: no lone surrogates, no NUL. */
export function cleanText(text: string): string {
  return text.replaceAll(/\p{Surrogate}|\0/gu, '\u{FFFD}');
}

/**
 * The SQL of an insert that takes a JSON array of rows. Columns are given in the order of a
 * row's values; the one named `id` is returned.
 */
export function insertMany(table: string, columns: readonly string[], conflict = ''): string {
  const values = columns.map((_, index) => `value ->> ${index}`).join(', ');
  // `WHERE true` keeps sqlite from reading ON CONFLICT as part of a join.
  return `INSERT INTO ${table} (${columns.join(', ')})
    SELECT ${values} FROM json_each(?1) WHERE true ${conflict} RETURNING id`;
}
