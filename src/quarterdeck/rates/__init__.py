"""How often and how many at once: limits on tool calls that all workers share, and circuits for tools that fail."""
