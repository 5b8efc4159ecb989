import { createRequire } from 'node:module';
import pino, { type DestinationStream, type Logger as PinoLogger } from 'pino';
import { createRedactor } from './redact.ts';

/** `log.info({ facts }, 'constant sentence')`; `log.child({ callId })` for a call's own. */
export type Logger = PinoLogger;

export type LogLevel = 'fatal' | 'error' | 'warn' | 'info' | 'debug' | 'trace' | 'silent';

export interface LoggerOptions {
  readonly level: LogLevel;
  /** `auto`: for people when standard output is a terminal. */
  readonly pretty: 'auto' | 'always' | 'never';
  /** Configured secrets: they are looked for in every line. */
  readonly secrets?: readonly string[];
  /** Standard output when left out. */
  readonly destination?: DestinationStream;
}

/**
 * Every line goes through `redact` whole, whoever wrote it: also error messages and stacks
 * of packages.
 */
export function createLogger(options: LoggerOptions): Logger {
  const redact = createRedactor(options.secrets);
  const isPretty =
    options.pretty === 'always' || (options.pretty === 'auto' && process.stdout.isTTY);
  return pino(
    {
      level: options.level,
      base: null,
      timestamp: pino.stdTimeFunctions.isoTime,
      formatters: { level: (label) => ({ level: label }) },
      hooks: { streamWrite: redact },
    },
    isPretty
      ? prettyStream(options.destination)
      : (options.destination ?? pino.destination({ dest: 1, sync: true })),
  );
}

/** A logger that writes nothing, for those who must pass one. */
export function silentLogger(): Logger {
  return pino({ level: 'silent' });
}

function prettyStream(destination?: DestinationStream): DestinationStream {
  // Loaded only for a terminal: it costs a service nothing at start.
  const require = createRequire(import.meta.url);
  const { default: pretty } = asPretty(require('pino-pretty'));
  return pretty({
    destination: destination ?? 1,
    sync: true,
    colorize: process.stdout.isTTY && destination === undefined,
    translateTime: 'SYS:HH:MM:ss.l',
    singleLine: true,
  });
}

interface PrettyModule {
  readonly default: (options: Readonly<Record<string, unknown>>) => DestinationStream;
}

function asPretty(loaded: unknown): PrettyModule {
  // oxlint-disable-next-line typescript/no-unsafe-type-assertion -- pino-pretty's own shape, pinned
  return loaded as PrettyModule;
}
