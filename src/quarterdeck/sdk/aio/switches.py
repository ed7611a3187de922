"""Switches: what is stopped or narrowed now, and the levers."""

from datetime import datetime

from quarterdeck.core.json import Json
from quarterdeck.sdk import calls
from quarterdeck.sdk.aio.listing import AsyncListing
from quarterdeck.sdk.aio.transport import AsyncTransport
from quarterdeck.sdk.calls import at
from quarterdeck.sdk.records import Page
from quarterdeck.sdk.switches import Reach, Switch


class AsyncSwitches:
    """`client.switches`."""

    def __init__(self, transport: AsyncTransport) -> None:
        self._transport = transport

    async def standing(self) -> list[Switch]:
        """The switches that stand, oldest first."""
        page = await self._transport.send(calls.get(Page[Switch], at("switches")))
        return page.items

    def history(self, *, limit: int | None = None) -> AsyncListing[Switch]:
        """All that were ever thrown, newest first."""
        return AsyncListing(self._transport, Page[Switch], at("switches"), {"all": True}, limit)

    async def get(self, switch_id: str) -> Switch:
        """One switch, whether it stands or was lifted."""
        return await self._transport.send(calls.get(Switch, at("switches", switch_id)))

    async def throw(
        self,
        scope: str,
        target: str = "",
        *,
        action: str,
        why: str,
        agent: str | None = None,
        value: Json = None,
        cancel: bool = False,
        until: datetime | None = None,
        for_s: float | None = None,
    ) -> Switch:
        """Throw a switch; every process of the deployment knows within a second.

        `scope` is tool, server, model, route, agent, tenant or everything. `action` is disable, read_only,
        force_review, lower_autonomy, cap_steps, cap_budget, switch_model, stop_background or pause_new; `value` belongs
        to some. `cancel`: calls under way are cancelled too. It ends at `until`, after `for_s` seconds, or when it is
        lifted.
        """
        wanted = _body(scope, target, action, agent, value, cancel=cancel, until=until, for_s=for_s)
        return await self._transport.send(calls.create(Switch, at("switches"), {**wanted, "why": why}))

    async def preview(
        self, scope: str, target: str = "", *, action: str, agent: str | None = None, value: Json = None
    ) -> Reach:
        """What a switch would hit if it were thrown now."""
        wanted = _body(scope, target, action, agent, value)
        return await self._transport.send(calls.act(Reach, at("switches", "preview"), wanted))

    async def lift(self, switch_id: str, why: str = "") -> Switch:
        """Lift a switch. Runs that wait because of it go on at once."""
        return await self._transport.send(calls.Call(Switch, "DELETE", at("switches", switch_id), body={"why": why}))


def _body(
    scope: str,
    target: str,
    action: str,
    agent: str | None,
    value: Json,
    *,
    cancel: bool = False,
    until: datetime | None = None,
    for_s: float | None = None,
) -> dict[str, object]:
    return {
        "scope": scope,
        "target": target or None,
        "action": action,
        "agent": agent,
        "value": value,
        "in_flight": "cancel" if cancel else None,
        "until": until,
        "for_s": for_s,
    }
