"""The process that executes runs: stateless, drained on SIGTERM, replaced by any other when it dies."""
