import type { Command } from 'commander';
import { type CliContext, collect, segment, wholeNumber, workOf } from '../command.ts';
import { shownTime } from '../fields.ts';
import { type Column, field } from '../output.ts';

const COLUMNS: readonly Column[] = [
  field('key_id', 'id'),
  field('label'),
  field('prefix'),
  field('scopes'),
  ['created', (row) => shownTime(row['created_at'])],
  ['expires', (row) => shownTime(row['expires_at'])],
];
const NEW: readonly Column[] = [
  field('key_id', 'id'),
  field('label'),
  field('scopes'),
  field('key'),
];

export function addKeys(program: Command, context: CliContext): void {
  const keys = program.command('keys').description('API keys of the workspace');

  keys
    .command('list')
    .description('keys that are valid, each by how it begins')
    .action(async (_, command: Command) => {
      const { api, out } = workOf(command, context);
      out.list(await api.get('/v1/keys'), 'keys', COLUMNS);
    });

  keys
    .command('create')
    .description('make a key; it is shown this once')
    .argument('<label>', 'what it is for')
    .requiredOption('-s, --scope <scope>', 'what it may do; many times, or with commas', collect)
    .addHelpText('after', '\nExample:\n  trunkline keys create crm --scope calls:write,calls:read')
    .action(async (label: string, { scope }: { scope: string[] }, command: Command) => {
      const { api, out } = workOf(command, context);
      out.one(await api.post('/v1/keys', { label, scopes: scope }), NEW);
    });

  keys
    .command('rotate')
    .description('make its successor; the old one stays valid for a while')
    .argument('<key-id>')
    .option('--overlap-seconds <n>', 'how long', wholeNumber)
    .action(async (id: string, options: { overlapSeconds?: number }, command: Command) => {
      const { api, out } = workOf(command, context);
      const body = { overlap_seconds: options.overlapSeconds };
      out.one(await api.post(`/v1/keys/${segment(id)}/rotate`, body), NEW);
    });

  keys
    .command('revoke')
    .description('end its validity at once; calls in progress go on')
    .argument('<key-id>')
    .action(async (id: string, _, command: Command) => {
      const { api, out } = workOf(command, context);
      out.done(`${id} is revoked`, await api.delete(`/v1/keys/${segment(id)}`));
    });
}
