-- Questions that a person has to answer before a call is made. A row is written with the question's event, answered with
-- the answer's event, and used up with the intent of the call: each time in the same transaction.
CREATE TABLE qd.approvals (
    tenant uuid NOT NULL,
    id uuid NOT NULL,
    run uuid NOT NULL,
    call text NOT NULL,
    step int NOT NULL,
    tool text NOT NULL,
    agent text NOT NULL,
    release text NOT NULL,
    user_id text NOT NULL,
    effect text NOT NULL,
    risk text NOT NULL,
    arguments jsonb NOT NULL,                   -- what the agent asked for
    digest text NOT NULL,                       -- of what is asked about now: of `edited` once somebody has edited
    origins jsonb NOT NULL DEFAULT '{}',
    decision jsonb NOT NULL,
    effective text NOT NULL DEFAULT '',
    template text NOT NULL DEFAULT '',          -- the tool's own words for its effect, with {argument} places
    summary text NOT NULL,
    people int NOT NULL DEFAULT 1 CHECK (people > 0),
    roles text[] NOT NULL DEFAULT '{}',         -- empty: reviewers
    state text NOT NULL DEFAULT 'pending' CHECK (state IN ('pending', 'approved', 'denied', 'expired', 'withdrawn')),
    votes jsonb NOT NULL DEFAULT '[]',
    edited jsonb,
    asked_at timestamptz NOT NULL DEFAULT clock_timestamp(),
    expires_at timestamptz NOT NULL,
    remind_at timestamptz,                      -- NULL once it was done
    answered_at timestamptz,
    answered_by text[] NOT NULL DEFAULT '{}',
    why text NOT NULL DEFAULT '',
    consumed_at timestamptz,
    PRIMARY KEY (tenant, id)
);
CREATE INDEX approvals_by_state ON qd.approvals (tenant, state, id);
CREATE INDEX approvals_of_tool ON qd.approvals (tenant, agent, tool, state, id);
CREATE INDEX approvals_of_run ON qd.approvals (tenant, run);
CREATE INDEX approvals_by_risk ON qd.approvals (tenant, risk, state, id);
CREATE INDEX approvals_to_expire ON qd.approvals (expires_at) WHERE state = 'pending';
CREATE INDEX approvals_to_remind ON qd.approvals (remind_at) WHERE state = 'pending' AND remind_at IS NOT NULL;
-- Runs that wait for a person: the chore looks for those that nobody can answer any more. A run's status stands in other
-- indexes already, so no update stops being HOT by this.
CREATE INDEX runs_waiting_for_approval ON qd.runs (tenant, id) WHERE status = 'waiting_for_approval';

-- Conversations that agents passed to people.
CREATE TABLE qd.escalations (
    tenant uuid NOT NULL,
    id uuid NOT NULL,
    run uuid NOT NULL,
    thread uuid,
    call text NOT NULL,
    agent text NOT NULL,
    user_id text NOT NULL,
    owner_to text NOT NULL,                     -- whose queue it went to
    summary text NOT NULL,
    why text NOT NULL DEFAULT '',
    state text NOT NULL DEFAULT 'open' CHECK (state IN ('open', 'claimed', 'closed')),
    opened_at timestamptz NOT NULL DEFAULT clock_timestamp(),
    claimed_by text,
    claimed_at timestamptz,
    closed_by text,
    closed_at timestamptz,
    note text NOT NULL DEFAULT '',
    PRIMARY KEY (tenant, id)
);
CREATE INDEX escalations_by_state ON qd.escalations (tenant, state, id);
CREATE INDEX escalations_of_agent ON qd.escalations (tenant, agent, state, id);
CREATE INDEX escalations_of_run ON qd.escalations (tenant, run);

-- How much an agent may do with a tool by itself, where that is less than its release grants.
CREATE TABLE qd.autonomy (
    tenant uuid NOT NULL,
    agent text NOT NULL,
    tool text NOT NULL,
    level text NOT NULL CHECK (level IN ('suggest', 'ask_always', 'ask_when_risky', 'free')),
    set_by text NOT NULL,
    set_at timestamptz NOT NULL DEFAULT clock_timestamp(),
    why text NOT NULL,
    evidence jsonb NOT NULL DEFAULT '{}',
    PRIMARY KEY (tenant, agent, tool)
);

-- Every change of the above, with what was known when it was made. Level NULL: set back to what the release grants.
CREATE TABLE qd.autonomy_changes (
    tenant uuid NOT NULL,
    id uuid NOT NULL,
    agent text NOT NULL,
    tool text NOT NULL,
    level text,
    previous text,
    set_by text NOT NULL,
    set_at timestamptz NOT NULL DEFAULT clock_timestamp(),
    why text NOT NULL,
    evidence jsonb NOT NULL DEFAULT '{}',
    PRIMARY KEY (tenant, id)
);
CREATE INDEX autonomy_changes_of_tool ON qd.autonomy_changes (tenant, agent, tool, id);

DO $$
DECLARE name text;
BEGIN
    FOREACH name IN ARRAY ARRAY['approvals', 'escalations', 'autonomy', 'autonomy_changes']
    LOOP
        EXECUTE format('ALTER TABLE qd.%I ENABLE ROW LEVEL SECURITY', name);
        EXECUTE format('ALTER TABLE qd.%I FORCE ROW LEVEL SECURITY', name);
        EXECUTE format('CREATE POLICY own_tenant ON qd.%I TO qd_app '
            'USING (tenant = nullif(current_setting(''qd.tenant'', true), '''')::uuid) '
            'WITH CHECK (tenant = nullif(current_setting(''qd.tenant'', true), '''')::uuid)', name);
        EXECUTE format('CREATE POLICY every_tenant ON qd.%I TO qd_system USING (true) WITH CHECK (true)', name);
        EXECUTE format('GRANT SELECT, INSERT, UPDATE, DELETE ON qd.%I TO qd_system', name);
    END LOOP;
END $$;

GRANT SELECT, INSERT, UPDATE ON qd.approvals, qd.escalations TO qd_app;
GRANT SELECT, INSERT, UPDATE, DELETE ON qd.autonomy TO qd_app;
-- History is written and never rewritten.
GRANT SELECT, INSERT ON qd.autonomy_changes TO qd_app;
