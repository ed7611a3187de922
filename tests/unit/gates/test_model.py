"""The model gate: who may ask, when it asks again, and what it never does."""

import asyncio
import time
from collections.abc import Callable, Sequence
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

import pytest

from quarterdeck.core.ids import TenantId, uuid7
from quarterdeck.gates import asking as asking_module
from quarterdeck.gates import model as gate_module
from quarterdeck.gates.model import CHECKS, ModelFacts, ModelGate
from quarterdeck.gates.records import Verdict
from quarterdeck.models.records import Fault, ModelFault
from quarterdeck.models.scripted import Scripted, say
from quarterdeck.models.service import Models
from quarterdeck.providers.records import Connection, Kind
from quarterdeck.releases.records import Limits, ModelPin
from quarterdeck.runs.messages import Text
from tests.fakes.asking import TENANT, asked, connection, release
from tests.fakes.standing import Calm


class Kept:
    """Connections without a database."""

    def __init__(self, *connections: Connection) -> None:
        self.connections: Sequence[Connection] = connections
        self.looks = 0

    async def all(self) -> Sequence[Connection]:
        self.looks += 1
        return self.connections

    def open_key(self, connection: Connection) -> str:
        return ""


async def no_files(_: object) -> dict[str, bytes]:
    return {}


@pytest.fixture
async def opened():
    """`await opened(connection, ...)` gives a gate over these connections; all are closed at the end."""
    started: list[Models] = []

    async def open_gate(*connections: Connection) -> tuple[ModelGate, Kept]:
        kept = Kept(*connections)
        models = Models(kept, no_files)
        await models.start()
        started.append(models)
        return ModelGate(models, Calm()), kept

    yield open_gate
    for models in started:
        await models.close()


def scripted(**changes: Any) -> Connection:
    return connection(Kind.SCRIPTED, **changes)


def script(*steps: dict[str, Any]) -> Connection:
    return scripted(options={"script": {"steps": list(steps)}})


async def judge(gate: ModelGate, used: ModelFacts | None = None, limits: Limits | None = None, **request: Any):
    return await gate.decide(asked(**request), release(limits), used or ModelFacts())


def test_the_order_of_the_checks_is_the_contract():
    assert [check.__name__ for check in CHECKS] == ["switch", "connection", "pin", "limits", "price"]


async def test_a_pinned_model_on_an_open_connection_within_limits_is_allowed(opened: Callable[..., Any]):
    gate, _ = await opened(scripted())
    decision = await judge(gate)
    assert (decision.verdict, decision.rule) == (Verdict.ALLOW, "default")
    assert decision.checks == ("switch", "connection", "pin", "limits", "price")


@pytest.mark.parametrize(
    ("made", "pin", "rule", "says"),
    [
        (scripted(), {"provider": "nope"}, "connection.unknown", "no provider connection `nope`"),
        (scripted(tenants=frozenset({TenantId(uuid7())})), {}, "connection.closed", "not open to this agent"),
        (scripted(agents=frozenset({"other"})), {}, "connection.closed", "not open to this agent"),
        (connection(Kind.OPENAI), {"model": "gpt-4"}, "pin", "floating alias: pin one of gpt-4"),
        (connection(Kind.ANTHROPIC), {"model": "claude-sonnet"}, "pin", "claude-sonnet-4-5-20250929"),
        (scripted(), {"model": "claude-3-opus-latest"}, "pin", "claude-3-opus-20240229"),
        (scripted(), {"extra": {"openai_store": True}}, "pin.settings", "openai_store"),
        (scripted(), {"extra": {"seed": 1, "extra_headers": {}}}, "pin.settings", "extra_headers"),
    ],
)
async def test_what_may_not_be_asked_is_denied_with_the_rule(
    opened: Callable[..., Any], made: Connection, pin: dict[str, Any], rule: str, says: str
):
    gate, _ = await opened(made)
    decision = await judge(gate, **pin)
    assert (decision.verdict, decision.rule) == (Verdict.DENY, rule)
    assert says in decision.reason


async def test_tenants_and_agents_on_the_list_may_ask(opened: Callable[..., Any]):
    gate, _ = await opened(scripted(tenants=frozenset({TENANT}), agents=frozenset({"desk"})))
    assert (await judge(gate)).verdict == Verdict.ALLOW


