"""What users write: agents, tools and, later, policies, budgets, suites and rollouts, as files in a folder."""
