import { Type } from 'typebox';
import { Compile } from 'typebox/compile';
import { DialogueError, type DialogueErrorCode } from '../dialogue-error.ts';

/** OpenAI's and Anthropic's shape alike; most servers follow one of them, many only nearly. */
const Field = Type.Optional(Type.Union([Type.String(), Type.Number(), Type.Null()]));
const ErrorBody = Compile(
  Type.Object({
    error: Type.Union([Type.Object({ type: Field, code: Field, param: Field }), Type.String()]),
  }),
);
const FACT_LENGTH_MAX = 80;

/** What a provider's error body tells, fit for a log: never its free text, which may quote. */
export interface ProviderErrorFacts {
  readonly type: string | null;
  readonly code: string | null;
  readonly param: string | null;
}

/** Reads an error body; null when it is none. */
export function parseProviderError(body: unknown): ProviderErrorFacts | null {
  if (!ErrorBody.Check(body)) return null;
  if (typeof body.error === 'string') return { type: null, code: null, param: null };
  const { type, code, param } = body.error;
  const fact = (value: string | number | null | undefined): string | null =>
    value === undefined || value === null ? null : String(value).slice(0, FACT_LENGTH_MAX);
  return { type: fact(type), code: fact(code), param: fact(param) };
}

/** Same, from text that may not even be JSON. */
export function parseJson(text: string): unknown {
  try {
    return JSON.parse(text) as unknown;
  } catch {
    return undefined;
  }
}

interface Verdict {
  readonly code: DialogueErrorCode;
  readonly retryable: boolean;
  readonly sentence: string;
}

function judge(status: number, code: string | null): Verdict {
  if (status === 401 || status === 403) {
    return { code: 'LLM_UNAUTHORIZED', retryable: false, sentence: 'refused the key' };
  }
  if (status === 404) {
    return { code: 'LLM_NOT_FOUND', retryable: false, sentence: 'has no such model or path' };
  }
  if (status === 429) {
    // Money, not speed: no wait will mend it.
    const isSpent = code === 'insufficient_quota';
    return { code: 'LLM_RATE_LIMITED', retryable: !isSpent, sentence: 'wants fewer requests' };
  }
  if (status === 408) return { code: 'LLM_TIMEOUT', retryable: true, sentence: 'took too long' };
  if (status >= 500) return { code: 'LLM_UNAVAILABLE', retryable: true, sentence: 'failed' };
  return { code: 'LLM_BAD_REQUEST', retryable: false, sentence: 'refused the request' };
}

/** The failure that an HTTP status and its body mean. `retryAfterMs`: as the provider asked. */
export function errorFromStatus(
  status: number,
  bodyText: string,
  retryAfter: string | null,
): DialogueError {
  const facts = parseProviderError(parseJson(bodyText));
  const { code, retryable, sentence } = judge(status, facts?.code ?? null);
  const seconds = retryAfter === null ? Number.NaN : Number(retryAfter);
  return new DialogueError(code, `the language model provider ${sentence} (HTTP ${status})`, {
    retryable,
    facts: {
      status,
      providerType: facts?.type ?? null,
      providerCode: facts?.code ?? null,
      providerParam: facts?.param ?? null,
      retryAfterMs: Number.isFinite(seconds) && seconds >= 0 ? seconds * 1000 : null,
    },
  });
}

/** An error reported inside a stream that had begun well. */
export function errorFromStream(facts: ProviderErrorFacts): DialogueError {
  const status = Number(facts.code);
  if (Number.isInteger(status) && status >= 400 && status <= 599) {
    return errorFromStatus(status, JSON.stringify({ error: facts }), null);
  }
  const message = 'the language model provider reported an error in the middle of its reply';
  const detail = { providerType: facts.type, providerCode: facts.code, providerParam: facts.param };
  return new DialogueError('LLM_STREAM_BROKEN', message, { retryable: true, facts: detail });
}
