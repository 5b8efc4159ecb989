import { type TSchema, Type } from 'typebox';
import { BROWSER_ADDRESS } from '../call/browser-address.ts';

/** Shapes that several routes answer with. Names are those of the v1 API. */

export const V1Error = Type.Object(
  {
    error_code: Type.String(),
    message: Type.String(),
    request_id: Type.String(),
    documentation_url: Type.String(),
  },
  { title: 'Error' },
);

/** Errors of public chat and of its owners' routes. */
export const ChatProblem = Type.Object(
  { detail: Type.String(), code: Type.String(), request_id: Type.String() },
  { title: 'ChatError' },
);

export const nullable = <T extends TSchema>(schema: T) => Type.Union([schema, Type.Null()]);

export const oneOf = <const Values extends readonly string[]>(
  values: Values,
  options: object = {},
) => Type.Unsafe<Values[number]>({ type: 'string', enum: [...values], ...options });

const NUMBER = '[+(]?[0-9][0-9 ().\\-/]{2,38}';

/** A telephone number in any usual writing; the trunks say whether it is one. */
export const PhoneNumber = (description: string) =>
  Type.String({ pattern: `^${NUMBER}$`, description });

/** Such a number, or the name by which somebody's browsers are registered. */
export const PhoneOrBrowser = (description: string) =>
  Type.String({ pattern: `^(${NUMBER}|${BROWSER_ADDRESS})$`, description });

/** ISO 8601, UTC. */
export const Time = Type.String({
  pattern: '^\\d{4}-\\d\\d-\\d\\dT',
  examples: ['2026-01-31T09:00:00.000Z'],
});

export const toTime = (atMs: number) => new Date(atMs).toISOString();
export const toNullableTime = (atMs: number | null) => (atMs === null ? null : toTime(atMs));

/** Answers of every route that takes a key. */
export const V1_ERRORS = {
  400: V1Error,
  401: V1Error,
  403: V1Error,
  429: V1Error,
  500: V1Error,
  503: V1Error,
} as const;

/** Further answers of those that take a body. */
export const BODY_ERRORS = { 413: V1Error, 415: V1Error } as const;

/** What every operation that takes a key says in the API's description. */
export const KEYED = [{ key: [] }];

export const PAGE_QUERY = {
  page_size: Type.Optional(Type.Integer({ minimum: 1, maximum: 200, default: 50 })),
  page_token: Type.Optional(Type.String({ minLength: 1, maxLength: 200 })),
};
export const PAGE_SIZE = 50;

/** Where events go. Which addresses may be reached is judged when one is sent. */
export const WEBHOOK_URL = { pattern: '^https?://[^\\s/@]+(/[^\\s]*)?$', maxLength: 2048 };
export const WebhookUrl = Type.String({
  ...WEBHOOK_URL,
  description: 'Where events of calls are sent, by POST.',
});
