/** Tables of money. Each entry stands alone. */

/**
 * One ledger entry for a call, written in the transaction that ends it, and what follows from it:
 * sums by day and by period, kept by a trigger so that no writer can forget them. Calls that had
 * ended before there were prices cost nothing.
 *
 * An entry outlives its call, so it refers to none. Nothing had written to the table before.
 */
export const LEDGER = `
  ALTER TABLE calls ADD COLUMN tariff_json TEXT;

  DROP TABLE ledger_entries;
  CREATE TABLE ledger_entries (
    id TEXT PRIMARY KEY,
    workspace_id TEXT NOT NULL REFERENCES workspaces (id),
    call_id TEXT NOT NULL,
    kind TEXT NOT NULL CHECK (kind IN ('call')),
    agent_id TEXT,
    direction TEXT NOT NULL,
    door TEXT NOT NULL,
    started_at_ms INTEGER NOT NULL,
    is_answered INTEGER NOT NULL,
    seconds INTEGER NOT NULL CHECK (seconds >= 0),
    billed_seconds INTEGER NOT NULL CHECK (billed_seconds >= 0),
    amount_micros INTEGER NOT NULL CHECK (amount_micros >= 0),
    list_price_micros INTEGER NOT NULL CHECK (list_price_micros >= amount_micros),
    currency TEXT NOT NULL,
    tariff_json TEXT,
    created_at_ms INTEGER NOT NULL,
    UNIQUE (call_id, kind)
  ) STRICT, WITHOUT ROWID;
  CREATE INDEX ledger_by_workspace
    ON ledger_entries (workspace_id, started_at_ms DESC, id DESC);

  -- A call belongs to the day of UTC on which it began.
  CREATE TABLE usage_days (
    workspace_id TEXT NOT NULL,
    day TEXT NOT NULL,
    agent_id TEXT NOT NULL,
    door TEXT NOT NULL,
    direction TEXT NOT NULL,
    currency TEXT NOT NULL,
    calls INTEGER NOT NULL,
    answered_calls INTEGER NOT NULL,
    seconds INTEGER NOT NULL,
    billed_seconds INTEGER NOT NULL,
    amount_micros INTEGER NOT NULL,
    list_price_micros INTEGER NOT NULL,
    PRIMARY KEY (workspace_id, day, agent_id, door, direction, currency)
  ) STRICT, WITHOUT ROWID;

  -- What caps look at. A period is a day (2026-01-31) or a month (2026-01).
  CREATE TABLE usage_periods (
    workspace_id TEXT NOT NULL,
    period TEXT NOT NULL,
    currency TEXT NOT NULL,
    calls INTEGER NOT NULL,
    seconds INTEGER NOT NULL,
    list_price_micros INTEGER NOT NULL,
    PRIMARY KEY (workspace_id, period, currency)
  ) STRICT, WITHOUT ROWID;

  CREATE TRIGGER ledger_entry_counts AFTER INSERT ON ledger_entries BEGIN
    INSERT INTO usage_days VALUES (
      NEW.workspace_id, strftime('%Y-%m-%d', NEW.started_at_ms / 1000, 'unixepoch'),
      coalesce(NEW.agent_id, ''), NEW.door, NEW.direction, NEW.currency,
      1, NEW.is_answered, NEW.seconds, NEW.billed_seconds, NEW.amount_micros, NEW.list_price_micros
    ) ON CONFLICT (workspace_id, day, agent_id, door, direction, currency) DO UPDATE SET
      calls = calls + 1,
      answered_calls = answered_calls + excluded.answered_calls,
      seconds = seconds + excluded.seconds,
      billed_seconds = billed_seconds + excluded.billed_seconds,
      amount_micros = amount_micros + excluded.amount_micros,
      list_price_micros = list_price_micros + excluded.list_price_micros;
    -- A call that nobody answered counts where we made it.
    INSERT INTO usage_periods
      SELECT NEW.workspace_id, strftime(format, NEW.started_at_ms / 1000, 'unixepoch'),
        NEW.currency, max(NEW.is_answered, NEW.direction = 'outbound'), NEW.seconds,
        NEW.list_price_micros
      FROM (SELECT '%Y-%m-%d' AS format UNION ALL SELECT '%Y-%m') WHERE true
    ON CONFLICT (workspace_id, period, currency) DO UPDATE SET
      calls = calls + excluded.calls,
      seconds = seconds + excluded.seconds,
      list_price_micros = list_price_micros + excluded.list_price_micros;
  END;

  INSERT INTO ledger_entries
    SELECT 'led' || substr(id, 5), workspace_id, id, 'call', agent_id, direction, door,
      started_at_ms, answered_at_ms IS NOT NULL,
      coalesce(max(1, (ended_at_ms - answered_at_ms + 999) / 1000), 0), 0, 0, 0, 'USD', NULL,
      ended_at_ms
    FROM calls WHERE ended_at_ms IS NOT NULL;

  CREATE TABLE workspace_rates (
    workspace_id TEXT PRIMARY KEY REFERENCES workspaces (id),
    currency TEXT NOT NULL,
    rates_json TEXT NOT NULL,
    updated_at_ms INTEGER NOT NULL
  ) STRICT, WITHOUT ROWID;
`;

