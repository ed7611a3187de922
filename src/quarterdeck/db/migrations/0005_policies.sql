-- A tenant's own policies. They only narrow what releases grant. Each change is a row: who made it, when and why; the
-- newest version of a name is in force, and a version without a text says that the policy was removed.
CREATE TABLE qd.policies (
    tenant uuid NOT NULL,
    name text NOT NULL CHECK (name ~ '^[a-z0-9][a-z0-9-]{0,62}$'),
    version int NOT NULL CHECK (version > 0),
    text text,
    why text NOT NULL,
    set_by text NOT NULL,
    set_at timestamptz NOT NULL DEFAULT clock_timestamp(),
    PRIMARY KEY (tenant, name, version)
);

ALTER TABLE qd.policies ENABLE ROW LEVEL SECURITY;
ALTER TABLE qd.policies FORCE ROW LEVEL SECURITY;
CREATE POLICY own_tenant ON qd.policies TO qd_app
    USING (tenant = nullif(current_setting('qd.tenant', true), '')::uuid)
    WITH CHECK (tenant = nullif(current_setting('qd.tenant', true), '')::uuid);
CREATE POLICY every_tenant ON qd.policies TO qd_system USING (true) WITH CHECK (true);
-- History is written and never rewritten.
GRANT SELECT, INSERT ON qd.policies TO qd_app;
GRANT SELECT, INSERT, UPDATE, DELETE ON qd.policies TO qd_system;
