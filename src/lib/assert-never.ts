/** Ends a `switch` over a union: a new member does not compile until it has a case. */
export function assertNever(value: never): never {
  throw new TypeError(`unexpected value: ${JSON.stringify(value)}`);
}
