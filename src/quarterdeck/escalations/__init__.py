"""Conversations that agents pass to people: a queue with a summary and an owner."""
