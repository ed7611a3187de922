"""How fast providers are asked: limits that all workers share, learned from what providers say and refuse."""
