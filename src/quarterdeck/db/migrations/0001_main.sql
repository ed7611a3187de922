-- The tables of the main job. Every tenant table: tenant first in its key, row-level security forced, one policy for
-- qd_app (its own tenant) and one for qd_system (all). What changes at each step of a run stands in no index.

CREATE FUNCTION qd.current_tenant() RETURNS uuid LANGUAGE sql STABLE PARALLEL SAFE AS
$$ SELECT nullif(current_setting('qd.tenant', true), '')::uuid $$;

-- Facts about this deployment as a whole: the fingerprint of its secret, the database epoch.
CREATE TABLE qd.deployment (
    name text PRIMARY KEY,
    value jsonb NOT NULL,
    set_at timestamptz NOT NULL DEFAULT now()
);

CREATE TABLE qd.tenants (
    tenant uuid PRIMARY KEY,
    slug text NOT NULL UNIQUE CHECK (slug ~ '^[a-z0-9][a-z0-9-]{0,62}$'),
    name text NOT NULL,
    blob_key bytea NOT NULL,                    -- sealed HMAC key of its blobs; deleting it erases them
    max_running int CHECK (max_running > 0),    -- NULL = the deployment's setting
    queue_limit int CHECK (queue_limit > 0),
    created_at timestamptz NOT NULL DEFAULT now(),
    disabled_at timestamptz
);

-- API keys. tenant NULL = a deployment admin's key. The secret itself is never stored: hash = HMAC-SHA256(pepper, secret).
CREATE TABLE qd.keys (
    id text PRIMARY KEY,
    tenant uuid REFERENCES qd.tenants,
    name text NOT NULL,
    hash bytea NOT NULL,
    roles text[] NOT NULL,
    agents text[],                              -- NULL = every agent of the tenant
    environments text[],
    may_assert_user boolean NOT NULL DEFAULT false,
    created_by text NOT NULL,
    created_at timestamptz NOT NULL DEFAULT now(),
    expires_at timestamptz,
    revoked_at timestamptz,
    last_used_at timestamptz
);
CREATE INDEX keys_of_tenant ON qd.keys (tenant, id);

-- Console sessions: opaque to the browser, only a hash here.
CREATE TABLE qd.sessions (
    hash bytea PRIMARY KEY,
    tenant uuid REFERENCES qd.tenants,
    key_id text NOT NULL,
    user_id text NOT NULL,
    created_at timestamptz NOT NULL DEFAULT now(),
    expires_at timestamptz NOT NULL,
    revoked_at timestamptz
);
CREATE INDEX sessions_by_key ON qd.sessions (key_id);

-- Answers given to POSTs that carried an Idempotency-Key. status NULL = still in flight.
CREATE TABLE qd.idempotency (
    tenant uuid NOT NULL,
    key text NOT NULL,
    digest bytea NOT NULL,
    status int,
    body bytea,
    location text,
    created_at timestamptz NOT NULL DEFAULT now(),
    PRIMARY KEY (tenant, key)
);
CREATE INDEX idempotency_by_age ON qd.idempotency (created_at);

-- Provider connections belong to the deployment admin; a release only names one.
CREATE TABLE qd.providers (
    name text PRIMARY KEY CHECK (name ~ '^[a-z0-9][a-z0-9-]{0,62}$'),
    kind text NOT NULL,
    base_url text,
    sealed_key bytea,
    options jsonb NOT NULL DEFAULT '{}',
    tenants uuid[],                             -- NULL = every tenant may use it
    agents text[],
    created_at timestamptz NOT NULL DEFAULT now(),
    updated_at timestamptz NOT NULL DEFAULT now()
);

-- Immutable versions of agents: id = SHA-256 of the canonical manifest.
CREATE TABLE qd.releases (
    tenant uuid NOT NULL,
    id text NOT NULL CHECK (id ~ '^[0-9a-f]{64}$'),
    agent text NOT NULL,
    manifest jsonb NOT NULL,
    label text,
    registered_by text NOT NULL,
    registered_at timestamptz NOT NULL DEFAULT now(),
    PRIMARY KEY (tenant, id)
);
CREATE INDEX releases_of_agent ON qd.releases (tenant, agent, registered_at DESC);

CREATE TABLE qd.release_files (
    tenant uuid NOT NULL,
    release text NOT NULL,
    path text NOT NULL,
    blob bytea NOT NULL,
    size int NOT NULL,
    PRIMARY KEY (tenant, release, path)
);

