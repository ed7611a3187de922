"""What every model call used and cost, and the reports over it: who spent it, on what, and what was saved."""
