"""Quarterdeck: a production runtime and control plane for AI agents, on one PostgreSQL."""

__version__ = "0.1.0"
