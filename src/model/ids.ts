/** Identifiers are strings at run time and distinct types for the compiler. */
type Branded<Name extends string> = string & { readonly __brand: Name };

/** `ws_…`: the tenant that owns agents, links, keys and money. */
export type WorkspaceId = Branded<'WorkspaceId'>;
/** `agt_…`: a stored voice agent; the first one is always `agt_demo`. */
export type AgentId = Branded<'AgentId'>;
/** `call_…`: what is billed, an agent and its legs. */
export type CallId = Branded<'CallId'>;
/** `leg_…`: one remote party of a call, its signaling and its media. */
export type LegId = Branded<'LegId'>;
/** `trn_…`: an utterance and its reply. */
export type TurnId = Branded<'TurnId'>;

export const asWorkspaceId = (value: string): WorkspaceId => value as WorkspaceId;
export const asAgentId = (value: string): AgentId => value as AgentId;
export const asCallId = (value: string): CallId => value as CallId;
export const asLegId = (value: string): LegId => value as LegId;
export const asTurnId = (value: string): TurnId => value as TurnId;
