-- Runs that other runs have called as tools: when such a one has ended its parent is told, once.
ALTER TABLE qd.runs ADD COLUMN told_parent_at timestamptz;
CREATE INDEX runs_of_parent ON qd.runs (tenant, parent) WHERE parent IS NOT NULL;
CREATE INDEX runs_to_tell_parents_of ON qd.runs (id) WHERE parent IS NOT NULL AND told_parent_at IS NULL;
