import { GatewayError } from '../lib/gateway-error.ts';

export type ConfigErrorCode =
  | 'CONFIG_FILE_UNREADABLE'
  | 'CONFIG_NOT_YAML'
  | 'CONFIG_UNKNOWN_SETTING'
  | 'CONFIG_MALFORMED_SETTING';

/**
 * The configuration cannot be used. The message has one line per problem, each naming the
 * place (`file:line:column` or the environment variable) and what was expected; it never
 * holds the value of a secret.
 */
export class ConfigError extends GatewayError<ConfigErrorCode> {}

/** One thing that is wrong, and where. */
export interface ConfigProblem {
  readonly code: ConfigErrorCode;
  readonly where: string;
  readonly message: string;
}

const PROBLEMS_SHOWN_MAX = 20;

/** One error for all problems found, so that a file is mended in one go. */
export function toConfigError(problems: readonly [ConfigProblem, ...ConfigProblem[]]): ConfigError {
  const lines = problems
    .slice(0, PROBLEMS_SHOWN_MAX)
    .map((problem) => `${problem.where}: ${problem.message}`);
  const left = problems.length - lines.length;
  if (left > 0) lines.push(`and ${left} more`);
  return new ConfigError(problems[0].code, lines.join('\n'));
}
