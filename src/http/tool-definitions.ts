import { type Static, Type } from 'typebox';
import { Compile } from 'typebox/compile';
import type { ToolDefinition } from '../model/agent.ts';
import { TOOLS_MAX } from '../dialogue/tools.ts';
import { HttpError } from './errors.ts';
import { WEBHOOK_URL } from './shapes.ts';

const name = Type.String({ pattern: '^[\\w-]{1,64}$' });
const description = Type.String({ maxLength: 1024 });
const Parameters = Type.Unsafe<ToolDefinition['parameters']>({
  type: 'object',
  additionalProperties: true,
});
const url = Type.Optional(
  Type.String({
    ...WEBHOOK_URL,
    description:
      'Where the tool is run: a signed POST, as webhooks are, whose answer the model reads. ' +
      'Without it nobody runs the tool: the event `tool.invocation` tells of its use.',
  }),
);
const strict = { additionalProperties: false };
const Tool = Type.Object({ name, description, parameters: Parameters, url }, strict);

/** How tools are answered. */
export const ToolDefinitions = Type.Array(Tool, {
  maxItems: TOOLS_MAX,
  description: 'Offered to the language model, on calls and in chats.',
});

const Given = Type.Object(
  { name, description: Type.Optional(description), parameters: Type.Optional(Parameters), url },
  strict,
);
/** As OpenAI's API writes functions. */
const GivenFunction = Type.Object(
  {
    type: Type.Literal('function'),
    function: Type.Object({ ...Given.properties, strict: Type.Optional(Type.Unknown()) }, strict),
    url,
  },
  strict,
);
const GivenTools = Type.Array(Type.Union([Given, GivenFunction]), { maxItems: TOOLS_MAX });

/** How they may be given: as an array, or as the text of one, as other gateways want it. */
export const GivenToolDefinitions = Type.Union([
  GivenTools,
  Type.String({ maxLength: 32_768, description: 'A JSON array, as text.' }),
]);
const compiled = Compile(GivenTools);

/** Throws `INVALID_ARGUMENT` for text that holds no tools. */
export function parseToolDefinitions(
  given: Static<typeof GivenToolDefinitions>,
): readonly ToolDefinition[] {
  if (typeof given !== 'string') return given.map(toTool);
  const tools: unknown = parseJson(given);
  if (compiled.Check(tools)) return tools.map(toTool);
  const [first] = compiled.Errors(tools);
  const where = `tool_definitions${(first?.instancePath ?? '').replaceAll('/', '.')}`;
  throw new HttpError('INVALID_ARGUMENT', `${where} ${first?.message ?? 'is malformed'}`);
}

/** A tool without parameters takes none. */
function toTool(given: Static<typeof Given> | Static<typeof GivenFunction>): ToolDefinition {
  const own = 'function' in given ? given.function : given;
  const { name: toolName, description: text = '', parameters = { type: 'object' } } = own;
  const where = given.url ?? own.url;
  const tool = { name: toolName, description: text, parameters };
  return where === undefined ? tool : { ...tool, url: where };
}

function parseJson(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    throw new HttpError('INVALID_ARGUMENT', 'tool_definitions is no JSON.');
  }
}