CREATE TABLE qd.agents (
    tenant uuid NOT NULL,
    name text NOT NULL CHECK (name ~ '^[a-z0-9][a-z0-9-]{0,62}$'),
    release text NOT NULL,
    owner text NOT NULL,
    description text NOT NULL,
    created_at timestamptz NOT NULL DEFAULT now(),
    updated_at timestamptz NOT NULL DEFAULT now(),
    disabled_at timestamptz,
    PRIMARY KEY (tenant, name)
);

CREATE TABLE qd.threads (
    tenant uuid NOT NULL,
    id uuid NOT NULL,
    agent text NOT NULL,
    user_id text NOT NULL,
    title text NOT NULL DEFAULT '',
    tags jsonb NOT NULL DEFAULT '{}',
    run_count int NOT NULL DEFAULT 0,
    created_at timestamptz NOT NULL DEFAULT now(),
    updated_at timestamptz NOT NULL DEFAULT now(),
    PRIMARY KEY (tenant, id)
);
CREATE INDEX threads_of_user ON qd.threads (tenant, user_id, id);

CREATE TABLE qd.runs (
    tenant uuid NOT NULL,
    id uuid NOT NULL,
    kind text NOT NULL DEFAULT 'agent',
    agent text NOT NULL,
    release text NOT NULL,
    behaviour int NOT NULL,
    user_id text NOT NULL,
    thread uuid,
    thread_position int,
    parent uuid,
    priority smallint NOT NULL DEFAULT 0 CHECK (priority BETWEEN -100 AND 100),
    tags jsonb NOT NULL DEFAULT '{}',
    submitted_by text NOT NULL,
    title text NOT NULL DEFAULT '',
    dedup_key text,
    dedup_digest bytea,
    traceparent text,
    created_at timestamptz NOT NULL DEFAULT now(),
    -- changes at a transition, a few times a run
    status text NOT NULL DEFAULT 'queued' CHECK (status IN (
        'queued', 'running', 'waiting_for_approval', 'waiting_for_connection', 'waiting_for_outcome',
        'waiting_for_retry', 'cancelling', 'succeeded', 'failed', 'stopped', 'cancelled')),
    available_at timestamptz NOT NULL DEFAULT now(),
    delivered_at timestamptz,                   -- a delivery for it is out; NULL = not admitted yet
    worker uuid,
    started_at timestamptz,
    finished_at timestamptz,
    -- changes at a step: in no index, so that updates stay HOT
    attempt int NOT NULL DEFAULT 0,
    fruitless int NOT NULL DEFAULT 0,           -- claims since something last came of it: capped, so that poison ends
    epoch bigint,
    last_seq int NOT NULL DEFAULT 0,
    last_event_at timestamptz NOT NULL DEFAULT now(),
    parked_at timestamptz,
    waited_ms bigint NOT NULL DEFAULT 0,        -- time parked for people, sign-ins and outcomes
    step text NOT NULL DEFAULT '',              -- what it does right now, for people
    steps_used int NOT NULL DEFAULT 0,
    tool_calls int NOT NULL DEFAULT 0,
    failed_calls int NOT NULL DEFAULT 0,
    input_tokens bigint NOT NULL DEFAULT 0,
    output_tokens bigint NOT NULL DEFAULT 0,
    cost_micro_usd bigint NOT NULL DEFAULT 0,
    risk_level text NOT NULL DEFAULT 'read',
    reason text,                                -- why it stopped or is parked: budget steps time switch policy escalated ...
    why text NOT NULL DEFAULT '',               -- one sentence for lists
    error_code text,
    cancel_requested_at timestamptz,
    PRIMARY KEY (tenant, id)
) WITH (fillfactor = 70);
CREATE INDEX runs_by_status ON qd.runs (tenant, status, id);
CREATE INDEX runs_by_agent ON qd.runs (tenant, agent, id);
CREATE INDEX runs_by_user ON qd.runs (tenant, user_id, id);
CREATE INDEX runs_by_thread ON qd.runs (tenant, thread, thread_position) WHERE thread IS NOT NULL;
CREATE UNIQUE INDEX runs_dedup ON qd.runs (tenant, dedup_key) WHERE dedup_key IS NOT NULL;
-- waiting for admission, in the order in which admission takes them
CREATE INDEX runs_to_admit ON qd.runs (tenant, priority DESC, available_at, id)
    WHERE status IN ('queued', 'waiting_for_retry') AND delivered_at IS NULL;
