"""Marks that several test modules use."""

import os

import pytest

on_every_postgres = pytest.mark.parametrize("postgres", ["embedded", "system"], indirect=True)
"""Run once on the embedded PostgreSQL and once on another, where there is one."""

as_root = pytest.mark.skipif(os.geteuid() != 0, reason="changes to other users, which only root may")
"""Skipped where tests don't run as root."""
