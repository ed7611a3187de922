"""What a secret's name and value must be, where a sealed one belongs, and when a new value is due again."""

import re
from datetime import datetime

from quarterdeck.core.ids import TenantId
from quarterdeck.core.text import is_storable
from quarterdeck.secrets.records import LARGEST, BadSecret, Secret, Wanted, WrappedKey
from quarterdeck.secrets.redaction import SHORTEST

ROTATE_KEY = "rotate-key"
"""What stands at a secret's place in the address that changes data keys."""

_KEPT_NAME = re.compile(r"[A-Za-z][A-Za-z0-9_.-]{0,62}")
_HEADER = re.compile(r"[\x20-\x7e]*")


def check(wanted: Wanted) -> None:
    """Raise BadSecret for what can't be kept. Says what is wrong and never what the value is."""
    if not _KEPT_NAME.fullmatch(wanted.name):
        raise BadSecret("a name begins with a letter and has letters, digits, `_`, `.` and `-`, at most 63")
    if wanted.name == ROTATE_KEY:
        raise BadSecret(f"`{ROTATE_KEY}` is no name for a secret: it has another meaning in the API")
    if wanted.value is None:
        return
    fault = value_fault(wanted.value)
    if fault is not None:
        raise BadSecret(f"the value of `{wanted.name}` can't be kept: {fault}", name=wanted.name)


def value_fault(value: str) -> str | None:
    """Why a value is no secret that can be kept out of texts, as a clause; None when it is."""
    size = len(value.encode("utf-8", "surrogatepass"))
    if not is_storable(value):
        return "it holds a NUL or a lone surrogate"
    if size < SHORTEST:
        return f"it has fewer than {SHORTEST} bytes, too few to be told from other words and taken out of texts"
    if size > LARGEST:
        return f"it has more than {LARGEST:,} bytes"
    return None


def fits_header(text: str) -> bool:
    """Whether a text can be sent as the value of an HTTP header."""
    return _HEADER.fullmatch(text) is not None and text == text.strip()


def place(tenant: TenantId, name: str, version: int) -> bytes:
    """The place that a value is sealed for: it opens as no other tenant's, name's or version's."""
    return f"secret|{tenant}|{name}|{version}".encode()


def key_place(key: WrappedKey) -> bytes:
    """The place that a data key is wrapped for."""
    return f"secret-key|{key.tenant}|{key.id}".encode()


def next_due(present: Secret | None, wanted: Wanted, now: datetime) -> datetime | None:
    """When the next value is due: as wanted; else, with a new value, as long after it as it was after the one before.

    So whoever gives a due date once is reminded after every rotation.
    """
    if wanted.clear_due:
        return None
    if wanted.due_at is not None or present is None or present.due_at is None:
        return wanted.due_at
    if wanted.value is None:
        return present.due_at
    return now + max(present.due_at - present.set_at, present.due_at - present.due_at)


def is_due(secret: Secret, now: datetime) -> bool:
    """Whether a new value is due."""
    return secret.due_at is not None and secret.due_at <= now
