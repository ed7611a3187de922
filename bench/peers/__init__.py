"""Peers that benches measure us against. Each runs in an environment of its own, made on first use."""
