-- Alerts: what people should know before it hurts. Raised and ended by the system; a tenant's people see and acknowledge
-- their own. tenant NULL = the deployment's, which no tenant sees. `key` is the same for the same trouble, so that it is
-- told once; rows are kept for a while after their end to know that.
CREATE TABLE qd.alerts (
    id uuid PRIMARY KEY,
    tenant uuid,
    kind text NOT NULL,
    severity text NOT NULL CHECK (severity IN ('notice', 'warning', 'critical')),
    subject text NOT NULL,
    key text NOT NULL,
    agent text,                                 -- NULL = not about one agent
    words text NOT NULL,
    facts jsonb NOT NULL,
    count int NOT NULL,
    raised_at timestamptz NOT NULL DEFAULT clock_timestamp(),
    last_at timestamptz NOT NULL DEFAULT clock_timestamp(),
    resolved_at timestamptz,
    resolved_why text NOT NULL DEFAULT '',
    acknowledged_at timestamptz,
    acknowledged_by text,
    UNIQUE NULLS NOT DISTINCT (tenant, key)
) WITH (fillfactor = 80);
CREATE INDEX alerts_of_tenant ON qd.alerts (tenant, id);
CREATE INDEX alerts_standing ON qd.alerts (tenant, kind) WHERE resolved_at IS NULL;
CREATE INDEX alerts_over ON qd.alerts (resolved_at) WHERE resolved_at IS NOT NULL;

-- Routes that workers leave alone because they fail: each worker knows its own, and says so for as long as it is so.
CREATE TABLE qd.alert_sightings (
    provider text NOT NULL,
    model text NOT NULL,
    until timestamptz NOT NULL,
    seen_at timestamptz NOT NULL,
    PRIMARY KEY (provider, model)
);
GRANT SELECT, INSERT, UPDATE, DELETE ON qd.alert_sightings TO qd_system;

-- The accounts that somebody may want to be told of are looked at again and again: those of runs are far more.
CREATE INDEX budget_accounts_told ON qd.budget_accounts (scope)
    WHERE scope IN ('user', 'agent', 'tenant', 'everything') AND unit <> 'requests' AND period <> 'minute';

-- Calls whose outcome never came are few, and looked for among all that were made.
CREATE INDEX usage_presumed ON qd.usage (at) WHERE state = 'presumed';

ALTER TABLE qd.alerts ENABLE ROW LEVEL SECURITY;
ALTER TABLE qd.alerts FORCE ROW LEVEL SECURITY;
CREATE POLICY own_tenant ON qd.alerts TO qd_app
    USING (tenant = nullif(current_setting('qd.tenant', true), '')::uuid)
    WITH CHECK (tenant = nullif(current_setting('qd.tenant', true), '')::uuid);
CREATE POLICY every_tenant ON qd.alerts TO qd_system USING (true) WITH CHECK (true);
GRANT SELECT ON qd.alerts TO qd_app;
GRANT UPDATE (acknowledged_at, acknowledged_by) ON qd.alerts TO qd_app;
GRANT SELECT, INSERT, UPDATE, DELETE ON qd.alerts TO qd_system;
