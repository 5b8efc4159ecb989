import { type Static, Type } from 'typebox';
import { type AgentTemplate, POLITE_IDLE } from '../dialogue/templates/agent-template.ts';
import { findAgentTemplate } from '../dialogue/templates/agent-templates.ts';
import type { CallWindow, TransferTarget } from '../model/agent.ts';
import type { AgentId, WorkspaceId } from '../model/ids.ts';
import type { LlmSettings } from '../model/provider.ts';
import {
  type AgentChange,
  CLICK_TO_CALL_RULES,
  type NewAgent,
  type StoredAgent,
} from '../storage/agent-repository.ts';
import { HttpError } from './errors.ts';
import { parsePhrasebook, PhrasebookShape, toPhrasebookView } from './phrasebook-shape.ts';
import { nullable, oneOf, PhoneOrBrowser, Time, toTime, WebhookUrl } from './shapes.ts';
import { GivenToolDefinitions, parseToolDefinitions, ToolDefinitions } from './tool-definitions.ts';

const CLOCK = '^([01][0-9]|2[0-3]):[0-5][0-9]$';
const text = (maxLength: number) => Type.String({ maxLength });

/** What an owner may set, as it is answered. */
const FIELDS = {
  display_name: Type.String({ minLength: 1, maxLength: 100 }),
  type: oneOf(['standard', 'click_to_call']),
  enabled: Type.Boolean(),
  language: Type.String({ pattern: '^(auto|[A-Za-z]{2,3}(-[A-Za-z0-9]{2,8})*)$' }),
  ai_provider: nullable(
    oneOf(['phrasebook', 'openai'], { description: 'Null: as the gateway is set up.' }),
  ),
  ai_model: nullable(Type.String({ minLength: 1, maxLength: 200 })),
  system_prompt: text(32_768),
  greeting_text: Type.String({ maxLength: 2000, description: 'Empty: the agent waits.' }),
  voice: text(100),
  phrasebook: nullable(PhrasebookShape),
  tool_definitions: ToolDefinitions,
  transfer_targets: Type.Array(
    Type.Object(
      {
        name: Type.String({
          minLength: 1,
          maxLength: 100,
          description: 'As the agent calls them.',
        }),
        number: PhoneOrBrowser(
          'With "+" and country; without, as the country of the trunk has it. "sip:anna" rings the browsers that are registered by that name in the workspace.',
        ),
      },
      { additionalProperties: false },
    ),
    { maxItems: 32, description: 'To whom the agent may put callers through; none: to nobody.' },
  ),
  idle_after_ms: Type.Integer({ minimum: 1000, maximum: 120_000 }),
  idle_prompts: Type.Array(text(500), { maxItems: 10 }),
  time_limit_seconds: Type.Integer({ minimum: 10, maximum: 86_400 }),
  concurrent_calls_max: Type.Integer({ minimum: 1, maximum: 10_000 }),
  webhook_url: nullable(WebhookUrl),
  pre_call_announcement: Type.String({
    maxLength: 2000,
    description: 'Spoken on calls before the greeting.',
  }),
  call_window_start: nullable(
    Type.String({ pattern: CLOCK, description: '`HH:MM`; null with its end: it may always call.' }),
  ),
  call_window_end: nullable(
    Type.String({ pattern: CLOCK, description: '`HH:MM`; earlier than the start: the next day.' }),
  ),
  time_zone: nullable(
    Type.String({ maxLength: 64, description: "IANA name; null: the gateway's own." }),
  ),
  disable_signature_verification: Type.Boolean({
    description: 'Click-to-call: the API token alone starts calls, a hundred a day at most.',
  }),
  one_call_at_a_time: Type.Boolean({
    description: 'Click-to-call: refuse any second call, not only one to the same number.',
  }),
  strict_variables: Type.Boolean({
    description: 'Click-to-call: refuse variables with reserved names instead of ignoring them.',
  }),
  calls_per_day_max: nullable(
    Type.Integer({
      minimum: 0,
      maximum: 1_000_000,
      description: 'Click-to-call: null is unlimited with signatures, and 100 without.',
    }),
  ),
  allowed_prefixes: Type.Array(Type.String({ pattern: '^\\+[0-9]{0,15}$' }), {
    maxItems: 200,
    description: 'Click-to-call: how numbers may begin, `+34`; none: whatever a trunk may call.',
  }),
};

