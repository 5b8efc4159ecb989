import { asWorkspaceId, type WorkspaceId } from '../model/ids.ts';
import type { Connection, SqlRow } from './connection.ts';
import { cleanText, insertMany, nullableNumber, numberOf, textOf } from './rows.ts';
import type { WriteQueue, WriteStatement } from './write-queue.ts';

export type ExpiryPreset = '1_day' | '1_week' | '1_month';

/** A link without an agent: it carries its own prompt. */
export interface InstantLink {
  readonly id: string;
  readonly workspaceId: WorkspaceId;
  readonly token: string;
  readonly label: string;
  readonly expiryPreset: ExpiryPreset;
  readonly expiresAtMs: number;
  /** 1 to 60, with fractions. */
  readonly timeLimitMinutes: number;
  readonly prompt: string;
  readonly landingPageTitle: string;
  readonly landingPageInfo: string;
  /** Calls that may connect, null for any number. */
  readonly sessionsMax: number | null;
  /** Calls that did connect. */
  readonly sessionsUsed: number;
  readonly disabledAtMs: number | null;
  readonly createdAtMs: number;
  readonly updatedAtMs: number;
}

export type NewInstantLink = Omit<InstantLink, 'sessionsUsed' | 'disabledAtMs' | 'updatedAtMs'>;

/** What is left out stays. */
export type InstantLinkChange = Partial<
  Pick<
    InstantLink,
    | 'label'
    | 'expiryPreset'
    | 'expiresAtMs'
    | 'timeLimitMinutes'
    | 'prompt'
    | 'landingPageTitle'
    | 'landingPageInfo'
    | 'sessionsMax'
  >
>;

export interface InstantLinkCursor {
  readonly createdAtMs: number;
  readonly ordinal: number;
  readonly id: string;
}

export interface InstantLinkPage {
  readonly links: readonly InstantLink[];
  /** Where the next page begins, null at the end. */
  readonly next: InstantLinkCursor | null;
}

export interface InstantLinkRepository {
  /** All or none. */
  create(links: readonly NewInstantLink[]): Promise<void>;
  find(workspaceId: WorkspaceId, id: string): Promise<InstantLink | null>;
  findByToken(token: string): Promise<InstantLink | null>;
  /** Newest first; links made together in the order they were given. */
  list(
    workspaceId: WorkspaceId,
    limit: number,
    after?: InstantLinkCursor,
  ): Promise<InstantLinkPage>;
  /** False when the link is not active any more at that moment, or is not there. */
  update(
    workspaceId: WorkspaceId,
    id: string,
    change: InstantLinkChange,
    atMs: number,
  ): Promise<boolean>;
  /** Makes a link that is over active again. False when it is not there. */
  renew(workspaceId: WorkspaceId, id: string, expiry: Expiry, atMs: number): Promise<boolean>;
  /** False when it is disabled already, or not there. */
  disable(workspaceId: WorkspaceId, id: string, atMs: number): Promise<boolean>;
  remove(workspaceId: WorkspaceId, id: string): Promise<boolean>;
  /** Counts a call that connected. False when the link had none left. */
  countSession(id: string, atMs: number): Promise<boolean>;
}

export type Expiry = Pick<InstantLink, 'expiryPreset' | 'expiresAtMs'>;

const CREATE: WriteStatement = {
  name: 'instant-link-create',
  rank: 1,
  sql: insertMany('instant_links', [
    'id',
    'workspace_id',
    'token',
    'label',
    'expiry_preset',
    'expires_at_ms',
    'time_limit_minutes',
    'prompt',
    'landing_page_title',
    'landing_page_info',
    'sessions_max',
    'ordinal',
    'created_at_ms',
    'updated_at_ms',
  ]),
};

const CHANGEABLE = [
  'label',
  'expiry_preset',
  'expires_at_ms',
  'time_limit_minutes',
  'prompt',
  'landing_page_title',
  'landing_page_info',
  'sessions_max',
];
const IS_THERE = 'instant_links.id = w.value ->> 0 AND instant_links.workspace_id = w.value ->> 1';

const UPDATE: WriteStatement = {
  name: 'instant-link-update',
  rank: 2,
  sql: `UPDATE instant_links SET ${CHANGEABLE.map(
    (column) => `${column} = CASE WHEN json_type(w.value, '$[2].${column}') IS NULL
      THEN instant_links.${column} ELSE w.value ->> '$[2].${column}' END`,
  ).join(', ')}, updated_at_ms = w.value ->> 3
    FROM json_each(?1) AS w
    WHERE ${IS_THERE} AND disabled_at_ms IS NULL AND instant_links.expires_at_ms > w.value ->> 3
      AND (instant_links.sessions_max IS NULL OR sessions_used < instant_links.sessions_max)
    RETURNING instant_links.id AS id`,
};

const RENEW: WriteStatement = {
  name: 'instant-link-renew',
  rank: 3,
  sql: `UPDATE instant_links SET expiry_preset = w.value ->> 2, expires_at_ms = w.value ->> 3,
      sessions_used = 0, disabled_at_ms = NULL, updated_at_ms = w.value ->> 4
    FROM json_each(?1) AS w WHERE ${IS_THERE} RETURNING instant_links.id AS id`,
};

const DISABLE: WriteStatement = {
  name: 'instant-link-disable',
  rank: 4,
  sql: `UPDATE instant_links SET disabled_at_ms = w.value ->> 2, updated_at_ms = w.value ->> 2
    FROM json_each(?1) AS w WHERE ${IS_THERE} AND disabled_at_ms IS NULL
    RETURNING instant_links.id AS id`,
};

