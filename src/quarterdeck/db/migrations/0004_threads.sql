-- Who made a thread: a caller without end users of its own sees what it made.
ALTER TABLE qd.threads ADD COLUMN created_by text NOT NULL DEFAULT '';
CREATE INDEX threads_of_agent ON qd.threads (tenant, agent, id);

-- The runs of a thread that have not ended: few, however long the thread. Admission holds a run back while an earlier
-- one of its thread is among them. The status is indexed elsewhere already, so no update stops being HOT by this.
CREATE INDEX runs_open_in_thread ON qd.runs (tenant, thread, thread_position)
    WHERE thread IS NOT NULL AND status NOT IN ('succeeded', 'failed', 'stopped', 'cancelled');
