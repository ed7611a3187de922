-- How fast a provider may be asked: one row for each key of a connection (and each model, where the provider limits by
-- model). Rates are calls and tokens a minute; NULL = not known. `_now` is what goes out, `_chosen` the connection's own
-- option, `_told` what the provider's headers say, `_refused` the rate at which it last refused. Instants are seconds
-- since 1970 by the database's clock: `_at` is when the next call may begin, and moves on with each one that is leased.
-- `_used` are sums that fade with time. No index but the key, so that every update is HOT.
CREATE TABLE qd.pace_lanes (
    key text PRIMARY KEY,
    connection text NOT NULL,
    fingerprint text NOT NULL,                  -- tells keys apart and can't be turned back into one
    model text NOT NULL,                        -- '' = all models together
    requests_now double precision CHECK (requests_now > 0),
    requests_chosen double precision CHECK (requests_chosen > 0),
    requests_told double precision CHECK (requests_told > 0),
    requests_refused double precision CHECK (requests_refused > 0),
    requests_at double precision NOT NULL DEFAULT 0,
    requests_used double precision NOT NULL DEFAULT 0,
    tokens_now double precision CHECK (tokens_now > 0),
    tokens_chosen double precision CHECK (tokens_chosen > 0),
    tokens_told double precision CHECK (tokens_told > 0),
    tokens_refused double precision CHECK (tokens_refused > 0),
    tokens_at double precision NOT NULL DEFAULT 0,
    tokens_used double precision NOT NULL DEFAULT 0,
    used_at double precision NOT NULL DEFAULT 0,
    held_until double precision NOT NULL DEFAULT 0,
    cut_at double precision NOT NULL DEFAULT 0, -- when its rates were last cut because it refused
    pressed_at double precision NOT NULL DEFAULT 0, -- when somebody last had to wait because of them
    grown_at double precision NOT NULL DEFAULT 0,
    refusals bigint NOT NULL DEFAULT 0,
    made_at timestamptz NOT NULL DEFAULT now()
) WITH (fillfactor = 50);

-- Runs that wait until their lane has room for them again. A run that is called may ask; one that does not come in time
-- is called again, and at last forgotten.
CREATE TABLE qd.pace_turns (
    lane text NOT NULL REFERENCES qd.pace_lanes ON DELETE CASCADE,
    tenant uuid NOT NULL,
    run uuid NOT NULL,
    tokens double precision NOT NULL,
    asked_at timestamptz NOT NULL DEFAULT clock_timestamp(),
    called_at timestamptz,
    calls int NOT NULL DEFAULT 0,
    PRIMARY KEY (lane, tenant, run)
);
CREATE INDEX pace_turns_waiting ON qd.pace_turns (lane, run) WHERE called_at IS NULL;

ALTER TABLE qd.pace_turns ENABLE ROW LEVEL SECURITY;
ALTER TABLE qd.pace_turns FORCE ROW LEVEL SECURITY;
CREATE POLICY own_tenant ON qd.pace_turns TO qd_app
    USING (tenant = nullif(current_setting('qd.tenant', true), '')::uuid)
    WITH CHECK (tenant = nullif(current_setting('qd.tenant', true), '')::uuid);
CREATE POLICY every_tenant ON qd.pace_turns TO qd_system USING (true) WITH CHECK (true);

-- Lanes belong to the deployment, and turns are given to runs of all tenants together: neither is qd_app's affair.
GRANT SELECT, INSERT, UPDATE, DELETE ON qd.pace_lanes, qd.pace_turns TO qd_system;