const REMOVE: WriteStatement = {
  name: 'instant-link-remove',
  rank: 5,
  sql: `DELETE FROM instant_links WHERE (id, workspace_id) IN
    (SELECT value ->> 0, value ->> 1 FROM json_each(?1)) RETURNING id`,
};

/** Two calls of one link never share a statement, so each sees the count of the other. */
const COUNT: WriteStatement = {
  name: 'instant-link-count',
  rank: 2,
  sql: `UPDATE instant_links SET sessions_used = sessions_used + 1 FROM json_each(?1) AS w
    WHERE instant_links.id = w.value ->> 0
      AND (sessions_max IS NULL OR sessions_used < sessions_max)
    RETURNING instant_links.id AS id`,
};

const LIST = `SELECT * FROM instant_links WHERE workspace_id = ?1
    AND (created_at_ms < ?2 OR (created_at_ms = ?2 AND (ordinal, id) > (?3, ?4)))
  ORDER BY created_at_ms DESC, ordinal, id LIMIT ?5`;

export function createInstantLinkRepository(
  writes: WriteQueue,
  reader: Connection,
): InstantLinkRepository {
  const write = async (statement: WriteStatement, id: string, row: (string | number | null)[]) => {
    const [isTaken = false] = await writes.write({ statement, id, subject: id, row });
    return isTaken;
  };
  const findBy = async (column: 'id' | 'token', value: string) => {
    const row = await reader.first(`SELECT * FROM instant_links WHERE ${column} = ?1`, [value]);
    return row === null ? null : toLink(row);
  };

  return {
    async create(links) {
      const writesOfAll = links.map((link, ordinal) => ({
        statement: CREATE,
        id: link.id,
        subject: link.id,
        row: toRow(link, ordinal),
      }));
      await writes.write(...writesOfAll);
    },

    async find(workspaceId, id) {
      const link = await findBy('id', id);
      return link?.workspaceId === workspaceId ? link : null;
    },

    findByToken: (token) => findBy('token', token),

    async list(workspaceId, limit, after) {
      const { createdAtMs = Number.MAX_SAFE_INTEGER, ordinal = -1, id = '' } = after ?? {};
      const rows = await reader.all(LIST, [workspaceId, createdAtMs, ordinal, id, limit + 1]);
      const last = rows[limit - 1];
      const next = rows.length > limit && last !== undefined ? toCursor(last) : null;
      return { links: rows.slice(0, limit).map(toLink), next };
    },

    async update(workspaceId, id, change, atMs) {
      const row = [id, workspaceId, toColumns(change), atMs];
      const [isTaken = false] = await writes.write({ statement: UPDATE, id, subject: id, row });
      return isTaken;
    },

    renew: (workspaceId, id, { expiryPreset, expiresAtMs }, atMs) =>
      write(RENEW, id, [id, workspaceId, expiryPreset, expiresAtMs, atMs]),
    disable: (workspaceId, id, atMs) => write(DISABLE, id, [id, workspaceId, atMs]),
    remove: (workspaceId, id) => write(REMOVE, id, [id, workspaceId]),
    countSession: (id, atMs) => write(COUNT, id, [id, atMs]),
  };
}

function toRow(link: NewInstantLink, ordinal: number): (string | number | null)[] {
  return [
    link.id,
    link.workspaceId,
    link.token,
    cleanText(link.label),
    link.expiryPreset,
    link.expiresAtMs,
    link.timeLimitMinutes,
    cleanText(link.prompt),
    cleanText(link.landingPageTitle),
    cleanText(link.landingPageInfo),
    link.sessionsMax,
    ordinal,
    link.createdAtMs,
    link.createdAtMs,
  ];
}

/** Columns of the fields that are given. */
function toColumns(change: InstantLinkChange): Record<string, string | number | null> {
  const text = (value: string | undefined) => (value === undefined ? undefined : cleanText(value));
  const columns: Record<string, string | number | null | undefined> = {
    label: text(change.label),
    expiry_preset: change.expiryPreset,
    expires_at_ms: change.expiresAtMs,
    time_limit_minutes: change.timeLimitMinutes,
    prompt: text(change.prompt),
    landing_page_title: text(change.landingPageTitle),
    landing_page_info: text(change.landingPageInfo),
    sessions_max: change.sessionsMax,
  };
  const given = Object.entries(columns).filter(
    (entry): entry is [string, string | number | null] => entry[1] !== undefined,
  );
  return Object.fromEntries(given);
}

function toCursor(row: SqlRow): InstantLinkCursor {
  return {
    createdAtMs: numberOf(row, 'created_at_ms'),
    ordinal: numberOf(row, 'ordinal'),
    id: textOf(row, 'id'),
  };
}

function presetOf(text: string): ExpiryPreset {
  return text === '1_week' || text === '1_month' ? text : '1_day';
}

function toLink(row: SqlRow): InstantLink {
  return {
    id: textOf(row, 'id'),
    workspaceId: asWorkspaceId(textOf(row, 'workspace_id')),
    token: textOf(row, 'token'),
    label: textOf(row, 'label'),
    expiryPreset: presetOf(textOf(row, 'expiry_preset')),
    expiresAtMs: numberOf(row, 'expires_at_ms'),
    timeLimitMinutes: numberOf(row, 'time_limit_minutes'),
    prompt: textOf(row, 'prompt'),
    landingPageTitle: textOf(row, 'landing_page_title'),
    landingPageInfo: textOf(row, 'landing_page_info'),
    sessionsMax: nullableNumber(row, 'sessions_max'),
    sessionsUsed: numberOf(row, 'sessions_used'),
    disabledAtMs: nullableNumber(row, 'disabled_at_ms'),
    createdAtMs: numberOf(row, 'created_at_ms'),
    updatedAtMs: numberOf(row, 'updated_at_ms'),
  };
}
