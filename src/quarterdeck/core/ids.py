"""Identifiers: typed so that one kind is never passed for another, and time-ordered where lists follow them."""

import os
import secrets
import time
from typing import NewType
from uuid import UUID

TenantId = NewType("TenantId", UUID)
RunId = NewType("RunId", UUID)
ThreadId = NewType("ThreadId", UUID)
WorkerId = NewType("WorkerId", UUID)
KeyId = NewType("KeyId", str)
UserId = NewType("UserId", str)
AgentName = NewType("AgentName", str)
ReleaseId = NewType("ReleaseId", str)
"""SHA-256 of the release's canonical manifest, 64 lower-case hexadecimal digits."""

_RANDOM_BITS = 74


def uuid7(at_ms: int | None = None) -> UUID:
    """A UUIDv7 (RFC 9562): 48 bits of Unix milliseconds, then random bits.

    Ids made in one process in different milliseconds sort in the order they were made.
    """
    milliseconds = time.time_ns() // 1_000_000 if at_ms is None else at_ms
    random = int.from_bytes(os.urandom(10), "big") >> (80 - _RANDOM_BITS)
    value = (milliseconds & (1 << 48) - 1) << 80
    value |= 0x7 << 76 | (random >> 62) << 64
    value |= 0b10 << 62 | (random & (1 << 62) - 1)
    return UUID(int=value)


def uuid7_floor(at_ms: int) -> UUID:
    """The smallest UUIDv7 of a millisecond: a partition's bound, or the start of a time range in a list."""
    return UUID(int=(at_ms & (1 << 48) - 1) << 80 | 0x7 << 76 | 0b10 << 62)


def uuid7_ms(value: UUID) -> int:
    """Unix milliseconds at which a UUIDv7 was made."""
    return value.int >> 80


def new_run_id() -> RunId:
    """A fresh run id; its time decides the log partition that its events go to."""
    return RunId(uuid7())


def new_thread_id() -> ThreadId:
    """A fresh thread id."""
    return ThreadId(uuid7())


def new_worker_id() -> WorkerId:
    """A fresh worker id, one per worker process."""
    return WorkerId(uuid7())


def token(byte_count: int = 32) -> str:
    """A URL-safe secret with `byte_count` bytes of entropy."""
    return secrets.token_urlsafe(byte_count)
