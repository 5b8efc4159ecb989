import { randomBytes } from 'node:crypto';
import { randomId } from '../lib/random-id.ts';
import { GatewayError } from '../lib/gateway-error.ts';
import { asAgentId, type WorkspaceId } from '../model/ids.ts';
import type { NewAgent } from '../storage/agent-repository.ts';
import type {
  Expiry,
  ExpiryPreset,
  InstantLink,
  InstantLinkChange,
  InstantLinkRepository,
  NewInstantLink,
} from '../storage/instant-link-repository.ts';

/** The sentences are part of the API: clients compare them. */
export const INSTANT_LINK_REFUSALS = {
  LABELS_REQUIRED: 'Labels array is required',
  LABELS_TOO_MANY: 'Too many labels',
  EXPIRY_PRESET_INVALID: 'Invalid expiry preset',
  PROMPT_REQUIRED: 'Prompt is required',
  LABELS_EMPTY: 'All labels must be non-empty strings',
  NOT_ACTIVE: 'Only active links can be edited',
  LABEL_EMPTY: 'Label must be a non-empty string',
  PROMPT_EMPTY: 'Prompt must be a non-empty string',
  TITLE_NO_TEXT: 'landingPageTitle must be a string',
  INFO_NO_TEXT: 'landingPageInfo must be a string',
  TIME_LIMIT_INVALID: 'timeLimitMinutes must be a positive number',
  SESSIONS_INVALID: 'maxSessions must be a positive integer or null',
  TEXT_TOO_LONG: 'A text is too long',
} as const;

export type InstantLinkRefusal = keyof typeof INSTANT_LINK_REFUSALS;

/** What was given cannot be done. `message` is for the client, word by word. */
export class InstantLinkError extends GatewayError<InstantLinkRefusal> {
  constructor(code: InstantLinkRefusal) {
    super(code, INSTANT_LINK_REFUSALS[code]);
  }
}

export type InstantLinkStatus = 'active' | 'expired' | 'used' | 'disabled';

export const LABELS_MAX = 100;
const LABEL_LENGTH_MAX = 200;
const TITLE_LENGTH_MAX = 200;
const INFO_LENGTH_MAX = 10_000;
const PROMPT_LENGTH_MAX = 32_768;
const SESSIONS_MAX = 1_000_000;
const TIME_LIMIT_MINUTES = { least: 1, most: 60, usual: 5 };
const TOKEN_BYTES = 24;

const HOUR_MS = 3_600_000;
const LIFE_MS: Readonly<Record<ExpiryPreset, number>> = {
  '1_day': 24 * HOUR_MS,
  '1_week': 7 * 24 * HOUR_MS,
  '1_month': 30 * 24 * HOUR_MS,
};

/** Computed whenever it is asked for: nothing has to happen at the moment of expiry. */
export function instantLinkStatus(link: InstantLink, nowMs: number): InstantLinkStatus {
  if (link.disabledAtMs !== null) return 'disabled';
  if (link.sessionsMax !== null && link.sessionsUsed >= link.sessionsMax) return 'used';
  return nowMs >= link.expiresAtMs ? 'expired' : 'active';
}

/** What a client sent: anything at all. */
export type Given = Readonly<Record<string, unknown>>;

/**
 * Reads a request for new links, one per label and in their order. What is wrong is said in a
 * fixed order: labels, expiry, prompt, the labels' texts, then what we add.
 * @throws InstantLinkError
 */
export function newInstantLinks(
  given: Given,
  workspaceId: WorkspaceId,
  nowMs: number,
): readonly NewInstantLink[] {
  const { labels, prompt, timeLimitMinutes } = given;
  if (!Array.isArray(labels) || labels.length === 0) refuse('LABELS_REQUIRED');
  if (labels.length > LABELS_MAX) refuse('LABELS_TOO_MANY');
  const expiry = expiryFrom(given.expiryPreset, nowMs);
  if (!isText(prompt)) return refuse('PROMPT_REQUIRED');
  const texts = labels.map((label: unknown) => (isText(label) ? label : refuse('LABELS_EMPTY')));
  const common = {
    workspaceId,
    ...expiry,
    timeLimitMinutes:
      typeof timeLimitMinutes === 'number' && !Number.isNaN(timeLimitMinutes)
        ? clampMinutes(timeLimitMinutes)
        : TIME_LIMIT_MINUTES.usual,
    prompt: within(prompt, PROMPT_LENGTH_MAX),
    landingPageTitle: optionalText(given.landingPageTitle, 'TITLE_NO_TEXT', TITLE_LENGTH_MAX) ?? '',
    landingPageInfo: optionalText(given.landingPageInfo, 'INFO_NO_TEXT', INFO_LENGTH_MAX) ?? '',
    sessionsMax: sessionsFrom(given.maxSessions) ?? null,
    createdAtMs: nowMs,
  };
  return texts.map((label) => ({
    ...common,
    id: randomId('ivl'),
    token: randomBytes(TOKEN_BYTES).toString('base64url'),
    label: within(label, LABEL_LENGTH_MAX),
  }));
}

/**
 * Reads a change; unknown fields say nothing, and so may all of it. A new expiry counts from now.
 * @throws InstantLinkError
 */