@pytest.mark.parametrize(
    ("used", "rule"),
    [
        (ModelFacts(steps=5), "limits.steps"),
        (ModelFacts(tokens=100), "limits.tokens"),
        (ModelFacts(seconds=9.0), "limits.time"),
    ],
)
async def test_a_run_that_has_used_up_its_limits_is_denied(opened: Callable[..., Any], used: ModelFacts, rule: str):
    gate, _ = await opened(scripted())
    limits = Limits(max_steps=5, max_tokens=100, max_seconds=9.0)
    assert (await judge(gate, used, limits)).rule == rule
    before = ModelFacts(max(0, used.steps - 1), max(0, used.tokens - 1), max(0.0, used.seconds - 1))
    assert (await judge(gate, before, limits)).verdict == Verdict.ALLOW


async def test_a_check_that_breaks_is_a_denial_that_names_it(
    opened: Callable[..., Any], monkeypatch: pytest.MonkeyPatch
):
    def breaks(*_: object) -> object:
        raise ZeroDivisionError

    monkeypatch.setattr(gate_module, "_refusal", breaks)
    gate, _ = await opened(scripted())
    decision = await judge(gate)
    assert (decision.verdict, decision.rule) == (Verdict.DENY, "pin")
    assert "ZeroDivisionError" in decision.reason


async def test_a_connection_made_a_moment_ago_is_found(opened: Callable[..., Any]):
    gate, kept = await opened()
    assert (await judge(gate)).rule == "connection.unknown"
    kept.connections = [scripted()]
    await asyncio.sleep(0.11)
    assert (await judge(gate)).verdict == Verdict.ALLOW


async def test_unknown_names_do_not_hammer_the_database(opened: Callable[..., Any]):
    gate, kept = await opened()
    await asyncio.gather(*(judge(gate) for _ in range(50)))
    assert kept.looks <= 4