-- delivered and not claimed: the sweep looks for those whose delivery was lost
CREATE INDEX runs_delivered ON qd.runs (delivered_at) WHERE status IN ('queued', 'waiting_for_retry') AND delivered_at IS NOT NULL;
-- executing: counted by admission, queued again by the sweep when their worker is dead
CREATE INDEX runs_live ON qd.runs (worker, tenant, agent, user_id) WHERE status IN ('running', 'cancelling');

-- The log. A double (run, seq) is refused by the database; partitions are months of the run's own id.
CREATE TABLE qd.run_events (
    tenant uuid NOT NULL,
    run uuid NOT NULL,
    seq int NOT NULL,
    attempt int NOT NULL,
    kind text NOT NULL,
    v smallint NOT NULL DEFAULT 1,
    at timestamptz NOT NULL DEFAULT clock_timestamp(),
    data jsonb NOT NULL,
    PRIMARY KEY (run, seq)
) PARTITION BY RANGE (run);
CREATE TABLE qd.run_events_default PARTITION OF qd.run_events DEFAULT;

-- What was sent, once, or unknown: one row a call that is not a read, written in the transaction of its intent.
CREATE TABLE qd.effects (
    tenant uuid NOT NULL,
    run uuid NOT NULL,
    call text NOT NULL,
    tool text NOT NULL,
    effect text NOT NULL,
    repeat text NOT NULL,
    key text NOT NULL,
    arguments_digest text NOT NULL,
    state text NOT NULL CHECK (state IN ('intended', 'happened', 'failed', 'unknown', 'did_not_happen')),
    intended_at timestamptz NOT NULL DEFAULT clock_timestamp(),
    not_after timestamptz NOT NULL,
    settled_at timestamptz,
    settled_by text,
    PRIMARY KEY (tenant, run, call)
);
CREATE INDEX effects_open ON qd.effects (tenant, intended_at) WHERE state IN ('intended', 'unknown');

-- Big payloads. key = HMAC-SHA256(tenant key, bytes): equal bytes are stored once a tenant and guessed by nobody.
CREATE TABLE qd.blobs (
    tenant uuid NOT NULL,
    key bytea NOT NULL,
    bytes bytea NOT NULL,
    size int NOT NULL,
    created_at timestamptz NOT NULL DEFAULT now(),
    PRIMARY KEY (tenant, key)
);
-- Who refers to a blob: a run's id or a release's id. A blob without a reference is swept.
CREATE TABLE qd.blob_refs (
    tenant uuid NOT NULL,
    key bytea NOT NULL,
    holder text NOT NULL,
    PRIMARY KEY (tenant, holder, key)
);
CREATE INDEX blob_refs_by_key ON qd.blob_refs (tenant, key);

-- One row a worker process: renewing it renews all its runs. Not a tenant's: seen by qd_app too, written by it.
CREATE TABLE qd.workers (
    id uuid PRIMARY KEY,
    epoch bigint GENERATED ALWAYS AS IDENTITY,
    lease_until timestamptz NOT NULL,
    host text NOT NULL,
    pid int NOT NULL,
    version text NOT NULL,
    behaviours int[] NOT NULL,
    capacity int NOT NULL,
    draining boolean NOT NULL DEFAULT false,
    started_at timestamptz NOT NULL DEFAULT now()
);

-- What others are told: written in the transaction that made it true, fanned out afterwards.
CREATE TABLE qd.outbox (
    tenant uuid NOT NULL,
    id uuid NOT NULL,
    kind text NOT NULL,
    run uuid,
    data jsonb NOT NULL,
    at timestamptz NOT NULL DEFAULT now(),
    PRIMARY KEY (tenant, id)
);
CREATE INDEX outbox_by_age ON qd.outbox (at);

CREATE TABLE qd.webhook_endpoints (
    tenant uuid NOT NULL,
    id uuid NOT NULL,
    url text NOT NULL,
    description text NOT NULL DEFAULT '',
    kinds text[] NOT NULL,
    sealed_secrets bytea[] NOT NULL,
    created_by text NOT NULL,
    created_at timestamptz NOT NULL DEFAULT now(),
    updated_at timestamptz NOT NULL DEFAULT now(),
    failing_since timestamptz,
    disabled_at timestamptz,
    disabled_reason text,
    PRIMARY KEY (tenant, id)
);

