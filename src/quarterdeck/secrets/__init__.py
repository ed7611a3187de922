"""Secrets of tools and providers: sealed, resolved at the call, given to nobody else, taken out of every text."""
