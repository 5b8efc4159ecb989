import { type Fields, fieldsOf, listIn, shown } from './fields.ts';

/** A column: its heading, and what stands in it. */
export type Column = readonly [heading: string, value: (row: Fields) => unknown];

export interface OutputOptions {
  readonly isJson: boolean;
  readonly write: (text: string) => void;
}

const CELL_LENGTH_MAX = 60;

/** What a command prints: for a person, or with `--json` as the API gave it. */
export class Output {
  readonly #options: OutputOptions;

  constructor(options: OutputOptions) {
    this.#options = options;
  }

  get isJson(): boolean {
    return this.#options.isJson;
  }

  /** One answer as it came. */
  json(answer: unknown): void {
    this.#options.write(`${JSON.stringify(answer, null, 2)}\n`);
  }

  /** One answer in one line, for streams. */
  jsonLine(answer: unknown): void {
    this.#options.write(`${JSON.stringify(answer)}\n`);
  }

  line(text: string): void {
    this.#options.write(`${text}\n`);
  }

  /** A list of the answer as a table. */
  list(answer: unknown, name: string, columns: readonly Column[]): void {
    if (this.isJson) return this.json(answer);
    const rows = listIn(answer, name);
    if (rows.length === 0) return this.line(`no ${name.replaceAll('_', ' ')}`);
    for (const text of tableOf(rows, columns)) this.line(text);
    const next = fieldsOf(answer)['next_page_token'];
    if (typeof next === 'string') this.line(`more: --page-token ${next}`);
  }

  /** One object, a field a line. */
  one(answer: unknown, columns: readonly Column[]): void {
    if (this.isJson) return this.json(answer);
    const row = fieldsOf(answer);
    const width = Math.max(...columns.map(([heading]) => heading.length));
    for (const [heading, value] of columns)
      this.line(`${heading.padEnd(width)}  ${shown(value(row))}`);
  }

  /** Something was done of which nothing is to be told but that. */
  done(text: string, answer: unknown = {}): void {
    if (this.isJson) this.json(answer ?? {});
    else this.line(text);
  }
}

/** A column that shows a field under its own name. */
export function field(name: string, heading: string = name.replaceAll('_', ' ')): Column {
  return [heading, (row) => row[name]];
}

function tableOf(rows: readonly Fields[], columns: readonly Column[]): string[] {
  const heading = columns.map(([text]) => text.toUpperCase());
  const cells = rows.map((row) => columns.map(([, value]) => clipped(shown(value(row)))));
  const widths = heading.map((text, at) =>
    Math.max(text.length, ...cells.map((line) => line[at]?.length ?? 0)),
  );
  return [heading, ...cells].map((line) =>
    line
      .map((cell, at) => cell.padEnd(widths[at] ?? 0))
      .join('  ')
      .trimEnd(),
  );
}

/** Control characters of somebody's text do not reach a terminal. */
function clipped(text: string): string {
  const clean = text.replaceAll(/\p{Cc}+/gu, ' ');
  return clean.length > CELL_LENGTH_MAX ? `${clean.slice(0, CELL_LENGTH_MAX - 1)}…` : clean;
}
