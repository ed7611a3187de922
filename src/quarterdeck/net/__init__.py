"""Outbound HTTP to addresses that others chose: one door out, so that none can be talked into reaching inside."""