const GIVEN = { ...FIELDS, tool_definitions: GivenToolDefinitions };
const strict = { additionalProperties: false };

export const Agent = Type.Object(
  {
    agent_id: Type.String(),
    ...FIELDS,
    template_id: nullable(Type.String()),
    shareable: Type.Boolean(),
    shareable_url: nullable(
      Type.String({ description: 'Where anyone may call it; null while it is not shareable.' }),
    ),
    created_at: Time,
    updated_at: Time,
  },
  { title: 'Agent' },
);
export const AgentPatch = Type.Partial(Type.Object(GIVEN), strict);
export const NewAgentBody = Type.Object(
  {
    ...AgentPatch.properties,
    display_name: FIELDS.display_name,
    template_id: Type.Optional(text(100)),
  },
  strict,
);

/** Which of its fields a change may name. */
export interface AgentLimits {
  /** Language models that the settings allow. */
  readonly aiProviders: readonly LlmSettings['provider'][];
}

/** Throws `INVALID_ARGUMENT` for what no schema can tell. */
export function toChange(
  body: Static<typeof AgentPatch>,
  { idle, callWindow = null }: Pick<StoredAgent, 'idle' | 'callWindow'>,
  { aiProviders }: AgentLimits,
): AgentChange {
  const { idle_after_ms: afterMs, idle_prompts: prompts, ai_provider: aiProvider } = body;
  const { phrasebook, tool_definitions: tools, transfer_targets: targets } = body;
  const isIdleGiven = afterMs !== undefined || prompts !== undefined;
  if (aiProvider !== undefined && aiProvider !== null && !aiProviders.includes(aiProvider)) {
    throw new HttpError('INVALID_ARGUMENT', `ai_provider ${aiProvider} is not set up here.`);
  }
  return {
    displayName: body.display_name,
    type: body.type,
    isEnabled: body.enabled,
    language: body.language,
    aiProvider,
    aiModel: body.ai_model,
    systemPrompt: body.system_prompt,
    greetingText: body.greeting_text,
    voice: body.voice,
    phrasebook:
      phrasebook === undefined || phrasebook === null ? phrasebook : parsePhrasebook(phrasebook),
    tools: tools === undefined ? undefined : parseToolDefinitions(tools),
    transferTargets: targets === undefined ? undefined : distinctTargets(targets),
    idle: isIdleGiven
      ? { afterMs: afterMs ?? idle.afterMs, prompts: prompts ?? idle.prompts }
      : undefined,
    timeLimitSeconds: body.time_limit_seconds,
    concurrentCallsMax: body.concurrent_calls_max,
    webhookUrl: body.webhook_url,
    preCallAnnouncement: body.pre_call_announcement,
    callWindow: toCallWindow(body, callWindow),
    timeZone: toTimeZone(body.time_zone),
    clickToCall: {
      isSignatureOff: body.disable_signature_verification,
      isOneAtATime: body.one_call_at_a_time,
      isStrict: body.strict_variables,
      callsPerDayMax: body.calls_per_day_max,
      allowedPrefixes: body.allowed_prefixes,
    },
  };
}

/** The name is how a model or a phrasebook says whom it means. */
function distinctTargets(targets: readonly TransferTarget[]): readonly TransferTarget[] {
  const names = new Set(targets.map(({ name }) => name.trim().toLowerCase()));
  if (names.size === targets.length && !names.has('')) return targets;
  throw new HttpError('INVALID_ARGUMENT', 'transfer_targets need names, each another.');
}

/** One end may be given alone when the other is set already. */
function toCallWindow(
  { call_window_start, call_window_end }: Static<typeof AgentPatch>,
  current: CallWindow | null,
): CallWindow | null | undefined {
  if (call_window_start === undefined && call_window_end === undefined) return undefined;
  const start = call_window_start === undefined ? (current?.start ?? null) : call_window_start;
  const end = call_window_end === undefined ? (current?.end ?? null) : call_window_end;
  if (start === null && end === null) return null;
  if (start !== null && end !== null) return { start, end };
  throw new HttpError('INVALID_ARGUMENT', 'call_window_start and call_window_end go together.');
}

