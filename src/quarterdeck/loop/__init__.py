"""The durable agent loop: turn, calls, turn; every step decided by a pure rule and committed to the log."""