/**
 * Caps of workspaces, and what is held back for calls that have not ended: all that each may come
 * to, so that calls in progress cannot pass a cap together. The entry of a call takes the place
 * of its hold.
 */
export const CAPS = `
  CREATE TABLE workspace_caps (
    workspace_id TEXT NOT NULL REFERENCES workspaces (id),
    set_by TEXT NOT NULL CHECK (set_by IN ('operator', 'owner')),
    caps_json TEXT NOT NULL,
    updated_at_ms INTEGER NOT NULL,
    PRIMARY KEY (workspace_id, set_by)
  ) STRICT, WITHOUT ROWID;

  CREATE TABLE call_holds (
    call_id TEXT PRIMARY KEY,
    workspace_id TEXT NOT NULL,
    instance_id TEXT NOT NULL REFERENCES instances (id),
    day TEXT NOT NULL,
    seconds INTEGER NOT NULL,
    micros INTEGER NOT NULL,
    currency TEXT NOT NULL,
    created_at_ms INTEGER NOT NULL
  ) STRICT, WITHOUT ROWID;
  CREATE INDEX call_holds_by_workspace ON call_holds (workspace_id, day, currency, seconds, micros);
  CREATE INDEX call_holds_by_instance ON call_holds (instance_id);
  CREATE TRIGGER ledger_entry_frees AFTER INSERT ON ledger_entries BEGIN
    DELETE FROM call_holds WHERE call_id = NEW.call_id;
  END;

  -- Said once for each cap and period, whichever process sees it first.
  CREATE TABLE cap_notices (
    id TEXT PRIMARY KEY,
    at_ms INTEGER NOT NULL
  ) STRICT, WITHOUT ROWID;
  CREATE TRIGGER cap_notices_prune AFTER INSERT ON cap_notices BEGIN
    DELETE FROM cap_notices WHERE at_ms < NEW.at_ms - 40 * 86400000;
  END;
`;

/**
 * Legs that we dial for a live call, to put its caller through: each with an entry of its own,
 * told apart by its number in the call. Its row stands from before it is dialed until that entry,
 * which takes its place: so there is one, whoever writes it.
 */