export function instantLinkChange(given: Given, nowMs: number): InstantLinkChange {
  const { label, expiryPreset, prompt, timeLimitMinutes } = given;
  const change: { -readonly [Name in keyof InstantLinkChange]: InstantLinkChange[Name] } = {};
  if (label !== undefined) {
    change.label = isText(label) ? within(label, LABEL_LENGTH_MAX) : refuse('LABEL_EMPTY');
  }
  if (expiryPreset !== undefined) Object.assign(change, expiryFrom(expiryPreset, nowMs));
  if (prompt !== undefined) {
    change.prompt = isText(prompt) ? within(prompt, PROMPT_LENGTH_MAX) : refuse('PROMPT_EMPTY');
  }
  const title = optionalText(given.landingPageTitle, 'TITLE_NO_TEXT', TITLE_LENGTH_MAX);
  if (title !== undefined) change.landingPageTitle = title;
  const info = optionalText(given.landingPageInfo, 'INFO_NO_TEXT', INFO_LENGTH_MAX);
  if (info !== undefined) change.landingPageInfo = info;
  if (timeLimitMinutes !== undefined) {
    const isPositive = typeof timeLimitMinutes === 'number' && timeLimitMinutes > 0;
    change.timeLimitMinutes = isPositive
      ? clampMinutes(timeLimitMinutes)
      : refuse('TIME_LIMIT_INVALID');
  }
  const sessionsMax = sessionsFrom(given.maxSessions);
  if (sessionsMax !== undefined) change.sessionsMax = sessionsMax;
  return change;
}

/**
 * When a link ends that begins now.
 * @throws InstantLinkError
 */
export function expiryFrom(preset: unknown, nowMs: number): Expiry {
  const isKnown = preset === '1_day' || preset === '1_week' || preset === '1_month';
  const expiryPreset = isKnown ? preset : refuse('EXPIRY_PRESET_INVALID');
  return { expiryPreset, expiresAtMs: nowMs + LIFE_MS[expiryPreset] };
}

/** What a landing page may show to anyone who has the address: no prompt, no label, no owner. */
export interface InstantLinkWelcome {
  readonly status: InstantLinkStatus;
  readonly landingPageTitle: string;
  readonly landingPageInfo: string;
  readonly timeLimitMinutes: number;
}

/** For the door that lets callers in by a link. */
export interface InstantLinkDoor {
  /** Null for a token that opens nothing. */
  welcome(token: string): Promise<InstantLinkWelcome | null>;
  /** Null unless the link is active. The agent's time limit is the link's. */
  open(token: string): Promise<{ readonly link: InstantLink; readonly agent: NewAgent } | null>;
  /** To be called once the media of a call connects. False when no call was left: end it. */
  connected(link: InstantLink): Promise<boolean>;
}

export function createInstantLinkDoor(
  links: Pick<InstantLinkRepository, 'findByToken' | 'countSession'>,
  nowMs: () => number,
): InstantLinkDoor {
  return {
    async welcome(token) {
      const link = await links.findByToken(token);
      if (link === null) return null;
      const { landingPageTitle, landingPageInfo, timeLimitMinutes } = link;
      const status = instantLinkStatus(link, nowMs());
      return { status, landingPageTitle, landingPageInfo, timeLimitMinutes };
    },

    async open(token) {
      const link = await links.findByToken(token);
      if (link === null || instantLinkStatus(link, nowMs()) !== 'active') return null;
      return { link, agent: agentOf(link) };
    },

    connected: (link) => links.countSession(link.id, nowMs()),
  };
}

const CONCURRENT_CALLS_MAX = 10;

/** A link as the agent that its callers talk to. */
function agentOf(link: InstantLink): NewAgent {
  return {
    id: asAgentId(link.id),
    workspaceId: link.workspaceId,
    displayName: link.landingPageTitle,
    isEnabled: true,
    language: 'en',
    systemPrompt: link.prompt,
    // A prompt says what to talk of, not how to begin; silence would look like a broken line.
    greetingText: 'Hello!',
    voice: '',
    phrasebook: null,
    tools: [],
    idle: { afterMs: 10_000, prompts: ['Are you still there?', 'I will hang up now. Goodbye.'] },
    timeLimitSeconds: Math.round(link.timeLimitMinutes * 60),
    concurrentCallsMax: CONCURRENT_CALLS_MAX,
  };
}

function refuse(code: InstantLinkRefusal): never {
  throw new InstantLinkError(code);
}

function isText(value: unknown): value is string {
  return typeof value === 'string' && value.trim() !== '';
}

function within(text: string, lengthMax: number): string {
  return text.length <= lengthMax ? text : refuse('TEXT_TOO_LONG');
}

function optionalText(
  value: unknown,
  refusal: InstantLinkRefusal,
  lengthMax: number,
): string | undefined {
  if (value === undefined) return undefined;
  return typeof value === 'string' ? within(value, lengthMax) : refuse(refusal);
}

function clampMinutes(minutes: number): number {
  return Math.min(TIME_LIMIT_MINUTES.most, Math.max(TIME_LIMIT_MINUTES.least, minutes));
}

/** Undefined when nothing was given; null is "any number". */
function sessionsFrom(value: unknown): number | null | undefined {
  if (value === undefined || value === null) return value;
  const isCount = typeof value === 'number' && Number.isInteger(value);
  return isCount && value >= 1 && value <= SESSIONS_MAX ? value : refuse('SESSIONS_INVALID');
}
