/** To whom an agent may put callers through, what became of it, and what the network said. */
export const CALL_TRANSFERS = `
  ALTER TABLE agents ADD COLUMN transfer_targets_json TEXT NOT NULL DEFAULT '[]';
  ALTER TABLE calls ADD COLUMN transfers_json TEXT;
  ALTER TABLE calls ADD COLUMN network_facts_json TEXT;
`;