async def test_a_passing_fault_is_tried_again_and_told(opened: Callable[..., Any], monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(asking_module, "_BACKOFF", 0.001)
    gate, _ = await opened(script({"fault": "server_error", "times": 2}, {"text": "at last"}))
    told: list[tuple[str, int, bool]] = []

    async def on_fault(fault: ModelFault, tries: int, again_in: float | None, ms: int) -> None:
        told.append((fault.fault, tries, again_in is not None))
        assert ms >= 0

    answer = await gate.answer(asked(), None, on_fault)
    assert answer.content == (Text("at last"),)
    assert told == [("server_error", 1, True), ("server_error", 2, True)]


async def test_the_last_fault_is_raised_after_all_tries(opened: Callable[..., Any], monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(asking_module, "_BACKOFF", 0.001)
    gate, _ = await opened(script({"fault": "overloaded", "times": 99}))
    told: list[float | None] = []

    async def on_fault(_fault: ModelFault, _tries: int, again_in: float | None, _ms: int) -> None:
        told.append(again_in)

    with pytest.raises(ModelFault) as caught:
        await gate.answer(asked(), None, on_fault)
    assert caught.value.fault == Fault.OVERLOADED
    assert len(told) == asking_module.TRIES
    assert told[-1] is None


@pytest.mark.parametrize("fault", ["unauthenticated", "refused_request", "too_long", "quota", "unknown_model"])
async def test_a_lasting_fault_is_not_tried_again(opened: Callable[..., Any], fault: str):
    gate, _ = await opened(script({"fault": fault}, {"text": "never said"}))
    with pytest.raises(ModelFault) as caught:
        await gate.answer(asked())
    assert caught.value.fault == fault


async def test_retry_after_is_obeyed(opened: Callable[..., Any]):
    gate, _ = await opened(script({"fault": "rate_limited", "retry_after": 0.2}, {"text": "now"}))
    started = time.monotonic()
    await gate.answer(asked())
    assert 0.19 <= time.monotonic() - started < 0.9


async def test_a_retry_that_is_too_far_off_is_the_callers_affair(opened: Callable[..., Any]):
    gate, _ = await opened(script({"fault": "rate_limited", "retry_after": 3600}, {"text": "never said"}))
    with pytest.raises(ModelFault) as caught:
        await gate.answer(asked())
    assert (caught.value.retry_after, caught.value.retryable) == (3600, True)


def test_waiting_grows_and_is_spread_and_stays_within_what_is_left():
    fault = ModelFault("x", code=Fault.SERVER_ERROR, retryable=True)
    waits = [[asking_module._wait(fault, number, 600.0) or 0.0 for _ in range(300)] for number in (1, 2, 3)]
    assert [max(some) <= most for some, most in zip(waits, (1.0, 2.0, 4.0), strict=True)] == [True] * 3
    assert all(max(some) > 0.6 * most for some, most in zip(waits, (1.0, 2.0, 4.0), strict=True))
    assert all(min(some) < 0.3 for some in waits)
    assert asking_module._wait(fault, 4, 600.0) is None
    assert asking_module._wait(fault, 3, 0.0) is None
    slow = ModelFault("x", code=Fault.RATE_LIMITED, retryable=True, retry_after=5.0)
    assert all(5.0 <= (asking_module._wait(slow, 1, 600.0) or 0) <= 6.0 for _ in range(100))


async def test_a_connection_that_was_closed_to_the_tenant_between_tries_is_not_used(
    opened: Callable[..., Any], monkeypatch: pytest.MonkeyPatch
):
    made = script({"fault": "server_error"}, {"text": "never said"})
    gate, kept = await opened(made)

    async def on_fault(_fault: ModelFault, _tries: int, _again_in: float | None, _ms: int) -> None:
        kept.connections = [replace(made, agents=frozenset(), updated_at=datetime.now(UTC))]
        await gate._models._look()

    monkeypatch.setattr(asking_module, "_BACKOFF", 0.001)
    with pytest.raises(ModelFault) as caught:
        await gate.answer(asked(), None, on_fault)
    assert caught.value.fault == Fault.UNCONFIGURED


async def test_cancelling_ends_the_try_under_way(opened: Callable[..., Any]):
    gate, _ = await opened(script({"text": "late", "latency_ms": 60_000}))
    asking = asyncio.create_task(gate.answer(asked()))
    await asyncio.sleep(0.02)
    asking.cancel()
    with pytest.raises(asyncio.CancelledError):
        await asking


@pytest.mark.parametrize(
    ("served", "same"), [("scripted-1", True), ("models/scripted-1", True), ("scripted-2", False), ("", False)]
)
async def test_the_model_that_answered_is_held_against_the_pin(opened: Callable[..., Any], served: str, *, same: bool):
    gate, _ = await opened(script({"text": "x", "served_model": served or "?"}))
    answer = await gate.answer(asked())
    assert gate.same_model(ModelPin("mine", "scripted-1"), served or answer.served_model) is same


async def test_a_changed_connection_gets_a_new_client_and_the_old_one_is_closed_when_idle(opened: Callable[..., Any]):
    made = script({"text": "old", "latency_ms": 1500})
    gate, kept = await opened(made)
    models = gate._models
    under_way = asyncio.create_task(gate.answer(asked()))
    await asyncio.sleep(0.02)
    old = models._open["mine"]
    closed: list[str] = []

    async def close() -> None:
        closed.append("old")

    old.model.close = close
    kept.connections = [replace(script({"text": "new"}), updated_at=datetime.now(UTC))]
    await models._look()
    assert (await gate.answer(asked())).content == (Text("new"),)
    assert closed == []
    assert (await under_way).content == (Text("old"),)
    assert closed == ["old"]


async def test_a_connection_that_can_not_be_opened_says_why(opened: Callable[..., Any]):
    gate, _ = await opened(connection(Kind.RECORDED, options={"folder": "/nonexistent/cassettes"}))
    with pytest.raises(ModelFault) as caught:
        await gate.answer(asked())
    assert caught.value.fault == Fault.UNCONFIGURED
    assert "there is no folder" in caught.value.detail


async def test_the_gate_costs_next_to_nothing_for_a_model_in_the_process(opened: Callable[..., Any]):
    gate, _ = await opened(scripted())
    gate._models._open["mine"] = type(await _open(gate))(Scripted(lambda _: say("x")), scripted().updated_at)
    request, of, used = asked(), release(), ModelFacts()
    started = time.process_time()
    for _ in range(500):
        await gate.decide(request, of, used)
        await gate.answer(request)
    # Measured 10 µs; the bound leaves room for a slow and busy machine.
    assert (time.process_time() - started) / 500 < 60e-6 * 3


async def _open(gate: ModelGate) -> Any:
    await gate.answer(asked())
    return gate._models._open["mine"]
