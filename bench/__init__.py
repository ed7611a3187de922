"""Benches: the product as it ships, measured beside its peers and its physical limits. `python -m bench --help`."""
