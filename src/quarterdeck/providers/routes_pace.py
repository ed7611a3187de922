"""How fast a provider is asked at the moment, over HTTP: for deployment admins, since all tenants share it."""

from typing import Annotated, Literal

from fastapi import APIRouter, Depends, Path
from pydantic import BaseModel, Field

from quarterdeck.core.json import Json
from quarterdeck.http.actor import ActorDep
from quarterdeck.http.answers import Answer
from quarterdeck.http.parts import PartsDep
from quarterdeck.pacing.view import show, standings
from quarterdeck.providers.service import Providers

router = APIRouter(prefix="/v1/providers", tags=["providers"])


class PaceRate(BaseModel):
    """So many a minute."""

    limit: float | None = Field(description="What goes out at most now; null = as many as there are.")
    most: float | None = Field(description="The limit that an option or the provider names; null = none is named.")
    used: float = Field(description="What went out lately, a minute. Counted only while there is a limit.")
    learned_from: Literal["option", "headers", "refusals"] | None


class PaceView(BaseModel):
    """The pace of one key, or of one model with it."""

    key: str = Field(description="A fingerprint of the key, which can't be turned back into it.")
    model: str | None = Field(description="null = the limits hold for all models together.")
    requests: PaceRate
    tokens: PaceRate
    held_until: str | None = Field(description="The provider wants nobody to ask before.")
    refused_at: str | None = Field(description="When it last refused so that the pace was cut.")
    refusals: int
    waiting: int = Field(description="Runs that wait for their turn.")
    called: int = Field(description="Runs whose turn has come and that have not asked yet.")


class PacePage(BaseModel):
    """The pace of a connection: there are few keys and models, so there is one page."""

    items: list[PaceView]
    next_cursor: str | None


async def _admin(actor: ActorDep) -> None:
    actor.require_admin()


@router.get(
    "/{name}/pace", response_model=PacePage, summary="Read how fast a provider is asked", dependencies=[Depends(_admin)]
)
async def read_pace(name: Annotated[str, Path(max_length=63)], parts: PartsDep) -> Answer:
    """What is known of the provider's limits, and who waits because of them. Empty while it takes all it is asked."""
    await Providers.of(parts.database, parts.settings).get(name)
    items: list[Json] = [show(one) for one in await standings(parts.database, name)]
    return Answer({"items": items, "next_cursor": None})
