import { readFileSync } from 'node:fs';
import { parseArgs } from 'node:util';
import { setFlagsFromString } from 'node:v8';
import { Gateway } from './app.ts';
import { type Config, ConfigError, loadConfig } from './config.ts';
import { helpText } from './help.ts';
import { runUntilAsked, type StopRequests } from './lifecycle.ts';
import { createLogger, type Logger } from './observability/logger.ts';

/** `EX_CONFIG` and `EX_USAGE` of sysexits.h. */
const EXIT_CONFIG = 78;
const EXIT_USAGE = 64;
/** Longest that anything may keep the process alive once all parts have stopped. */
const EXIT_GRACE_MS = 2000;

// A voice worker leaves little behind to collect, and sharing that out among helper threads
// makes it wait until each of them has had a core.
setFlagsFromString('--no-parallel-scavenge');

process.exitCode = await main(process.argv.slice(2));

async function main(args: readonly string[]): Promise<number> {
  const version = readVersion();
  try {
    const { values } = parseArgs({
      args: [...args],
      options: { help: { type: 'boolean', short: 'h' }, version: { type: 'boolean', short: 'V' } },
    });
    if (values.help === true) return print(helpText());
    if (values.version === true) return print(`trunkline ${version}\n`);
  } catch (error) {
    return complain(`${messageOf(error)}\nTry: trunkline --help`, EXIT_USAGE);
  }

  try {
    return await serve(loadConfig(process.env), version);
  } catch (error) {
    if (error instanceof ConfigError) return complain(error.message, EXIT_CONFIG);
    throw error;
  }
}

async function serve(config: Config, version: string): Promise<number> {
  const log = createLogger({ ...config.log, secrets: config.secrets });
  const gateway = new Gateway({ config, log, version });
  const onHangUp = () => void reloadTrunks(gateway, log);
  process.on('SIGHUP', onHangUp);
  const exitCode = await runUntilAsked({
    log,
    parts: gateway.parts,
    requests: processSignals((error) => log.fatal({ err: error }, 'a bug: stopping')),
    drainTimeoutMs: config.limits.drainTimeoutSeconds * 1000,
    onDrain: () => gateway.drain(),
    onReady: () => print(gateway.banner()),
  });
  process.off('SIGHUP', onHangUp);
  setTimeout(() => {
    log.error({ open: process.getActiveResourcesInfo() }, 'something was left open');
    process.exit(1);
  }, EXIT_GRACE_MS).unref();
  return exitCode;
}

/** SIGHUP: what is wrong in the file is said, and changes nothing. */
async function reloadTrunks(gateway: Gateway, log: Logger): Promise<void> {
  try {
    const { trunks } = loadConfig(process.env);
    await gateway.reloadTrunks(trunks);
    log.info({ trunks: trunks.length }, 'trunks reloaded');
  } catch (error) {
    log.error({ err: error }, 'trunks not reloaded: they stay as they were');
  }
  try {
    gateway.sip.reloadCertificate();
  } catch (error) {
    log.error({ err: error }, 'the TLS certificate was not reloaded: it stays as it was');
  }
}

/** SIGTERM, SIGINT, and a bug that nobody caught: after that nothing may be relied on. */
function processSignals(onBug: (error: unknown) => void): StopRequests {
  return {
    onRequest(listener) {
      const onSignal = (signal: NodeJS.Signals) => listener({ name: signal, isBug: false });
      const onError = (error: unknown) => {
        onBug(error);
        listener({ name: 'bug', isBug: true });
      };
      process.on('SIGTERM', onSignal).on('SIGINT', onSignal);
      process.on('uncaughtException', onError).on('unhandledRejection', onError);
      return () => {
        process.off('SIGTERM', onSignal).off('SIGINT', onSignal);
        process.off('uncaughtException', onError).off('unhandledRejection', onError);
      };
    },
  };
}

function readVersion(): string {
  const text = readFileSync(new URL('../package.json', import.meta.url), 'utf8');
  return /"version": "([^"]+)"/.exec(text)?.[1] ?? 'unknown';
}

function print(text: string): number {
  process.stdout.write(text);
  return 0;
}

function complain(text: string, exitCode: number): number {
  process.stderr.write(`trunkline: ${text}\n`);
  return exitCode;
}

function messageOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}
