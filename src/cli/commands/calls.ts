import { type Command, Option } from 'commander';
import {
  type CliContext,
  collectPair,
  segment,
  type Work,
  workOf,
  wholeNumber,
} from '../command.ts';
import { readEvents, type SourceEvent } from '../event-source.ts';
import { type Fields, fieldsOf, listIn, shown, shownTime } from '../fields.ts';
import { type Column, field } from '../output.ts';

const seconds = (row: Fields) => {
  const value = row['duration_seconds'];
  return typeof value === 'number' ? value.toFixed(1) : null;
};
const COLUMNS: readonly Column[] = [
  field('call_id', 'id'),
  ['started', (row) => shownTime(row['started_at'])],
  field('direction'),
  field('door'),
  field('from_number', 'from'),
  field('to_number', 'to'),
  field('status'),
  ['seconds', seconds],
  field('end_reason', 'end'),
];
const ONE: readonly Column[] = [
  ...COLUMNS,
  field('agent_id', 'agent'),
  field('blame'),
  field('sip_status', 'SIP status'),
  ['codec', (row) => fieldsOf(row['media'])['codec']],
  ['packets lost', (row) => fieldsOf(row['media'])['packets_lost']],
];

export function addCalls(program: Command, context: CliContext): void {
  const calls = program.command('calls').description('calls of the workspace');
  addReading(calls, context);
  addDialing(calls, context);
  addActing(calls, context);
}

const FILTERS = [
  ['--agent <agent-id>', 'of that agent', 'agent', 'agent_id'],
  ['--status <status>', 'initiated, ringing, in-progress, completed, failed', 'status', 'status'],
  ['--direction <direction>', 'inbound or outbound', 'direction', 'direction'],
  ['--door <door>', 'trunk, sip-websocket, web-offer, click-to-call, api, …', 'door', 'door'],
  ['--from <number>', 'from that number', 'from', 'from_number'],
  ['--to <number>', 'to that number', 'to', 'to_number'],
  ['--end <reason>', 'that ended so', 'end', 'end_reason'],
  ['--since <time>', 'that began then or later', 'since', 'started_from'],
  ['--before <time>', 'that began before', 'before', 'started_before'],
  ['--page-token <token>', 'go on where a page ended', 'pageToken', 'page_token'],
] as const;

function addReading(calls: Command, context: CliContext): void {
  const list = calls.command('list').description('newest first');
  for (const [flags, text] of FILTERS) list.option(flags, text);
  list
    .option('-n, --limit <n>', 'how many, at most 200', wholeNumber, 20)
    .action(async (options: Record<string, string> & { limit: number }, command: Command) => {
      const { api, out } = workOf(command, context);
      const filters = FILTERS.map(([, , option, name]) => [name, options[option]] as const);
      const query = { ...Object.fromEntries(filters), page_size: String(options.limit) };
      out.list(await api.get('/v1/calls', query), 'calls', COLUMNS);
    });

  calls
    .command('show')
    .description('one call with what was said')
    .argument('<call-id>')
    .action(async (id: string, _, command: Command) => {
      const { api, out } = workOf(command, context);
      const call = await api.get(`/v1/calls/${segment(id)}`);
      out.one(call, ONE);
      if (out.isJson) return;
      for (const turn of listIn(call, 'transcript'))
        out.line(`  ${shown(turn['role'])}: ${shown(turn['text'])}`);
    });

  calls
    .command('watch')
    .description('what the call is doing, until it ends')
    .argument('<call-id>')
    .option('--words', 'what is said, word by word, instead')
    .action((id: string, { words = false }: { words?: boolean }, command: Command) =>
      watch(workOf(command, context), id, words ? 'transcript/stream' : 'events'),
    );
}

interface DialOptions {
  readonly from?: string;
  readonly var?: Record<string, string>;
  readonly watch?: boolean;
}

function addDialing(calls: Command, context: CliContext): void {
  calls
    .command('dial')
    .description('have an agent call a number')
    .argument('<agent-id>')
    .argument('<number>', 'with "+" and country')
    .option('--from <number>', 'who calls')
    .option('--var <name=value>', 'for {{names}} in what the agent says; many times', collectPair)
    .option('-w, --watch', 'tell what it does until it ends')
    .action(async (agent: string, number: string, options: DialOptions, command: Command) => {
      const work = workOf(command, context);
      const body = { agent_id: agent, to_number: number, from_number: options.from };
      const call = await work.api.post('/v1/calls', { ...body, variables: options.var });
      const id = String(fieldsOf(call)['call_id']);
      if (options.watch === true) return watch(work, id, 'events');
      work.out.done(id, call);
    });
}

function addActing(calls: Command, context: CliContext): void {
  calls
    .command('hangup')
    .description('end it, or cancel while it rings')
    .argument('<call-id>')
    .action(async (id: string, _, command: Command) => {
      const { api, out } = workOf(command, context);
      out.done(`${id} is hung up`, await api.delete(`/v1/calls/${segment(id)}`));
    });

  calls
    .command('transfer')
    .description('put the other side through to a number; "calls watch" tells how it goes')
    .argument('<call-id>')
    .argument('<number>', 'with "+" and country')
    .addOption(new Option('--mode <mode>').choices(['blind', 'attended', 'bridge']))
    .action(async (id: string, number: string, options: { mode?: string }, command: Command) => {
      const { api, out } = workOf(command, context);
      const body = { to_number: number, mode: options.mode };
      out.done('it is on its way', await api.post(`/v1/calls/${segment(id)}/transfer`, body));
    });

  calls
    .command('say')
    .description('have the agent say a sentence')
    .argument('<call-id>')
    .argument('<text>')
    .action(async (id: string, text: string, _, command: Command) => {
      const { api, out } = workOf(command, context);
      out.done('it will be said', await api.post(`/v1/calls/${segment(id)}/say`, { text }));
    });

  calls
    .command('dtmf')
    .description('press keys on the line')
    .argument('<call-id>')
    .argument('<digits>', '0-9, A-D, * and #')
    .action(async (id: string, digits: string, _, command: Command) => {
      const { api, out } = workOf(command, context);
      const answer = await api.post(`/v1/calls/${segment(id)}/dtmf`, { digits });
      out.done('they will be pressed', answer);
    });
}

async function watch({ api, out, signal }: Work, id: string, stream: string): Promise<void> {
  for await (const event of readEvents(api, `/v1/calls/${segment(id)}/${stream}`, signal)) {
    if (out.isJson) out.jsonLine(event.data);
    else out.line(lineOf(event));
  }
}

function lineOf({ name, data }: SourceEvent): string {
  const { type: _type, call_id: _id, at, ts, ...rest } = data;
  const time = shownTime(at ?? ts);
  if (name === 'message') return `${time}  ${wordsOf(rest)}`;
  const turn = fieldsOf(rest['turn']);
  if (name === 'turn') return `${time}  ${shown(turn['role'])}: ${shown(turn['text'])}`;
  const facts = Object.entries(rest).filter(([, value]) => value !== null);
  return [`${time}  ${name}`, ...facts.map(([key, value]) => `${key}=${shown(value)}`)].join(' ');
}

function wordsOf(frame: Fields): string {
  const mark = frame['is_final'] === true ? '' : ' …';
  return `${shown(frame['role'])}: ${shown(frame['text'])}${mark}`;
}
