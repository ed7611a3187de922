-- Monthly partitions of the log. A partition's bounds are the smallest UUIDv7 of a month: the run's own id says where
-- its events go. qd_system calls this; the rights are qd_owner's.

CREATE FUNCTION qd.smallest_uuid7(at timestamptz) RETURNS uuid LANGUAGE sql IMMUTABLE PARALLEL SAFE AS $$
    SELECT (lpad(to_hex((extract(epoch FROM at) * 1000)::bigint), 12, '0') || '70008000000000000000')::uuid
$$;

-- Makes the partitions of this month and of so many after it, and answers the names of those that are new. A month whose
-- rows already lie in the default partition is left there, with a warning. Attaching holds up nobody who appends to a
-- month; for the lock on the default partition it waits briefly, and the next call tries again.
CREATE FUNCTION qd.make_partitions(months_ahead int) RETURNS SETOF text LANGUAGE plpgsql SECURITY DEFINER
SET search_path = pg_catalog, pg_temp SET timezone = 'UTC' SET lock_timeout = '3s' AS $$
DECLARE
    month timestamptz;
    partition text;
BEGIN
    IF months_ahead NOT BETWEEN 0 AND 120 THEN
        RAISE EXCEPTION 'months_ahead is between 0 and 120' USING ERRCODE = 'invalid_parameter_value';
    END IF;
    PERFORM pg_advisory_xact_lock(hashtext('qd.make_partitions'));
    FOR month IN SELECT date_trunc('month', now()) + make_interval(months => n) FROM generate_series(0, months_ahead) n LOOP
        partition := 'run_events_' || to_char(month, 'YYYY_MM');
        CONTINUE WHEN to_regclass('qd.' || partition) IS NOT NULL;
        BEGIN
            EXECUTE format('CREATE TABLE qd.%I (LIKE qd.run_events INCLUDING ALL)', partition);
            -- Rows are read through the parent, whose policies decide; read directly, a partition shows nothing.
            EXECUTE format('ALTER TABLE qd.%I ENABLE ROW LEVEL SECURITY', partition);
            EXECUTE format('ALTER TABLE qd.%I FORCE ROW LEVEL SECURITY', partition);
            EXECUTE format('ALTER TABLE qd.run_events ATTACH PARTITION qd.%I FOR VALUES FROM (%L) TO (%L)', partition,
                qd.smallest_uuid7(month), qd.smallest_uuid7(month + interval '1 month'));
        EXCEPTION WHEN check_violation THEN
            RAISE WARNING 'rows of % lie in the default partition', partition;
            CONTINUE;
        END;
        RETURN NEXT partition;
    END LOOP;
END $$;

REVOKE ALL ON FUNCTION qd.make_partitions(int) FROM PUBLIC;
GRANT EXECUTE ON FUNCTION qd.make_partitions(int) TO qd_system;

SELECT qd.make_partitions(3);
