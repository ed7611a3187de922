-- Runs that have ended and whose trace is to be exported: written in the transaction that ends a run, taken by whichever
-- worker exports. Nothing is written while no process of this deployment exports (`qd.deployment`, name traces.export).
CREATE TABLE qd.trace_exports (
    tenant uuid NOT NULL,
    run uuid NOT NULL,
    tries int NOT NULL DEFAULT 0,
    next_at timestamptz NOT NULL DEFAULT now(),
    created_at timestamptz NOT NULL DEFAULT now(),
    PRIMARY KEY (tenant, run)
);
CREATE INDEX trace_exports_due ON qd.trace_exports (next_at);

ALTER TABLE qd.trace_exports ENABLE ROW LEVEL SECURITY;
ALTER TABLE qd.trace_exports FORCE ROW LEVEL SECURITY;
CREATE POLICY own_tenant ON qd.trace_exports TO qd_app
    USING (tenant = nullif(current_setting('qd.tenant', true), '')::uuid)
    WITH CHECK (tenant = nullif(current_setting('qd.tenant', true), '')::uuid);
CREATE POLICY every_tenant ON qd.trace_exports TO qd_system USING (true) WITH CHECK (true);
GRANT SELECT, INSERT, UPDATE ON qd.trace_exports TO qd_app;
GRANT SELECT, INSERT, UPDATE, DELETE ON qd.trace_exports TO qd_system;
