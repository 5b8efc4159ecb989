import { headerKey } from './header-names.ts';
import { splitList } from './tokens.ts';

export interface Header {
  /** Lower-case long form. */
  readonly key: string;
  /** As it was spelled. */
  readonly name: string;
  /** Unfolded and trimmed. */
  readonly value: string;
}

/** Headers in wire order. Looked up by lower-case long form: `via`, `call-id`. */
export class HeaderList {
  #headers: Header[];

  constructor(headers: Header[] = []) {
    this.#headers = headers;
  }

  get length(): number {
    return this.#headers.length;
  }

  [Symbol.iterator](): IterableIterator<Header> {
    return this.#headers[Symbol.iterator]();
  }

  has(key: string): boolean {
    return this.first(key) !== undefined;
  }

  first(key: string): string | undefined {
    for (const header of this.#headers) if (header.key === key) return header.value;
    return undefined;
  }

  /** Every line of that name, not split at commas. */
  lines(key: string): string[] {
    const values: string[] = [];
    for (const header of this.#headers) if (header.key === key) values.push(header.value);
    return values;
  }

  /** Every value of that name: lines joined in order and split at commas. */
  list(key: string): string[] {
    const values: string[] = [];
    for (const header of this.#headers) {
      if (header.key !== key) continue;
      if (header.value.includes(',')) values.push(...splitList(header.value));
      else if (header.value !== '') values.push(header.value);
    }
    return values;
  }

  append(name: string, value: string): void {
    this.#headers.push({ key: headerKey(name), name, value });
  }

  /** Replaces the first of that name and drops the others; appends when there is none. */
  set(name: string, value: string): void {
    const header = { key: headerKey(name), name, value };
    const at = this.#headers.findIndex((known) => known.key === header.key);
    if (at < 0) {
      this.#headers.push(header);
      return;
    }
    this.#headers = this.#headers.filter((known, i) => i === at || known.key !== header.key);
    this.#headers[at] = header;
  }

  /** Replaces one line in place; the others of that name stay. */
  replaceFirst(key: string, value: string): void {
    const at = this.#headers.findIndex((known) => known.key === key);
    const known = this.#headers[at];
    if (known !== undefined) this.#headers[at] = { key, name: known.name, value };
  }

  remove(key: string): void {
    this.#headers = this.#headers.filter((known) => known.key !== key);
  }
}
