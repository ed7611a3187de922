"""Payloads too big for a row: stored once a tenant, sealed, readable only through a run or release that needs them."""