export const TRANSFER_LEGS = `
  CREATE TABLE transfer_legs (
    id TEXT PRIMARY KEY,
    call_id TEXT NOT NULL,
    number INTEGER NOT NULL CHECK (number > 0),
    workspace_id TEXT NOT NULL REFERENCES workspaces (id),
    agent_id TEXT,
    instance_id TEXT NOT NULL REFERENCES instances (id),
    door TEXT NOT NULL,
    started_at_ms INTEGER NOT NULL,
    answered_at_ms INTEGER,
    tariff_json TEXT,
    UNIQUE (call_id, number)
  ) STRICT, WITHOUT ROWID;
  CREATE INDEX transfer_legs_by_instance ON transfer_legs (instance_id);

  -- A leg holds time and money, and is no call of its own.
  ALTER TABLE call_holds ADD COLUMN calls INTEGER NOT NULL DEFAULT 1;
  DROP INDEX call_holds_by_workspace;
  CREATE INDEX call_holds_by_workspace
    ON call_holds (workspace_id, day, currency, seconds, micros, calls);

  DROP TRIGGER ledger_entry_counts;
  DROP TRIGGER ledger_entry_frees;
  DROP INDEX ledger_by_workspace;
  ALTER TABLE ledger_entries RENAME TO ledger_entries_before;
  CREATE TABLE ledger_entries (
    id TEXT PRIMARY KEY,
    workspace_id TEXT NOT NULL REFERENCES workspaces (id),
    call_id TEXT NOT NULL,
    kind TEXT NOT NULL CHECK (kind IN ('call', 'transfer-leg')),
    -- 0: the call itself.
    leg INTEGER NOT NULL DEFAULT 0 CHECK ((leg = 0) = (kind = 'call')),
    agent_id TEXT,
    direction TEXT NOT NULL,
    door TEXT NOT NULL,
    started_at_ms INTEGER NOT NULL,
    is_answered INTEGER NOT NULL,
    seconds INTEGER NOT NULL CHECK (seconds >= 0),
    billed_seconds INTEGER NOT NULL CHECK (billed_seconds >= 0),
    amount_micros INTEGER NOT NULL CHECK (amount_micros >= 0),
    list_price_micros INTEGER NOT NULL CHECK (list_price_micros >= amount_micros),
    currency TEXT NOT NULL,
    tariff_json TEXT,
    created_at_ms INTEGER NOT NULL,
    UNIQUE (call_id, kind, leg)
  ) STRICT, WITHOUT ROWID;
  INSERT INTO ledger_entries
    SELECT id, workspace_id, call_id, kind, 0, agent_id, direction, door, started_at_ms,
      is_answered, seconds, billed_seconds, amount_micros, list_price_micros, currency,
      tariff_json, created_at_ms
    FROM ledger_entries_before;
  DROP TABLE ledger_entries_before;
  CREATE INDEX ledger_by_workspace
    ON ledger_entries (workspace_id, started_at_ms DESC, id DESC);

  CREATE TRIGGER ledger_entry_counts AFTER INSERT ON ledger_entries BEGIN
    INSERT INTO usage_days VALUES (
      NEW.workspace_id, strftime('%Y-%m-%d', NEW.started_at_ms / 1000, 'unixepoch'),
      coalesce(NEW.agent_id, ''), NEW.door, NEW.direction, NEW.currency,
      NEW.leg = 0, NEW.leg = 0 AND NEW.is_answered, NEW.seconds, NEW.billed_seconds,
      NEW.amount_micros, NEW.list_price_micros
    ) ON CONFLICT (workspace_id, day, agent_id, door, direction, currency) DO UPDATE SET
      calls = calls + excluded.calls,
      answered_calls = answered_calls + excluded.answered_calls,
      seconds = seconds + excluded.seconds,
      billed_seconds = billed_seconds + excluded.billed_seconds,
      amount_micros = amount_micros + excluded.amount_micros,
      list_price_micros = list_price_micros + excluded.list_price_micros;
    -- A call that nobody answered counts where we made it; a leg is part of its call.
    INSERT INTO usage_periods
      SELECT NEW.workspace_id, strftime(format, NEW.started_at_ms / 1000, 'unixepoch'),
        NEW.currency, NEW.leg = 0 AND max(NEW.is_answered, NEW.direction = 'outbound'),
        NEW.seconds, NEW.list_price_micros
      FROM (SELECT '%Y-%m-%d' AS format UNION ALL SELECT '%Y-%m') WHERE true
    ON CONFLICT (workspace_id, period, currency) DO UPDATE SET
      calls = calls + excluded.calls,
      seconds = seconds + excluded.seconds,
      list_price_micros = list_price_micros + excluded.list_price_micros;
  END;
  CREATE TRIGGER ledger_entry_frees AFTER INSERT ON ledger_entries WHEN NEW.leg = 0 BEGIN
    DELETE FROM call_holds WHERE call_id = NEW.call_id;
  END;
  CREATE TRIGGER ledger_leg_frees AFTER INSERT ON ledger_entries WHEN NEW.leg > 0 BEGIN
    DELETE FROM call_holds WHERE call_id = NEW.call_id || '_' || NEW.leg;
    DELETE FROM transfer_legs WHERE id = NEW.call_id || '_' || NEW.leg;
  END;
`;
