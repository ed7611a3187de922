-- What a tenant allows of tool calls, beside what each release declares: both hold, so this only narrows.
CREATE TABLE qd.rates (
    tenant uuid NOT NULL,
    name text NOT NULL CHECK (name ~ '^[a-z0-9][a-z0-9-]{0,62}$'),
    scope text NOT NULL CHECK (scope IN ('tool', 'user', 'agent', 'tenant')),
    target text NOT NULL,                       -- '*' = each one of the scope by itself
    calls int CHECK (calls > 0),
    every int CHECK (every > 0),                -- seconds
    concurrency int CHECK (concurrency > 0),
    why text NOT NULL,
    set_by text NOT NULL,
    created_at timestamptz NOT NULL DEFAULT now(),
    updated_at timestamptz NOT NULL DEFAULT clock_timestamp(),
    PRIMARY KEY (tenant, name),
    CHECK ((calls IS NULL) = (every IS NULL)),
    CHECK (calls IS NOT NULL OR concurrency IS NOT NULL)
);

-- The calls that count against one limit, as instants in microseconds of the database's clock: `counts` says how many
-- calls each stands for, none of which was later. No index but the key, so that every update is HOT.
CREATE TABLE qd.rate_windows (
    tenant uuid NOT NULL,
    key text NOT NULL,
    times bigint[] NOT NULL DEFAULT '{}',
    counts int[] NOT NULL DEFAULT '{}',
    expires_at timestamptz NOT NULL,
    PRIMARY KEY (tenant, key)
) WITH (fillfactor = 50);

-- The calls that are under way against one limit: who holds each place, and until when at the latest.
CREATE TABLE qd.rate_places (
    tenant uuid NOT NULL,
    key text NOT NULL,
    holders uuid[] NOT NULL DEFAULT '{}',
    until timestamptz[] NOT NULL DEFAULT '{}',
    expires_at timestamptz NOT NULL,
    PRIMARY KEY (tenant, key)
) WITH (fillfactor = 50);

DO $$
DECLARE name text;
BEGIN
    FOREACH name IN ARRAY ARRAY['rates', 'rate_windows', 'rate_places'] LOOP
        EXECUTE format('ALTER TABLE qd.%I ENABLE ROW LEVEL SECURITY', name);
        EXECUTE format('ALTER TABLE qd.%I FORCE ROW LEVEL SECURITY', name);
        EXECUTE format('CREATE POLICY own_tenant ON qd.%I TO qd_app '
            'USING (tenant = nullif(current_setting(''qd.tenant'', true), '''')::uuid) '
            'WITH CHECK (tenant = nullif(current_setting(''qd.tenant'', true), '''')::uuid)', name);
        EXECUTE format('CREATE POLICY every_tenant ON qd.%I TO qd_system USING (true) WITH CHECK (true)', name);
    END LOOP;
END $$;
GRANT SELECT, INSERT, UPDATE, DELETE ON qd.rates TO qd_app;
GRANT SELECT, INSERT, UPDATE ON qd.rate_windows, qd.rate_places TO qd_app;
GRANT SELECT, INSERT, UPDATE, DELETE ON qd.rates, qd.rate_windows, qd.rate_places TO qd_system;
