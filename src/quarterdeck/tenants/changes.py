"""A key revoked in one process is refused by all as soon as the word gets there, and at last when their caches age."""

import msgspec

from quarterdeck.core import log as logs
from quarterdeck.db.wakes import Heard, Wakes
from quarterdeck.tenants.authenticator import KeyAuthenticator
from quarterdeck.tenants.records import Change, Part

CHANNEL = "qd_keys"
"""A key, session or tenant changed: items are `[part, id]`."""

_log = logs.get("quarterdeck.tenants")


def spread(authenticator: KeyAuthenticator, wakes: Wakes) -> None:
    """Tell other processes what changed here, and hear what changed there."""

    def tell(change: Change) -> None:
        wakes.send(CHANNEL, [change.part, change.id])

    def hear(heard: Heard) -> None:
        if heard.reconnected:
            authenticator.forget()
        for item in heard.items:
            try:
                authenticator.heard(Change(*msgspec.convert(item, tuple[Part, str])))
            except (msgspec.ValidationError, ValueError):
                _log.warning("tenants.unknown_wake", item=str(item))

    authenticator.tell = tell
    wakes.listen(CHANNEL, hear)
