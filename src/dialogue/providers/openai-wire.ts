import { Type } from 'typebox';
import { Compile } from 'typebox/compile';
import type { ToolDefinition } from '../../model/agent.ts';
import type { LlmSettings } from '../../model/provider.ts';
import type { Message } from '../message.ts';
import type { ToolCallDelta } from './tool-call-assembler.ts';

export type OpenAiSettings = Extract<LlmSettings, { provider: 'openai' }>;

/** The request body of `POST /chat/completions`. */
export function chatRequest(
  settings: OpenAiSettings,
  messages: readonly Message[],
  tools: readonly ToolDefinition[],
): Record<string, unknown> {
  return {
    model: settings.model,
    messages: messages.map(toWire),
    stream: true,
    [tokenLimitName(settings.baseUrl)]: settings.maxTokens,
    ...(settings.temperature === null ? {} : { temperature: settings.temperature }),
    ...(tools.length === 0
      ? {}
      : { tools: tools.map((definition) => ({ type: 'function', function: definition })) }),
  };
}

/** OpenAI's newer models refuse the old name; most other servers know only the old one. */
function tokenLimitName(baseUrl: string): 'max_tokens' | 'max_completion_tokens' {
  return baseUrl.startsWith('https://api.openai.com/') ? 'max_completion_tokens' : 'max_tokens';
}

function toWire({ role, content, toolCalls, toolCallId }: Message): Record<string, unknown> {
  if (role === 'tool') return { role, content, tool_call_id: toolCallId };
  if (toolCalls === undefined || toolCalls.length === 0) return { role, content };
  return {
    role,
    content: content === '' ? null : content,
    tool_calls: toolCalls.map((call) => ({
      id: call.id,
      type: 'function',
      function: {
        name: call.name,
        // Text that never was JSON is quoted, since servers parse what they get back.
        arguments: JSON.stringify(call.arguments ?? {}),
      },
    })),
  };
}

const nullable = <T extends Type.TSchema>(schema: T) =>
  Type.Optional(Type.Union([schema, Type.Null()]));

const ToolDelta = Type.Object({
  index: nullable(Type.Number()),
  id: nullable(Type.String()),
  function: nullable(
    Type.Object({
      name: nullable(Type.String()),
      arguments: nullable(Type.Union([Type.String(), Type.Object({})])),
    }),
  ),
});

/** Only what is read is checked; vendors add fields of their own everywhere. */
const Chunk = Compile(
  Type.Object({
    choices: nullable(
      Type.Array(
        Type.Object({
          delta: nullable(
            Type.Object({
              content: nullable(Type.String()),
              tool_calls: nullable(Type.Array(ToolDelta)),
            }),
          ),
          finish_reason: nullable(Type.String()),
        }),
      ),
    ),
  }),
);

/** What one chunk of the stream says. */
export interface ChatDelta {
  readonly text: string;
  readonly toolCalls: readonly ToolCallDelta[];
  /** `stop`, `length`, `tool_calls`, `content_filter` or a vendor's own word; null: goes on. */
  readonly finishReason: string | null;
}

/** Reads the data of one event; null when it is no chunk. Usage and empty chunks say nothing. */
export function readChunk(value: unknown): ChatDelta | null {
  if (!Chunk.Check(value)) return null;
  const choice = value.choices?.[0];
  const calls = choice?.delta?.tool_calls ?? [];
  return {
    text: choice?.delta?.content ?? '',
    toolCalls: calls.map(({ index, id, function: called }) => ({
      index: index ?? null,
      id: id === '' ? null : (id ?? null),
      name: called?.name === '' ? null : (called?.name ?? null),
      argumentsPiece: argumentsText(called?.arguments ?? ''),
    })),
    finishReason: choice?.finish_reason === '' ? null : (choice?.finish_reason ?? null),
  };
}

function argumentsText(piece: string | object): string {
  return typeof piece === 'string' ? piece : JSON.stringify(piece);
}
