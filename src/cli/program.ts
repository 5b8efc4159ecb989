import { Command } from 'commander';
import type { CliContext } from './command.ts';
import { addAgents } from './commands/agents.ts';
import { addCalls } from './commands/calls.ts';
import { addDoctor } from './commands/doctor.ts';
import { addKeys } from './commands/keys.ts';
import { addLinks } from './commands/links.ts';
import { addTrunks } from './commands/trunks.ts';
import { addUsage } from './commands/usage.ts';

const AFTER = `
Environment:
  TRUNKLINE_URL       address of the daemon
  TRUNKLINE_API_KEY   key, instead of --key
  TRUNKLINE_DATA_DIR  folder with admin.key, used when no key is given [data]

Exit status:
  0 done   64 wrong command line   65 refused by the daemon   66 there is no such thing
  69 no daemon answers   70 the daemon failed   75 try again later   77 key or scope missing

Without a command the daemon starts; see "trunkline --help".`;

/** Every command. Nothing has run yet: `parseAsync` does. */
export function buildProgram(context: CliContext): Command {
  const program = new Command('trunkline')
    .description('Asks a running Trunkline daemon over its HTTP API.')
    .option('-u, --url <url>', 'address of the daemon (default: http://127.0.0.1:8080)')
    .option('-k, --key <key>', 'API key; better in TRUNKLINE_API_KEY')
    .option('--json', 'print what the API answered')
    .addHelpText('after', AFTER)
    .showHelpAfterError('(--help tells more)')
    .helpCommand(true)
    .exitOverride();
  addKeys(program, context);
  addAgents(program, context);
  addLinks(program, context);
  addCalls(program, context);
  addTrunks(program, context);
  addDoctor(program, context);
  addUsage(program, context);
  for (const command of everyCommand(program)) command.exitOverride().allowExcessArguments(false);
  return program;
}

function everyCommand(command: Command): Command[] {
  return [command, ...command.commands.flatMap(everyCommand)];
}
