import { type Command, Option } from 'commander';
import { type CliContext, collect, decimal, segment, wholeNumber, workOf } from '../command.ts';
import { fieldsOf, shownTime } from '../fields.ts';
import { type Column, field } from '../output.ts';

const VOICE_PATH = '/v1/instant-voice-links';
const VOICE: readonly Column[] = [
  field('id'),
  field('label'),
  field('status'),
  ['expires', (row) => shownTime(row['expiresAt'])],
  field('timeLimitMinutes', 'minutes'),
  field('usedSessions', 'used'),
  field('url'),
];
const CHAT: readonly Column[] = [
  field('id'),
  field('name'),
  field('status'),
  field('require_email', 'e-mail'),
  ['messages', (row) => fieldsOf(row['usage'])['messages']],
  field('url'),
];
const preset = () =>
  new Option('-e, --expiry <preset>', 'valid for').choices(['1_day', '1_week', '1_month']);

/** Ways to reach an agent without an account. */
export function addLinks(program: Command, context: CliContext): void {
  const links = program.command('links').description('links that need no account');
  addShareable(links, context);
  addVoice(
    links.command('voice').description('instant voice links, which carry a prompt'),
    context,
  );
  addChat(links.command('chat').description('public chat links of an agent'), context);
}

function addShareable(links: Command, context: CliContext): void {
  const set = async (id: string, shareable: boolean, command: Command) => {
    const { api, out } = workOf(command, context);
    const agent = await api.patch(`/v1/agents/${segment(id)}/shareable`, { shareable });
    const url = fieldsOf(agent)['shareable_url'];
    out.done(shareable ? String(url) : `${id} is not shared any more`, agent);
  };

  links
    .command('share')
    .description('let anyone call the agent from a browser; prints the address')
    .argument('<agent-id>')
    .action((id: string, _, command: Command) => set(id, true, command));

  links
    .command('unshare')
    .description('no longer; calls in progress go on')
    .argument('<agent-id>')
    .action((id: string, _, command: Command) => set(id, false, command));
}

interface VoiceOptions {
  readonly label: string[];
  readonly expiry: string;
  readonly prompt: string;
  readonly title?: string;
  readonly info?: string;
  readonly minutes?: number;
  readonly maxSessions?: number;
}

function addVoice(voice: Command, context: CliContext): void {
  voice
    .command('list')
    .description('all of them')
    .action(async (_, command: Command) => {
      const { api, out } = workOf(command, context);
      out.list(await api.get(VOICE_PATH), 'links', VOICE);
    });

  voice
    .command('create')
    .description('make a link for each label')
    .requiredOption('-l, --label <label>', 'whose it is; many times, or with commas', collect)
    .addOption(preset().makeOptionMandatory())
    .requiredOption('-p, --prompt <text>', 'what the agent shall be and do')
    .option('--title <text>', 'of the landing page')
    .option('--info <text>', 'on the landing page')
    .option('--minutes <n>', 'longest call, 1 to 60', decimal)
    .option('--max-sessions <n>', 'calls that may connect', wholeNumber)
    .action(async (options: VoiceOptions, command: Command) => {
      const { api, out } = workOf(command, context);
      const { label: labels, expiry, prompt, title, info, minutes, maxSessions } = options;
      const page = { landingPageTitle: title, landingPageInfo: info, timeLimitMinutes: minutes };
      const body = { labels, expiryPreset: expiry, prompt, ...page, maxSessions };
      out.list(await api.post(VOICE_PATH, body), 'links', VOICE);
    });

  voice
    .command('renew')
    .description('make it valid again, from now')
    .argument('<link-id>')
    .addOption(preset().makeOptionMandatory())
    .action(async (id: string, { expiry }: { expiry: string }, command: Command) => {
      const { api, out } = workOf(command, context);
      const path = `${VOICE_PATH}/${segment(id)}/renew`;
      out.done(`${id} is valid again`, await api.post(path, { expiryPreset: expiry }));
    });

  voice
    .command('disable')
    .description('end its validity; calls in progress go on')
    .argument('<link-id>')
    .action(async (id: string, _, command: Command) => {
      const { api, out } = workOf(command, context);
      out.done(`${id} is disabled`, await api.post(`${VOICE_PATH}/${segment(id)}/disable`));
    });

  voice
    .command('delete')
    .description('forget it')
    .argument('<link-id>')
    .action(async (id: string, _, command: Command) => {
      const { api, out } = workOf(command, context);
      out.done(`${id} is deleted`, await api.delete(`${VOICE_PATH}/${segment(id)}`));
    });
}

interface ChatOptions {
  readonly name?: string;
  readonly requireEmail?: boolean;
  readonly welcome?: string;
}

function addChat(chat: Command, context: CliContext): void {
  const pathOf = (agent: string) => `/api/agents/${segment(agent)}/public-links`;

  chat
    .command('list')
    .description('those of an agent')
    .argument('<agent>', 'its name or id')
    .action(async (agent: string, _, command: Command) => {
      const { api, out } = workOf(command, context);
      out.list(await api.get(pathOf(agent)), 'public_links', CHAT);
    });

  chat
    .command('create')
    .description('make one; prints the address')
    .argument('<agent>', 'its name or id')
    .option('-n, --name <text>', 'for yourself')
    .option('--require-email', 'visitors verify an e-mail address first')
    .option('--welcome <text>', 'first message of the agent')
    .action(async (agent: string, options: ChatOptions, command: Command) => {
      const { api, out } = workOf(command, context);
      const { name, requireEmail, welcome } = options;
      const body = { name, require_email: requireEmail, welcome_message: welcome };
      const link = await api.post(pathOf(agent), body);
      out.done(String(fieldsOf(link)['url']), link);
    });

  chat
    .command('delete')
    .description('its address leads nowhere any more')
    .argument('<agent>', 'its name or id')
    .argument('<link-id>')
    .action(async (agent: string, id: string, _, command: Command) => {
      const { api, out } = workOf(command, context);
      out.done(`${id} is deleted`, await api.delete(`${pathOf(agent)}/${segment(id)}`));
    });
}
