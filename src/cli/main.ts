import { CommanderError } from 'commander';
import { CliError } from './cli-error.ts';
import { EXIT } from './exit-codes.ts';
import { buildProgram } from './program.ts';

process.exitCode = await main(process.argv.slice(2));

/** Resolves to the exit code. */
async function main(args: readonly string[]): Promise<number> {
  const abort = new AbortController();
  process.once('SIGINT', () => abort.abort());
  // `trunkline calls list | head` is no failure.
  process.stdout.on('error', () => process.exit(EXIT.ok));
  const program = buildProgram({
    env: process.env,
    write: (text) => void process.stdout.write(text),
    signal: abort.signal,
  });
  try {
    await program.parseAsync([...args], { from: 'user' });
    return EXIT.ok;
  } catch (error) {
    if (error instanceof CommanderError) return error.exitCode === 0 ? EXIT.ok : EXIT.usage;
    if (!(error instanceof CliError)) throw error;
    process.stderr.write(`trunkline: ${error.message}\n`);
    return error.exitCode;
  }
}
