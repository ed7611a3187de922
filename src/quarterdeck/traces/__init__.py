"""What happened in a run, for people and for collectors: spans, one sentence, facts; all projections of its log."""
