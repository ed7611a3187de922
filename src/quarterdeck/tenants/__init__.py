"""Tenants, their keys, and the sessions and narrow tokens that are made from keys: who may come in, and as whom."""