CREATE TABLE qd.webhook_deliveries (
    tenant uuid NOT NULL,
    id uuid NOT NULL,
    endpoint uuid NOT NULL,
    kind text NOT NULL,
    run uuid,
    body bytea NOT NULL,
    state text NOT NULL DEFAULT 'pending' CHECK (state IN ('pending', 'delivered', 'dead')),
    tries int NOT NULL DEFAULT 0,
    next_at timestamptz NOT NULL DEFAULT now(),
    last_status int,
    last_error text,
    created_at timestamptz NOT NULL DEFAULT now(),
    delivered_at timestamptz,
    PRIMARY KEY (tenant, id)
);
CREATE INDEX webhook_deliveries_due ON qd.webhook_deliveries (next_at) WHERE state = 'pending';
CREATE INDEX webhook_deliveries_of_endpoint ON qd.webhook_deliveries (tenant, endpoint, id DESC);

-- Row-level security: forced on every table with a tenant.
DO $$
DECLARE name text;
BEGIN
    FOREACH name IN ARRAY ARRAY['tenants', 'keys', 'sessions', 'idempotency', 'releases', 'release_files', 'agents', 'threads',
        'runs', 'run_events', 'run_events_default', 'effects', 'blobs', 'blob_refs', 'outbox', 'webhook_endpoints', 'webhook_deliveries']
    LOOP
        EXECUTE format('ALTER TABLE qd.%I ENABLE ROW LEVEL SECURITY', name);
        EXECUTE format('ALTER TABLE qd.%I FORCE ROW LEVEL SECURITY', name);
        EXECUTE format('CREATE POLICY own_tenant ON qd.%I TO qd_app '
            'USING (tenant = nullif(current_setting(''qd.tenant'', true), '''')::uuid) '
            'WITH CHECK (tenant = nullif(current_setting(''qd.tenant'', true), '''')::uuid)', name);
        EXECUTE format('CREATE POLICY every_tenant ON qd.%I TO qd_system USING (true) WITH CHECK (true)', name);
    END LOOP;
END $$;

-- A credential is looked up before its tenant is known: these two functions, and nothing else, see across tenants for qd_app.
CREATE POLICY lookup ON qd.keys TO qd_owner USING (true);
CREATE POLICY lookup ON qd.sessions TO qd_owner USING (true);
CREATE POLICY lookup ON qd.tenants TO qd_owner USING (true);

CREATE FUNCTION qd.find_key(wanted text) RETURNS TABLE (
    id text, tenant uuid, tenant_slug text, tenant_disabled boolean, name text, hash bytea, roles text[], agents text[],
    environments text[], may_assert_user boolean, expires_at timestamptz, revoked_at timestamptz, last_used_at timestamptz)
LANGUAGE sql STABLE SECURITY DEFINER SET search_path = qd, pg_temp AS $$
    SELECT k.id, k.tenant, t.slug, t.disabled_at IS NOT NULL, k.name, k.hash, k.roles, k.agents, k.environments,
           k.may_assert_user, k.expires_at, k.revoked_at, k.last_used_at
    FROM qd.keys k LEFT JOIN qd.tenants t ON t.tenant = k.tenant WHERE k.id = wanted
$$;

CREATE FUNCTION qd.find_session(wanted bytea) RETURNS TABLE (
    hash bytea, tenant uuid, key_id text, user_id text, expires_at timestamptz, revoked_at timestamptz)
LANGUAGE sql STABLE SECURITY DEFINER SET search_path = qd, pg_temp AS $$
    SELECT s.hash, s.tenant, s.key_id, s.user_id, s.expires_at, s.revoked_at FROM qd.sessions s WHERE s.hash = wanted
$$;

REVOKE ALL ON FUNCTION qd.find_key(text), qd.find_session(bytea) FROM PUBLIC;
GRANT EXECUTE ON FUNCTION qd.find_key(text), qd.find_session(bytea) TO qd_app, qd_system;

GRANT SELECT, INSERT, UPDATE, DELETE ON ALL TABLES IN SCHEMA qd TO qd_system;
GRANT SELECT ON qd.deployment, qd.tenants, qd.providers, qd.workers TO qd_app;
GRANT SELECT, INSERT, UPDATE ON qd.keys, qd.sessions, qd.agents, qd.threads, qd.runs, qd.effects, qd.workers TO qd_app;
GRANT SELECT, INSERT ON qd.releases, qd.release_files, qd.run_events, qd.blobs, qd.outbox TO qd_app;
GRANT SELECT, INSERT, DELETE ON qd.blob_refs TO qd_app;
GRANT SELECT, INSERT, UPDATE, DELETE ON qd.idempotency, qd.webhook_endpoints, qd.webhook_deliveries TO qd_app;
