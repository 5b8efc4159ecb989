import type { ToolDefinition } from './agent.ts';
import type { AgentId, CallId, WorkspaceId } from './ids.ts';

/** A tool that a model asked for. `arguments` are as the model wrote them: check before use. */
export interface ToolCall {
  readonly id: string;
  readonly name: string;
  readonly arguments: unknown;
}

/** A tool of an owner's that is to be run on the owner's server. */
export interface ToolOrder {
  readonly workspaceId: WorkspaceId;
  readonly agentId: AgentId;
  /** null: in a chat. */
  readonly callId: CallId | null;
  readonly call: ToolCall;
  readonly tool: ToolDefinition;
}

/**
 * Runs it and gives what the server answered, for the model: text, or anything that JSON can
 * say. Never rejects: a failure is an object with `error`, in words for the model.
 */
export type RunTool = (order: ToolOrder, signal: AbortSignal) => Promise<unknown>;
