"""Switches for tests, and a strategy that draws any that can stand."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID

from hypothesis import strategies as st

from quarterdeck.core.ids import TenantId, uuid7
from quarterdeck.switches.records import LEVELS, Action, InFlight, Scope, Subject, Switch, SwitchId, Wanted
from quarterdeck.switches.rules import CALLS, FITS

NOW = datetime(2026, 6, 9, 12, tzinfo=UTC)
ACME, OTHER = TenantId(UUID(int=1)), TenantId(UUID(int=2))
TARGETS = {
    Scope.TOOL: ("refund", "look"),
    Scope.SERVER: ("shop", "mail"),
    Scope.MODEL: ("m-1", "m-2", "p/m-1", "p/m-2"),
    Scope.ROUTE: ("cheap",),
    Scope.AGENT: ("desk", "till"),
    Scope.TENANT: ("acme",),
    Scope.EVERYTHING: ("",),
}
CALL = Subject(ACME, "desk", tool="refund", server="shop")
QUESTION = Subject(ACME, "desk", model="m-1", provider="p")
STEP = Subject(ACME, "desk")


def wanted(scope: Scope = Scope.TOOL, action: Action = Action.DISABLE, **more: Any) -> Wanted:
    """What somebody wants to throw: a tool's switch unless said otherwise."""
    tenant = None if scope is Scope.EVERYTHING else ACME
    found = Wanted(scope, action, "because", target=TARGETS[scope][0], tenant=tenant)
    return replace(found, **more)


def switch(scope: Scope = Scope.TOOL, action: Action = Action.DISABLE, **more: Any) -> Switch:
    """A switch that stands."""
    values = {
        Action.CAP_STEPS: 5,
        Action.CAP_BUDGET: 0.5,
        Action.LOWER_AUTONOMY: "ask_always",
        Action.SWITCH_MODEL: {"provider": "p", "id": "m-2"},
    }
    found = Switch(
        id=SwitchId(uuid7()),
        tenant=None if scope is Scope.EVERYTHING else ACME,
        deployment=scope is Scope.EVERYTHING,
        scope=scope,
        target=TARGETS[scope][0],
        agent=None,
        action=action,
        value=values.get(action),
        in_flight=InFlight.FINISH,
        why="because",
        thrown_by="key:k",
        thrown_at=NOW,
    )
    return replace(found, **more)


@st.composite
def switches(draw: st.DrawFn) -> Switch:
    """Any switch that can stand."""
    action = draw(st.sampled_from(list(Action)))
    scope = draw(st.sampled_from(FITS[action]))
    tenants = [None] if scope is Scope.EVERYTHING else [ACME, OTHER]
    tenant = draw(st.sampled_from([*tenants, None] if scope in CALLS else tenants))
    values: dict[Action, st.SearchStrategy[Any]] = {
        Action.CAP_STEPS: st.integers(0, 50),
        Action.CAP_BUDGET: st.sampled_from([0, 0.25, 1, 2.5]),
        Action.LOWER_AUTONOMY: st.sampled_from(LEVELS[:-1]),
        Action.SWITCH_MODEL: st.sampled_from(["m-1", "m-2"]).map(lambda model: {"provider": "p", "id": model}),
    }
    cancels = action in {Action.DISABLE, Action.READ_ONLY} and draw(st.booleans())
    return Switch(
        id=SwitchId(uuid7()),
        tenant=tenant,
        deployment=tenant is None or draw(st.booleans()),
        scope=scope,
        target=draw(st.sampled_from(TARGETS[scope])),
        agent=draw(st.sampled_from([None, "desk", "till"])) if scope in CALLS else None,
        action=action,
        value=draw(values[action]) if action in values else None,
        in_flight=InFlight.CANCEL if cancels else InFlight.FINISH,
        why="because",
        thrown_by="key:k",
        thrown_at=NOW + timedelta(seconds=draw(st.integers(0, 60))),
    )


subjects = st.builds(
    Subject,
    tenant=st.sampled_from([ACME, OTHER]),
    agent=st.sampled_from(["desk", "till"]),
    tool=st.sampled_from([None, "refund", "look"]),
    server=st.sampled_from([None, "shop", "mail"]),
    model=st.sampled_from([None, "m-1", "m-2"]),
    provider=st.sampled_from([None, "p"]),
    route=st.sampled_from([None, "cheap"]),
    background=st.booleans(),
)
