-- What every try of a model call used and cost: the one source of all reports on money. Written in the transaction of the
-- event that says so, and keyed by what it is about, so that what is appended twice counts once. A row that was presumed
-- spent may once become what was spent; no other row changes.
CREATE TABLE qd.usage (
    tenant uuid NOT NULL,
    run uuid NOT NULL,
    call text NOT NULL,
    attempt int NOT NULL,
    tried int NOT NULL,
    step int NOT NULL,
    at timestamptz NOT NULL,
    agent text NOT NULL,
    release text NOT NULL,
    user_id text NOT NULL,
    thread uuid,
    root_run uuid NOT NULL,
    provider text NOT NULL,
    model text NOT NULL,
    served_model text NOT NULL,
    route text NOT NULL,
    purpose text NOT NULL,                      -- '' = a step
    tools text[] NOT NULL,                      -- those whose results this call was the first to read
    tags jsonb NOT NULL,
    input bigint NOT NULL,                      -- cached ones included
    output bigint NOT NULL,                     -- reasoning included
    cache_read bigint NOT NULL,
    cache_write bigint NOT NULL,
    reasoning bigint NOT NULL,
    cost_micro_usd bigint NOT NULL,
    priced boolean NOT NULL,                    -- false = no price was known, the cost is 0 for want of one
    state text NOT NULL CHECK (state IN ('spent', 'presumed')),
    saved_cache bigint NOT NULL,                -- micro-USD; negative = writing the cache cost more than it saved
    saved_route bigint NOT NULL,
    saved_trim bigint NOT NULL,
    trimmed_tokens bigint NOT NULL,
    ms int NOT NULL,
    PRIMARY KEY (tenant, run, call, attempt, tried)
);
-- Every report is about a tenant and a span of time. Rows come in the order of time: what a report reads lies together.
CREATE INDEX usage_by_time ON qd.usage (tenant, at);
-- The same for those who look at all tenants: a few pages for a million rows.
CREATE INDEX usage_by_age ON qd.usage USING brin (at) WITH (pages_per_range = 32);

ALTER TABLE qd.usage ENABLE ROW LEVEL SECURITY;
ALTER TABLE qd.usage FORCE ROW LEVEL SECURITY;
CREATE POLICY own_tenant ON qd.usage TO qd_app
    USING (tenant = nullif(current_setting('qd.tenant', true), '')::uuid)
    WITH CHECK (tenant = nullif(current_setting('qd.tenant', true), '')::uuid);
CREATE POLICY every_tenant ON qd.usage TO qd_system USING (true) WITH CHECK (true);
GRANT SELECT, INSERT, UPDATE ON qd.usage TO qd_app;
GRANT SELECT, INSERT, UPDATE, DELETE ON qd.usage TO qd_system;