function toTimeZone(name: string | null | undefined): string | null | undefined {
  if (name === undefined || name === null) return name;
  try {
    return new Intl.DateTimeFormat('en-US', { timeZone: name }).resolvedOptions().timeZone;
  } catch {
    throw new HttpError('INVALID_ARGUMENT', 'time_zone is no IANA name.');
  }
}

const BLANK: Pick<AgentTemplate, 'language' | 'greetingText' | 'systemPrompt' | 'idle'> & {
  readonly phrasebook: null;
} = {
  language: 'en',
  greetingText: '',
  systemPrompt: '',
  phrasebook: null,
  idle: POLITE_IDLE,
};
const TIME_LIMIT_SECONDS = 900;
const CONCURRENT_CALLS_MAX = 100;

/** What is given wins over the template, an empty greeting too; the template over nothing. */
export function toNewAgent(
  id: AgentId,
  workspaceId: WorkspaceId,
  body: Static<typeof NewAgentBody>,
  limits: AgentLimits,
): NewAgent {
  const { template_id: templateId = null, ...fields } = body;
  const template = templateId === null ? BLANK : findAgentTemplate(templateId);
  if (template === null) {
    throw new HttpError(
      'INVALID_ARGUMENT',
      'template_id names no template: see /v1/agent-templates.',
    );
  }
  const { language, greetingText, systemPrompt, phrasebook, idle } = template;
  const { clickToCall = {}, ...change } = toChange(fields, { idle }, limits);
  const given = withoutUndefined(change);
  const rules = { ...CLICK_TO_CALL_RULES, ...withoutUndefined(clickToCall) };
  return {
    id,
    workspaceId,
    displayName: body.display_name,
    isEnabled: true,
    language,
    systemPrompt,
    greetingText,
    voice: '',
    phrasebook,
    tools: [],
    transferTargets: [],
    idle,
    timeLimitSeconds: TIME_LIMIT_SECONDS,
    concurrentCallsMax: CONCURRENT_CALLS_MAX,
    ...given,
    clickToCall: rules,
    templateId,
  };
}

function withoutUndefined(fields: object): object {
  return Object.fromEntries(Object.entries(fields).filter(([, value]) => value !== undefined));
}

/** @param publicUrl base of our own addresses, without a slash at its end */
export function toAgentView(agent: StoredAgent, publicUrl: string): Static<typeof Agent> {
  const { clickToCall: rules } = agent;
  return {
    agent_id: agent.id,
    display_name: agent.displayName,
    type: agent.type,
    enabled: agent.isEnabled,
    language: agent.language,
    ai_provider: agent.aiProvider,
    ai_model: agent.aiModel,
    system_prompt: agent.systemPrompt,
    greeting_text: agent.greetingText,
    voice: agent.voice,
    phrasebook: agent.phrasebook === null ? null : toPhrasebookView(agent.phrasebook),
    tool_definitions: agent.tools.map((tool) => ({ ...tool })),
    transfer_targets: (agent.transferTargets ?? []).map((target) => ({ ...target })),
    idle_after_ms: agent.idle.afterMs,
    idle_prompts: [...agent.idle.prompts],
    time_limit_seconds: agent.timeLimitSeconds,
    concurrent_calls_max: agent.concurrentCallsMax,
    webhook_url: agent.webhookUrl,
    pre_call_announcement: agent.preCallAnnouncement ?? '',
    call_window_start: agent.callWindow?.start ?? null,
    call_window_end: agent.callWindow?.end ?? null,
    time_zone: agent.timeZone ?? null,
    disable_signature_verification: rules.isSignatureOff,
    one_call_at_a_time: rules.isOneAtATime,
    strict_variables: rules.isStrict,
    calls_per_day_max: rules.callsPerDayMax,
    allowed_prefixes: [...rules.allowedPrefixes],
    template_id: agent.templateId,
    shareable: agent.isShareable,
    shareable_url: agent.isShareable ? `${publicUrl}/try/${agent.id}` : null,
    created_at: toTime(agent.createdAtMs),
    updated_at: toTime(agent.updatedAtMs),
  };
}
