"""What was decided and done, by whom and with whose approval: rows that can't be changed without being found out."""
