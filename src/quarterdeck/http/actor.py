"""Who asks. Routes see an `Actor` and nothing of keys, cookies and tokens; how one is found out is an `Authenticator`'s
affair, which `serve` puts on the application.
"""

from typing import Annotated, Protocol, cast

from fastapi import Depends, Request

from quarterdeck.core.errors import Unauthenticated
from quarterdeck.http.context import context_of
from quarterdeck.http.credentials import Credentials, credentials_of
from quarterdeck.http.records import READERS, Actor, Role, TenantRequired

__all__ = ["READERS", "Actor", "ActorDep", "AnyActorDep", "Authenticator", "Role", "TenantRequired"]


class Authenticator(Protocol):
    """Finds the actor behind credentials."""

    async def authenticate(self, credentials: Credentials) -> Actor:
        """The actor. Raises Unauthenticated, Forbidden (a header claims what the key may not) or NotFound (tenant)."""
        ...


async def find_actor(request: Request) -> Actor:
    """The actor behind a request, narrow tokens included: the route must ask `covers`."""
    authenticator = cast("Authenticator", request.app.state.authenticator)
    actor = await authenticator.authenticate(credentials_of(request))
    context = context_of(request.scope)
    context.key, context.tenant = actor.key_id, actor.tenant_slug
    # A narrow token is made to be used in other people's pages.
    context.shared = bool(actor.only)
    return actor


async def find_full_actor(request: Request) -> Actor:
    """The actor behind a request. Raises Unauthenticated for a narrow token: it is for reading one thing."""
    actor = await find_actor(request)
    if actor.only:
        raise Unauthenticated("This token is for one thing only and not for this.")
    return actor


ActorDep = Annotated[Actor, Depends(find_full_actor)]
"""What routes ask for."""

AnyActorDep = Annotated[Actor, Depends(find_actor)]
"""For the few routes that a narrow token may read: they ask `actor.covers(...)`."""
