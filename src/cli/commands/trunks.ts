import type { Command } from 'commander';
import { type CliContext, workOf } from '../command.ts';
import { fieldsOf, shown } from '../fields.ts';
import { type Column, field } from '../output.ts';

const COLUMNS: readonly Column[] = [
  field('name'),
  field('is_up', 'up'),
  ['registration', (row) => fieldsOf(row['registration'])['state']],
  ['calls', (row) => `${shown(row['channels'])}/${shown(row['channels_max'])}`],
  field('transport'),
  field('hosts'),
  field('numbers'),
];

export function addTrunks(program: Command, context: CliContext): void {
  const trunks = program.command('trunks').description("the daemon's carriers");

  trunks
    .command('list')
    .description('whether each is registered and up')
    .action(async (_, command: Command) => {
      const { api, out } = workOf(command, context);
      out.list(await api.get('/v1/trunks'), 'trunks', COLUMNS);
    });
}
