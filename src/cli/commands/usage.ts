import { type Command, Option } from 'commander';
import { type CliContext, workOf } from '../command.ts';
import { type Fields, fieldsOf } from '../fields.ts';
import { type Column, field } from '../output.ts';

const MICROS = 1_000_000;
const money = (name: string) => (row: Fields) => {
  const micros = row[name];
  return typeof micros === 'number' ? (micros / MICROS).toFixed(4) : null;
};
const SUMS: readonly Column[] = [
  field('calls'),
  field('answered_calls', 'answered'),
  field('voice_minutes', 'minutes'),
  ['cost', money('total_cost_micros')],
  ['list price', money('list_price_micros')],
];
const TOTAL: readonly Column[] = [
  [
    'period',
    ({ period }) => `${String(fieldsOf(period)['from'])} – ${String(fieldsOf(period)['to'])}`,
  ],
  field('currency'),
  ...SUMS,
];

interface UsageOptions {
  readonly from?: string;
  readonly to?: string;
  readonly by?: string;
}

export function addUsage(program: Command, context: CliContext): void {
  program
    .command('usage')
    .description("what the workspace's calls came to")
    .option('--from <day>', 'first day of UTC, as 2026-01-31 (default: first of the month)')
    .option('--to <day>', 'last day, included (default: today)')
    .addOption(
      new Option('--by <what>', 'sums for each').choices(['day', 'agent', 'door', 'direction']),
    )
    .action(async ({ from, to, by }: UsageOptions, command: Command) => {
      const { api, out } = workOf(command, context);
      const usage = await api.get('/v1/usage', { from, to, group_by: by });
      out.one(usage, TOTAL);
      if (out.isJson || by === undefined) return;
      out.line('');
      out.list(usage, 'groups', [field('key', by), ...SUMS]);
    });
}
