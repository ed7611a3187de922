-- Secrets of tenants, and of the deployment under the nil tenant, sealed in two layers: each value under its tenant's
-- data key, each data key under the deployment's master key. So a new master key re-wraps a few rows and no values.
CREATE TABLE qd.secret_keys (
    tenant uuid NOT NULL,
    id uuid NOT NULL,
    master text NOT NULL,
    wrapped bytea NOT NULL,
    current boolean NOT NULL DEFAULT true,
    created_at timestamptz NOT NULL DEFAULT now(),
    PRIMARY KEY (tenant, id)
);
CREATE UNIQUE INDEX secret_keys_current ON qd.secret_keys (tenant) WHERE current;

CREATE TABLE qd.secrets (
    tenant uuid NOT NULL,
    name text NOT NULL CHECK (name ~ '^[A-Za-z][A-Za-z0-9_.-]{0,62}$'),
    version int NOT NULL CHECK (version > 0),
    description text NOT NULL DEFAULT '',
    due_at timestamptz,
    told_at timestamptz,
    leaks int NOT NULL DEFAULT 0,
    leaked_at timestamptz,
    created_at timestamptz NOT NULL DEFAULT now(),
    updated_at timestamptz NOT NULL DEFAULT clock_timestamp(),
    PRIMARY KEY (tenant, name)
);
-- Those that somebody has still to be told of.
CREATE INDEX secrets_due ON qd.secrets (due_at) WHERE due_at IS NOT NULL AND told_at IS NULL;

-- The value in force and a few before it: runs may still come upon those in texts, where they are taken out too.
CREATE TABLE qd.secret_versions (
    tenant uuid NOT NULL,
    name text NOT NULL,
    version int NOT NULL CHECK (version > 0),
    key uuid NOT NULL,
    sealed bytea NOT NULL,
    set_by text NOT NULL,
    set_at timestamptz NOT NULL DEFAULT now(),
    PRIMARY KEY (tenant, name, version),
    FOREIGN KEY (tenant, name) REFERENCES qd.secrets (tenant, name) ON DELETE CASCADE,
    FOREIGN KEY (tenant, key) REFERENCES qd.secret_keys (tenant, id)
);

DO $$
DECLARE name text;
BEGIN
    FOREACH name IN ARRAY ARRAY['secret_keys', 'secrets', 'secret_versions']
    LOOP
        EXECUTE format('ALTER TABLE qd.%I ENABLE ROW LEVEL SECURITY', name);
        EXECUTE format('ALTER TABLE qd.%I FORCE ROW LEVEL SECURITY', name);
        EXECUTE format('CREATE POLICY own_tenant ON qd.%I TO qd_app '
            'USING (tenant = nullif(current_setting(''qd.tenant'', true), '''')::uuid) '
            'WITH CHECK (tenant = nullif(current_setting(''qd.tenant'', true), '''')::uuid)', name);
        EXECUTE format('CREATE POLICY every_tenant ON qd.%I TO qd_system USING (true) WITH CHECK (true)', name);
    END LOOP;
END $$;
GRANT SELECT, INSERT, UPDATE, DELETE ON qd.secret_keys, qd.secrets, qd.secret_versions TO qd_app, qd_system;
