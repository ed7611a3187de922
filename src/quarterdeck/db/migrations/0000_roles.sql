-- Roles, schemas and the list of migrations. Runs first at every `migrate`, as the user who connects and not as
-- qd_owner, so each part can be repeated. Passwords are set by the runner, as SCRAM verifiers, never in clear.

DO $$
BEGIN
    IF NOT EXISTS (SELECT FROM pg_roles WHERE rolname = 'qd_owner') THEN
        CREATE ROLE qd_owner NOLOGIN NOSUPERUSER NOCREATEDB NOCREATEROLE;
    END IF;
    IF NOT EXISTS (SELECT FROM pg_roles WHERE rolname = 'qd_app') THEN
        CREATE ROLE qd_app LOGIN NOSUPERUSER NOCREATEDB NOCREATEROLE;
    END IF;
    IF NOT EXISTS (SELECT FROM pg_roles WHERE rolname = 'qd_system') THEN
        CREATE ROLE qd_system LOGIN NOSUPERUSER NOCREATEDB NOCREATEROLE;
    END IF;
END $$;

-- Everything belongs to qd_owner, so whoever migrates must be able to become it. From PostgreSQL 16 on, the creator
-- of a role may grant it but is not yet a member who can.
DO $$
BEGIN
    SET LOCAL ROLE qd_owner;
    RESET ROLE;
EXCEPTION WHEN insufficient_privilege THEN
    GRANT qd_owner TO CURRENT_USER;
END $$;

-- A process that stops in the middle of a transaction holds row locks: the server ends it before its lease is missed.
-- Kept with the roles, because PgBouncer refuses most settings at connecting. Keepalives find machines that are gone.
DO $$
DECLARE role text;
BEGIN
    FOREACH role IN ARRAY ARRAY['qd_app', 'qd_system'] LOOP
        EXECUTE format('ALTER ROLE %I SET idle_in_transaction_session_timeout = %L', role, '5s');
        EXECUTE format('ALTER ROLE %I SET lock_timeout = %L', role, '10s');
        EXECUTE format('ALTER ROLE %I SET tcp_keepalives_idle = 10', role);
        EXECUTE format('ALTER ROLE %I SET tcp_keepalives_interval = 5', role);
        EXECUTE format('ALTER ROLE %I SET tcp_keepalives_count = 3', role);
        EXECUTE format('ALTER ROLE %I SET timezone = %L', role, 'UTC');
    END LOOP;
    ALTER ROLE qd_app SET statement_timeout = '30s';
    ALTER ROLE qd_system SET statement_timeout = '120s';
EXCEPTION WHEN insufficient_privilege THEN
    RAISE WARNING 'the time limits of qd_app and qd_system are left to whoever owns these roles: see docs';
END $$;

CREATE SCHEMA IF NOT EXISTS qd AUTHORIZATION qd_owner;
CREATE SCHEMA IF NOT EXISTS qd_engine AUTHORIZATION qd_owner;

SET LOCAL ROLE qd_owner;

GRANT USAGE ON SCHEMA qd TO qd_app, qd_system;
-- Deliveries name runs of every tenant: only the side that may see them all gets at the queue.
GRANT USAGE ON SCHEMA qd_engine TO qd_system;
ALTER DEFAULT PRIVILEGES IN SCHEMA qd_engine GRANT SELECT, INSERT, UPDATE, DELETE ON TABLES TO qd_system;
ALTER DEFAULT PRIVILEGES IN SCHEMA qd_engine GRANT USAGE, SELECT ON SEQUENCES TO qd_system;

CREATE TABLE IF NOT EXISTS qd.schema_migrations (
    version int PRIMARY KEY,
    name text NOT NULL,
    sha256 text NOT NULL,
    oldest_code int NOT NULL DEFAULT 0,         -- code that knows no migration as new as this one must not run here
    applied_at timestamptz NOT NULL DEFAULT now()
);
GRANT SELECT ON qd.schema_migrations TO qd_app, qd_system;
