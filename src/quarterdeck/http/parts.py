"""What routes find on the application: the parts of the process that `serve` puts together before the first request."""

import asyncio
from dataclasses import dataclass
from typing import Annotated, cast

from fastapi import Depends, FastAPI, Request

from quarterdeck.core.clock import Clock
from quarterdeck.core.settings import Settings
from quarterdeck.db.pool import Database
from quarterdeck.db.wakes import Wakes
from quarterdeck.http.actor import Authenticator


@dataclass(frozen=True, slots=True)
class Parts:
    """What every package's routes may need. What one package alone needs stands on `app.state` under its name.

    `closing` is set when the process was told to end: whoever holds an answer back then gives it at once.
    """

    settings: Settings
    database: Database
    clock: Clock
    wakes: Wakes
    closing: asyncio.Event


def join(app: FastAPI, parts: Parts, authenticator: Authenticator) -> None:
    """Put the parts where routes look for them."""
    app.state.parts = parts
    app.state.authenticator = authenticator
    app.state.public_url = parts.settings.public_url


async def parts_of(request: Request) -> Parts:
    """The parts of the application that a request came to."""
    return cast("Parts", request.app.state.parts)


PartsDep = Annotated[Parts, Depends(parts_of)]
"""What routes ask for: `parts: PartsDep`."""
