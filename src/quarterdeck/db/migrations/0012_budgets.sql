-- What may be spent, beside what each release declares: all of them hold, so this only narrows. tenant NULL = set by the
-- deployment; those of its budgets that speak of one tenant (target_tenant) are seen by that tenant only.
CREATE TABLE qd.budgets (
    id uuid PRIMARY KEY,
    tenant uuid,
    name text NOT NULL CHECK (name ~ '^[a-z0-9][a-z0-9-]{0,62}$'),
    scope text NOT NULL CHECK (scope IN ('request', 'run', 'thread', 'user', 'agent', 'tenant', 'everything')),
    target text NOT NULL,                       -- '*' = each one of the scope by itself
    target_tenant uuid,
    period text NOT NULL CHECK (period IN ('hour', 'day', 'month', 'total')),
    max_micro_usd bigint CHECK (max_micro_usd >= 0),
    max_tokens bigint CHECK (max_tokens >= 0),
    rpm_limit bigint CHECK (rpm_limit >= 0),
    tpm_limit bigint CHECK (tpm_limit >= 0),
    alert_at smallint[] NOT NULL DEFAULT '{50,80,100}',
    why text NOT NULL,
    set_by text NOT NULL,
    created_at timestamptz NOT NULL DEFAULT now(),
    updated_at timestamptz NOT NULL DEFAULT clock_timestamp(),
    UNIQUE NULLS NOT DISTINCT (tenant, name),
    CHECK (scope <> 'everything' OR tenant IS NULL),
    CHECK (target_tenant IS NULL OR tenant IS NULL)
);

-- What one limit counts for one run, user, agent or whatever its scope is: what the id of an account stands for.
CREATE TABLE qd.budget_accounts (
    account uuid PRIMARY KEY,
    tenant uuid,                                -- NULL = of the whole deployment
    budget uuid,                                -- NULL = declared by releases
    name text NOT NULL,
    scope text NOT NULL,
    whose text NOT NULL,
    period text NOT NULL,
    unit text NOT NULL CHECK (unit IN ('usd', 'tokens', 'requests')),
    opened_at timestamptz NOT NULL DEFAULT now()
);
CREATE INDEX budget_accounts_of_budget ON qd.budget_accounts (budget) WHERE budget IS NOT NULL;
CREATE INDEX budget_accounts_of_tenant ON qd.budget_accounts (tenant);
CREATE INDEX budget_accounts_of_runs ON qd.budget_accounts (opened_at) WHERE scope = 'run';

-- An account in one window: one row, or several where many spend from it at once, whose grants sum to the limit. The
-- database itself refuses to let more be spent and reserved than was granted. No index but the key: updates are HOT.
CREATE TABLE qd.budget_slots (
    tenant uuid,
    account uuid NOT NULL,
    starts timestamptz NOT NULL,                -- 1970 where it never renews
    ends timestamptz,                           -- NULL = never
    slot smallint NOT NULL,
    granted bigint NOT NULL,
    basis bigint NOT NULL,                      -- the limit of which it was granted
    spent bigint NOT NULL DEFAULT 0,
    reserved bigint NOT NULL DEFAULT 0,
    uncovered bigint NOT NULL DEFAULT 0,        -- used beyond reservations
    presumed bigint NOT NULL DEFAULT 0,         -- the part of spent that nobody knows
    promised timestamptz,                       -- until when nobody takes from its grant what was brought here for one
    PRIMARY KEY (account, starts, slot),
    CHECK (spent >= 0 AND reserved >= 0 AND uncovered >= 0 AND presumed >= 0),
    CHECK (spent + reserved <= granted)
) WITH (fillfactor = 50, autovacuum_vacuum_scale_factor = 0.05, autovacuum_analyze_scale_factor = 0.05);

-- What calls hold of accounts while they are made, and what became of it. One call has at most one that is open.
CREATE TABLE qd.budget_reservations (
    tenant uuid NOT NULL,
    run uuid NOT NULL,
    call text NOT NULL,
    at timestamptz NOT NULL,
    attempt int NOT NULL,
    state text NOT NULL DEFAULT 'reserved' CHECK (state IN ('reserved', 'spent', 'presumed', 'returned')),
    accounts uuid[] NOT NULL,
    starts timestamptz[] NOT NULL,
    slots smallint[] NOT NULL,
    units text[] NOT NULL,
    micro_usd bigint NOT NULL CHECK (micro_usd >= 0),
    tokens bigint NOT NULL CHECK (tokens >= 0),
    requests bigint NOT NULL CHECK (requests >= 0),
    used_micro_usd bigint,
    used_tokens bigint,
    used_requests bigint,
    settled_at timestamptz,
    PRIMARY KEY (tenant, run, call, at)
) WITH (fillfactor = 80);
CREATE UNIQUE INDEX budget_reservations_open ON qd.budget_reservations (tenant, run, call) WHERE state = 'reserved';
-- Rows lie in the order of their time: this costs next to nothing, and finds what was settled lately or long ago.
CREATE INDEX budget_reservations_at ON qd.budget_reservations USING brin (at) WITH (pages_per_range = 16);

DO $$
DECLARE name text;
BEGIN
    FOREACH name IN ARRAY ARRAY['budgets', 'budget_accounts', 'budget_slots', 'budget_reservations'] LOOP
        EXECUTE format('ALTER TABLE qd.%I ENABLE ROW LEVEL SECURITY', name);
        EXECUTE format('ALTER TABLE qd.%I FORCE ROW LEVEL SECURITY', name);
        EXECUTE format('CREATE POLICY own_tenant ON qd.%I TO qd_app '
            'USING (tenant = nullif(current_setting(''qd.tenant'', true), '''')::uuid) '
            'WITH CHECK (tenant = nullif(current_setting(''qd.tenant'', true), '''')::uuid)', name);
        EXECUTE format('CREATE POLICY every_tenant ON qd.%I TO qd_system USING (true) WITH CHECK (true)', name);
    END LOOP;
END $$;
-- Each tenant's calls count against the deployment's limits too, and are let through by them: from inside a tenant.
CREATE POLICY of_deployment ON qd.budgets FOR SELECT TO qd_app USING (tenant IS NULL
    AND (target_tenant IS NULL OR target_tenant = nullif(current_setting('qd.tenant', true), '')::uuid));
CREATE POLICY of_deployment ON qd.budget_accounts FOR ALL TO qd_app USING (tenant IS NULL) WITH CHECK (tenant IS NULL);
CREATE POLICY of_deployment ON qd.budget_slots FOR ALL TO qd_app USING (tenant IS NULL) WITH CHECK (tenant IS NULL);
GRANT SELECT, INSERT, UPDATE, DELETE ON qd.budgets TO qd_app;
GRANT SELECT, INSERT ON qd.budget_accounts TO qd_app;
GRANT SELECT, INSERT, UPDATE ON qd.budget_slots, qd.budget_reservations TO qd_app;
GRANT SELECT, INSERT, UPDATE, DELETE ON qd.budgets, qd.budget_accounts, qd.budget_slots, qd.budget_reservations
    TO qd_system;

-- What one run may spend can be capped by a switch.
ALTER TABLE qd.switches DROP CONSTRAINT switches_action_check, ADD CONSTRAINT switches_action_check
    CHECK (action IN ('disable', 'read_only', 'force_review', 'lower_autonomy', 'cap_steps', 'cap_budget',
        'switch_model', 'stop_background', 'pause_new'));
