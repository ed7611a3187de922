"""What every `routes` module shares: who asks, problems, pages, idempotency, and the border around them all."""
