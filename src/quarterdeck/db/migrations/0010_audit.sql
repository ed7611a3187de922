-- What was decided and done, and by whom. A row is written into `audit_waiting` in the transaction that makes it true,
-- and moved by the sealer into `audit`, where it has a place in its tenant's chain. Rows of the deployment itself, which
-- stands outside tenants, have the nil UUID for a tenant. qd_app may add and read, and neither change nor remove.

CREATE TABLE qd.audit_waiting (
    tenant uuid NOT NULL,
    id uuid NOT NULL,
    at timestamptz NOT NULL DEFAULT clock_timestamp(),
    kind text NOT NULL,
    actor text NOT NULL,
    action text NOT NULL DEFAULT '',
    target text NOT NULL DEFAULT '',
    run uuid,
    call text NOT NULL DEFAULT '',
    seq int,                                    -- the run's event that holds the payload
    user_id text NOT NULL DEFAULT '',
    release text NOT NULL DEFAULT '',
    verdict text NOT NULL DEFAULT '',
    rule text NOT NULL DEFAULT '',
    approved_by text[] NOT NULL DEFAULT '{}',
    status text NOT NULL DEFAULT '',
    effective text NOT NULL DEFAULT '',
    payload text,                               -- of rows without an event: JSON text, moved to audit_payloads
    PRIMARY KEY (tenant, id)
);

-- The chain: hash = SHA-256(hash of the row before, canonical JSON of this one). mac binds the payload, if there was one.
CREATE TABLE qd.audit (
    tenant uuid NOT NULL,
    position bigint NOT NULL CHECK (position > 0),
    id uuid NOT NULL,
    at timestamptz NOT NULL,
    kind text NOT NULL,
    actor text NOT NULL,
    action text NOT NULL,
    target text NOT NULL,
    run uuid,
    call text NOT NULL,
    seq int,
    user_id text NOT NULL,
    release text NOT NULL,
    verdict text NOT NULL,
    rule text NOT NULL,
    approved_by text[] NOT NULL,
    status text NOT NULL,
    effective text NOT NULL,
    mac bytea,
    hash bytea NOT NULL,
    PRIMARY KEY (tenant, position)
);
CREATE UNIQUE INDEX audit_by_id ON qd.audit (tenant, id);
CREATE INDEX audit_by_kind ON qd.audit (tenant, kind, id);
CREATE INDEX audit_by_actor ON qd.audit (tenant, actor, id);
CREATE INDEX audit_by_action ON qd.audit (tenant, action, id);
CREATE INDEX audit_by_run ON qd.audit (tenant, run, id) WHERE run IS NOT NULL;
CREATE INDEX audit_refused ON qd.audit (tenant, verdict, id) WHERE verdict IN ('ask', 'deny');

-- Payloads of sealed rows that refer to no event. Removing one erases it; the chain stays valid.
CREATE TABLE qd.audit_payloads (
    tenant uuid NOT NULL,
    id uuid NOT NULL,
    payload text NOT NULL,
    PRIMARY KEY (tenant, id)
);

-- Signed heads, one for each batch that was sealed: what the chain's hash was at that position.
CREATE TABLE qd.audit_seals (
    tenant uuid NOT NULL,
    position bigint NOT NULL,
    hash bytea NOT NULL,
    at timestamptz NOT NULL,
    signer bytea NOT NULL,                      -- the Ed25519 public key
    signature bytea NOT NULL,
    PRIMARY KEY (tenant, position)
);
CREATE INDEX audit_seals_by_time ON qd.audit_seals (tenant, at);

-- Where each chain stands: its newest seal, and its floor, the signed place below which it was pruned. Whoever seals or
-- prunes holds the row.
CREATE TABLE qd.audit_heads (
    tenant uuid PRIMARY KEY,
    position bigint NOT NULL DEFAULT 0,
    hash bytea NOT NULL DEFAULT '\x',
    at timestamptz,
    signer bytea,
    signature bytea,
    floor bigint NOT NULL DEFAULT 0,
    floor_hash bytea NOT NULL DEFAULT '\x',
    floor_at timestamptz,
    floor_signer bytea,
    floor_signature bytea
);

DO $$
DECLARE name text;
BEGIN
    FOREACH name IN ARRAY ARRAY['audit_waiting', 'audit', 'audit_payloads', 'audit_seals', 'audit_heads']
    LOOP
        EXECUTE format('ALTER TABLE qd.%I ENABLE ROW LEVEL SECURITY', name);
        EXECUTE format('ALTER TABLE qd.%I FORCE ROW LEVEL SECURITY', name);
        EXECUTE format('CREATE POLICY own_tenant ON qd.%I TO qd_app '
            'USING (tenant = nullif(current_setting(''qd.tenant'', true), '''')::uuid) '
            'WITH CHECK (tenant = nullif(current_setting(''qd.tenant'', true), '''')::uuid)', name);
        EXECUTE format('CREATE POLICY every_tenant ON qd.%I TO qd_system USING (true) WITH CHECK (true)', name);
    END LOOP;
END $$;

GRANT SELECT, INSERT ON qd.audit_waiting TO qd_app;
GRANT SELECT ON qd.audit, qd.audit_payloads, qd.audit_seals, qd.audit_heads TO qd_app;
-- qd_system moves, prunes and erases. A sealed row itself is changed by nobody.
GRANT SELECT, INSERT, DELETE ON qd.audit_waiting, qd.audit, qd.audit_payloads, qd.audit_seals TO qd_system;
GRANT SELECT, INSERT, UPDATE ON qd.audit_heads TO qd_system;
