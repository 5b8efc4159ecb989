import { GatewayError } from '../lib/gateway-error.ts';

export type CliErrorCode = 'CLI_USAGE' | 'CLI_UNREACHABLE' | 'CLI_REFUSED';

/** What ends a command: the message is for a person, the exit code for a script. */
export class CliError extends GatewayError<CliErrorCode> {
  readonly exitCode: number;

  constructor(code: CliErrorCode, message: string, exitCode: number, cause?: unknown) {
    super(code, message, { cause });
    this.exitCode = exitCode;
  }
}
