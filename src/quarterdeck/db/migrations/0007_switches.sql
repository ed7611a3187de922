-- Switches: what is stopped or narrowed right now, and everything that ever was. A row is written once when a switch is
-- thrown and once when it is lifted, and never again: the table is its own history. tenant = whom it hits, NULL = all.
-- Those of the deployment are seen by the tenants that they hit and lifted by a deployment admin only.
CREATE TABLE qd.switches (
    id uuid PRIMARY KEY,
    tenant uuid,
    deployment boolean NOT NULL DEFAULT false,
    scope text NOT NULL CHECK (scope IN ('tool', 'server', 'model', 'route', 'agent', 'tenant', 'everything')),
    target text NOT NULL DEFAULT '',            -- empty where the scope says it all
    agent text,                                 -- NULL = whichever agent
    action text NOT NULL CHECK (action IN ('disable', 'read_only', 'force_review', 'lower_autonomy', 'cap_steps',
        'switch_model', 'stop_background', 'pause_new')),
    value jsonb,                                -- cap_steps: a number; lower_autonomy: a level; switch_model: provider and id
    in_flight text NOT NULL DEFAULT 'finish' CHECK (in_flight IN ('finish', 'cancel')),
    why text NOT NULL CHECK (why <> ''),
    thrown_by text NOT NULL,
    thrown_at timestamptz NOT NULL DEFAULT clock_timestamp(),
    until timestamptz,                          -- NULL = until somebody lifts it
    lifted_at timestamptz,
    lifted_by text,
    lifted_why text,
    CHECK (tenant IS NOT NULL OR deployment)
);
-- Read by every process each second: holds what stands and nothing else.
CREATE INDEX switches_standing ON qd.switches (tenant) WHERE lifted_at IS NULL;
CREATE INDEX switches_of_tenant ON qd.switches (tenant, id);

ALTER TABLE qd.switches ENABLE ROW LEVEL SECURITY;
ALTER TABLE qd.switches FORCE ROW LEVEL SECURITY;
CREATE POLICY hits_tenant ON qd.switches FOR SELECT TO qd_app
    USING (tenant IS NULL OR tenant = nullif(current_setting('qd.tenant', true), '')::uuid);
CREATE POLICY own_tenant_throws ON qd.switches FOR INSERT TO qd_app
    WITH CHECK (tenant = nullif(current_setting('qd.tenant', true), '')::uuid AND NOT deployment);
CREATE POLICY own_tenant_lifts ON qd.switches FOR UPDATE TO qd_app
    USING (tenant = nullif(current_setting('qd.tenant', true), '')::uuid AND NOT deployment)
    WITH CHECK (tenant = nullif(current_setting('qd.tenant', true), '')::uuid AND NOT deployment);
CREATE POLICY every_tenant ON qd.switches TO qd_system USING (true) WITH CHECK (true);
GRANT SELECT, INSERT ON qd.switches TO qd_app;
GRANT UPDATE (lifted_at, lifted_by, lifted_why) ON qd.switches TO qd_app;
GRANT SELECT, INSERT ON qd.switches TO qd_system;
GRANT UPDATE (lifted_at, lifted_by, lifted_why) ON qd.switches TO qd_system;
