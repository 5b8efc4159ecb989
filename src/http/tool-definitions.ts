import { Type } from 'typebox';
import { Compile } from 'typebox/compile';
import type { ToolDefinition } from '../model/agent.ts';
import { HttpError } from './errors.ts';

const Tool = Type.Object(
  {
    name: Type.String({ pattern: '^[\\w-]{1,64}$' }),
    description: Type.String({ maxLength: 1024 }),
    parameters: Type.Unsafe<ToolDefinition['parameters']>({
      type: 'object',
      additionalProperties: true,
    }),
  },
  { additionalProperties: false },
);

/** How tools are answered. */
export const ToolDefinitions = Type.Array(Tool, {
  maxItems: 64,
  description:
    'Offered to the language model. Nothing runs them on a call: the event `tool.invocation` ' +
    'tells the owner, and the model is told that the tool failed.',
});
/** How they may be given: as an array, or as the text of one, as other gateways want it. */
export const GivenToolDefinitions = Type.Union([
  ToolDefinitions,
  Type.String({ maxLength: 32_768, description: 'A JSON array, as text.' }),
]);
const compiled = Compile(ToolDefinitions);

/** Throws `INVALID_ARGUMENT` for text that holds no tools. */
export function parseToolDefinitions(given: readonly ToolDefinition[] | string): ToolDefinition[] {
  if (typeof given !== 'string') return [...given];
  const tools: unknown = parseJson(given);
  if (compiled.Check(tools)) return tools;
  const [first] = compiled.Errors(tools);
  const where = `tool_definitions${(first?.instancePath ?? '').replaceAll('/', '.')}`;
  throw new HttpError('INVALID_ARGUMENT', `${where} ${first?.message ?? 'is malformed'}`);
}

function parseJson(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    throw new HttpError('INVALID_ARGUMENT', 'tool_definitions is no JSON.');
  }
}
