import { Type } from 'typebox';
import { Compile } from 'typebox/compile';
import type { AgentSnapshot, ToolDefinition, TransferTarget } from '../model/agent.ts';
import { DialogueError } from './dialogue-error.ts';
import type { Message, ToolCall } from './message.ts';

/** Rounds of tool calls to one utterance; then the model must speak. */
export const TOOL_ROUNDS_MAX = 4;
export const TOOLS_MAX = 64;
/** A longer result is cut before the model reads it. */
export const TOOL_RESULT_LENGTH_MAX = 16_384;

const EndCall = Type.Object(
  {
    reason: Type.Optional(
      Type.String({ maxLength: 200, description: 'Why the call ends, in a few words.' }),
    ),
  },
  { additionalProperties: false },
);
const SendDtmf = Type.Object(
  {
    digits: Type.String({
      pattern: '^[0-9A-D*#]{1,32}$',
      description: 'Keys to press, e.g. "1" or "4271#".',
    }),
  },
  { additionalProperties: false },
);
const checkEndCall = Compile(EndCall);
const checkSendDtmf = Compile(SendDtmf);

/** The tools that every agent has. */
export const BUILT_IN_TOOLS: readonly ToolDefinition[] = [
  {
    name: 'end_call',
    description:
      'Hangs up once everything said so far has been heard. Say goodbye first, in the same reply.',
    parameters: toSchema(EndCall),
  },
  {
    name: 'send_dtmf',
    description: 'Presses keys of the telephone keypad, to move through the menu of a machine.',
    parameters: toSchema(SendDtmf),
  },
];

export const TRANSFER_CALL = 'transfer_call';
const BUILT_IN_NAMES: ReadonlySet<string> = new Set([
  ...BUILT_IN_TOOLS.map(({ name }) => name),
  TRANSFER_CALL,
]);

/**
 * Puts the caller through. A model names one of the agent's targets and never a number, so that
 * no caller can talk it into dialing whatever they like.
 */
function transferTool(targets: readonly TransferTarget[]): readonly ToolDefinition[] {
  if (targets.length === 0) return [];
  const to = { type: 'string', enum: targets.map(({ name }) => name), description: 'Whom to.' };
  return [
    {
      name: TRANSFER_CALL,
      description:
        'Puts the caller through to somebody, who takes the call over. Say so first, in the same ' +
        'reply. When it fails you are told why: tell the caller, and go on.',
      parameters: {
        type: 'object',
        properties: { to },
        required: ['to'],
        additionalProperties: false,
      },
    },
  ];
}

/** The target of that name; null: the agent has none. */
export function transferTargetOf(
  { transferTargets = [] }: Pick<AgentSnapshot, 'transferTargets'>,
  name: string,
): TransferTarget | null {
  const wanted = name.trim().toLowerCase();
  return transferTargets.find((target) => target.name.toLowerCase() === wanted) ?? null;
}

/** Plain JSON Schema, without what TypeBox keeps for itself. */
function toSchema(schema: Type.TSchema): Readonly<Record<string, unknown>> {
  const plain: Record<string, unknown> = JSON.parse(JSON.stringify(schema));
  return plain;
}

/** A tool call that has been checked. */
export type CheckedToolCall =
  | { readonly type: 'end-call'; readonly call: ToolCall; readonly reason: string | null }
  | { readonly type: 'send-dtmf'; readonly call: ToolCall; readonly digits: string }
  | { readonly type: 'transfer'; readonly call: ToolCall; readonly to: TransferTarget }
  /** One of the agent's own: its schema is checked by whoever runs it. */
  | { readonly type: 'agent-tool'; readonly call: ToolCall; readonly tool: ToolDefinition }
  /** To be given back to the model as the result, so that it can mend its call. */
  | { readonly type: 'refused'; readonly call: ToolCall; readonly error: string };

/** The agent's tools and the built-in ones. Throws `TOOL_INVALID`. */
export function agentTools(
  agent: Pick<AgentSnapshot, 'tools' | 'transferTargets'>,
): readonly ToolDefinition[] {
  if (agent.tools.length > TOOLS_MAX) throw invalid(`an agent may have ${TOOLS_MAX} tools`);
  const names = new Set<string>();
  for (const { name } of agent.tools) {
    if (!/^[a-zA-Z0-9_-]{1,64}$/.test(name)) throw invalid(`"${name}" is no name for a tool`);
    if (BUILT_IN_NAMES.has(name)) throw invalid(`"${name}" is a tool of the gateway itself`);
    if (names.has(name)) throw invalid(`two tools are named "${name}"`);
    names.add(name);
  }
  return [...BUILT_IN_TOOLS, ...transferTool(agent.transferTargets ?? []), ...agent.tools];
}

function invalid(message: string): DialogueError {
  return new DialogueError('TOOL_INVALID', message);
}

/** Checks what a model asked for against the tools it was given. */
export function checkToolCall(
  call: ToolCall,
  agent: Pick<AgentSnapshot, 'tools' | 'transferTargets'>,
): CheckedToolCall {
  const given = call.arguments;
  if (call.name === 'end_call') {
    if (checkEndCall.Check(given)) return { type: 'end-call', call, reason: given.reason ?? null };
    // Whatever is wrong with the reason, the wish to end is clear.
    return { type: 'end-call', call, reason: null };
  }
  if (call.name === 'send_dtmf') {
    if (checkSendDtmf.Check(given)) return { type: 'send-dtmf', call, digits: given.digits };
    const error = 'digits must be 1 to 32 of 0-9, A-D, * and #';
    return { type: 'refused', call, error };
  }
  if (call.name === TRANSFER_CALL) return checkTransfer(call, agent);
  const tool = agent.tools.find(({ name }) => name === call.name);
  if (tool === undefined)
    return { type: 'refused', call, error: `there is no tool "${call.name}"` };
  if (typeof given !== 'object' || given === null || Array.isArray(given)) {
    return { type: 'refused', call, error: 'the arguments must be one JSON object' };
  }
  return { type: 'agent-tool', call, tool };
}

function checkTransfer(
  call: ToolCall,
  agent: Pick<AgentSnapshot, 'transferTargets'>,
): CheckedToolCall {
  const given = call.arguments;
  const isNamed = typeof given === 'object' && given !== null && 'to' in given;
  const to = isNamed && typeof given.to === 'string' ? transferTargetOf(agent, given.to) : null;
  if (to !== null) return { type: 'transfer', call, to };
  const names = (agent.transferTargets ?? []).map(({ name }) => name);
  const error =
    names.length === 0 ? 'calls cannot be transferred' : `to must be one of: ${names.join(', ')}`;
  return { type: 'refused', call, error };
}

/** The message that gives a result back to the model. Text goes as it is, the rest as JSON. */
export function toolResult(call: ToolCall, result: unknown): Message {
  const text = typeof result === 'string' ? result : (JSON.stringify(result) ?? 'null');
  return { role: 'tool', content: text.slice(0, TOOL_RESULT_LENGTH_MAX), toolCallId: call.id };
}
