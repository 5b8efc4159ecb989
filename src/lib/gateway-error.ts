/** What a `GatewayError` may carry beside its code and sentence. */
export interface GatewayErrorOptions {
  readonly cause?: unknown;
  /** Trying the same thing again, unchanged, may work. Default: false. */
  readonly retryable?: boolean;
  /** Facts for the log line. Never audio, transcripts, numbers or secrets. */
  readonly facts?: Readonly<Record<string, unknown>>;
}

/**
 * A failure with a stable code. Each folder has one subclass and one union of codes;
 * SIP and HTTP statuses are given at the edges, in one exhaustive table each.
 */
export class GatewayError<Code extends string = string> extends Error {
  readonly code: Code;
  readonly retryable: boolean;
  readonly facts: Readonly<Record<string, unknown>>;

  constructor(code: Code, message: string, options: GatewayErrorOptions = {}) {
    super(message, options.cause === undefined ? undefined : { cause: options.cause });
    this.name = new.target.name;
    this.code = code;
    this.retryable = options.retryable ?? false;
    this.facts = options.facts ?? {};
  }
}
