/** Tables of calls. Each entry stands alone. */

/**
 * A list of calls is found by its agent or a number as fast as it is by time: without these, one
 * that nobody has made looks at every call of the workspace.
 */
export const CALL_SEARCHES = `
  CREATE INDEX calls_by_agent
    ON calls (workspace_id, agent_id, started_at_ms DESC, id DESC);
  CREATE INDEX calls_by_from_number
    ON calls (workspace_id, from_number, started_at_ms DESC, id DESC);
  CREATE INDEX calls_by_to_number
    ON calls (workspace_id, to_number, started_at_ms DESC, id DESC);
`;
