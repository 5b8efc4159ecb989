import type { Command } from 'commander';
import { type CliContext, collectField, segment, workOf } from '../command.ts';
import { type Column, field } from '../output.ts';

const COLUMNS: readonly Column[] = [
  field('agent_id', 'id'),
  field('display_name', 'name'),
  field('type'),
  field('enabled'),
  field('language'),
  field('shareable'),
];
const ONE: readonly Column[] = [
  ...COLUMNS,
  field('shareable_url'),
  field('voice'),
  field('ai_provider'),
  field('ai_model'),
  field('greeting_text', 'greeting'),
  field('system_prompt'),
  field('time_limit_seconds'),
  field('concurrent_calls_max'),
  field('template_id'),
  field('updated_at'),
];
const TEMPLATES: readonly Column[] = [
  field('template_id', 'id'),
  field('name'),
  field('description'),
];

export function addAgents(program: Command, context: CliContext): void {
  const agents = program.command('agents').description('agents of the workspace');
  addReading(agents, context);
  addChanging(agents, context);
}

function addReading(agents: Command, context: CliContext): void {
  agents
    .command('list')
    .description('all of them')
    .option('--page-token <token>', 'go on where a page ended')
    .action(async (options: { pageToken?: string }, command: Command) => {
      const { api, out } = workOf(command, context);
      const query = { page_size: '200', page_token: options.pageToken };
      out.list(await api.get('/v1/agents', query), 'agents', COLUMNS);
    });

  agents
    .command('show')
    .description('one of them, whole')
    .argument('<agent-id>')
    .action(async (id: string, _, command: Command) => {
      const { api, out } = workOf(command, context);
      out.one(await api.get(`/v1/agents/${segment(id)}`), ONE);
    });

  agents
    .command('templates')
    .description('what an agent can be made from')
    .action(async (_, command: Command) => {
      const { api, out } = workOf(command, context);
      out.list(await api.get('/v1/agent-templates'), 'templates', TEMPLATES);
    });
}

const FIELDS_HELP = `
Fields are those of the HTTP API (see /docs of the daemon):
  trunkline agents set agt_demo greeting_text="Hello there." time_limit_seconds=600`;

function addChanging(agents: Command, context: CliContext): void {
  agents
    .command('create')
    .description('make one')
    .argument('<name>', 'its display name')
    .option('-t, --template <template-id>', 'take greeting, prompt and phrasebook from it')
    .option('-f, --field <name=value>', 'any field; many times', collectField)
    .addHelpText('after', FIELDS_HELP)
    .action(
      async (
        name: string,
        options: { template?: string; field?: Record<string, unknown> },
        command: Command,
      ) => {
        const { api, out } = workOf(command, context);
        const given = { display_name: name, template_id: options.template, ...options.field };
        out.one(await api.post('/v1/agents', given), ONE);
      },
    );

  agents
    .command('set')
    .description('change fields; calls in progress keep what they began with')
    .argument('<agent-id>')
    .argument('<name=value...>', 'a field and its value: text or JSON')
    .addHelpText('after', FIELDS_HELP)
    .action(async (id: string, pairs: string[], _, command: Command) => {
      const { api, out } = workOf(command, context);
      const change = pairs.reduce<Readonly<Record<string, unknown>>>(
        (all, pair) => collectField(pair, all),
        {},
      );
      out.one(await api.patch(`/v1/agents/${segment(id)}`, change), ONE);
    });

  agents
    .command('delete')
    .description('delete it with its keys; its calls stay listed')
    .argument('<agent-id>')
    .action(async (id: string, _, command: Command) => {
      const { api, out } = workOf(command, context);
      out.done(`${id} is deleted`, await api.delete(`/v1/agents/${segment(id)}`));
    });
}
