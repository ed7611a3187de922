-- What reads have answered a short while ago, to be given again to the same principal. Keys and places are HMACs: who
-- reads these rows learns neither who asked nor for what. The answers are blobs that `holder` refers to.
CREATE TABLE qd.recalled (
    tenant uuid NOT NULL,
    key bytea NOT NULL,                         -- whose call, of which tool as it is declared, with which arguments
    place bytea NOT NULL,                       -- whose server it came from
    holder uuid NOT NULL,
    value bytea NOT NULL,                       -- the blob of the answer
    parts bytea[] NOT NULL DEFAULT '{}',        -- blobs that the answer itself refers to
    asked_at timestamptz NOT NULL,              -- before the tool was asked
    expires_at timestamptz NOT NULL,
    PRIMARY KEY (tenant, key)
);
CREATE INDEX recalled_expired ON qd.recalled (expires_at);

-- Until when what was read somewhere may be out of date: a call that is no read has been, or is still, under way there.
-- Only places of which somebody has wanted to be told something again have a row.
CREATE TABLE qd.recall_places (
    tenant uuid NOT NULL,
    place bytea NOT NULL,
    changed_at timestamptz NOT NULL DEFAULT 'epoch',
    expires_at timestamptz NOT NULL,
    PRIMARY KEY (tenant, place)
) WITH (fillfactor = 50);

DO $$
DECLARE name text;
BEGIN
    FOREACH name IN ARRAY ARRAY['recalled', 'recall_places'] LOOP
        EXECUTE format('ALTER TABLE qd.%I ENABLE ROW LEVEL SECURITY', name);
        EXECUTE format('ALTER TABLE qd.%I FORCE ROW LEVEL SECURITY', name);
        EXECUTE format('CREATE POLICY own_tenant ON qd.%I TO qd_app '
            'USING (tenant = nullif(current_setting(''qd.tenant'', true), '''')::uuid) '
            'WITH CHECK (tenant = nullif(current_setting(''qd.tenant'', true), '''')::uuid)', name);
        EXECUTE format('CREATE POLICY every_tenant ON qd.%I TO qd_system USING (true) WITH CHECK (true)', name);
    END LOOP;
END $$;
GRANT SELECT, INSERT, UPDATE, DELETE ON qd.recalled TO qd_app;
GRANT SELECT, INSERT, UPDATE ON qd.recall_places TO qd_app;
GRANT SELECT, INSERT, UPDATE, DELETE ON qd.recalled, qd.recall_places TO qd_system;
