"""Long conversations through a real worker: shown in short, read again, taken over, handed on in a thread."""

import asyncio
from collections.abc import AsyncIterator
from dataclasses import dataclass, field, replace
from types import SimpleNamespace
from typing import cast

import pytest

from quarterdeck.context.view import words_of
from quarterdeck.core.ids import ReleaseId, RunId, TenantId, new_thread_id
from quarterdeck.core.settings import Settings
from quarterdeck.db.pool import Database
from quarterdeck.db.urls import urls_of
from quarterdeck.db.wakes import Wakes
from quarterdeck.loop.attempt import Attempt
from quarterdeck.loop.talk import Talk
from quarterdeck.releases.records import ContextPolicy, ModelPin, Release, Route
from quarterdeck.runs import events as e
from quarterdeck.runs.fold import NEW, RunState, apply
from quarterdeck.runs.messages import Text, ToolMessage
from quarterdeck.runs.records import Status
from quarterdeck.tools.records import Answered, ToolRequest
from tests.db.worker.station import Station, make_tenant
from tests.fakes.toolbox import answered

POLICY = ContextPolicy(max_tokens=3_000, keep_turns=2, results_over=500)
SUMMARY = Route("notes", ModelPin("help", "h-1"), purposes=("summary",))
LOOK = {"call": "look", "arguments": {"n": "{n}"}, "usage": {"output": 10}}
"""Its provider counts no input: a token is as long as is usual then."""
NOTES = {"steps": [{"text": "never"}], "beside": {"summary": {"text": "Pages 1 to n were read."}}}


@dataclass
class Reading(Station):
    """A station whose agent reads much and is shown little of it."""

    context: ContextPolicy = field(default_factory=lambda: POLICY)
    routes: tuple[Route, ...] = (SUMMARY,)

    async def _find(self, tenant: TenantId, wanted: ReleaseId) -> Release:
        found = await super()._find(tenant, wanted)
        return replace(found, context=self.context, routes=self.routes)

    async def release(self) -> Release:
        return await self._find(self.tenant, ReleaseId("cd" * 32))


@pytest.fixture
async def reading(database: Database, settings: Settings) -> AsyncIterator[Reading]:
    urls = urls_of(settings)
    wakes = Wakes(urls.listen)
    await wakes.start()
    made = Reading(database, settings, urls, await make_tenant(database), wakes)

    async def look(request: ToolRequest, cancel: asyncio.Event | None) -> Answered:
        del cancel
        return answered(f"page {request.arguments.get('n')}: " + "word " * 300)

    made.tools.tools["look"] = look
    yield made
    await wakes.close()


def of(events: list[e.Event], kind: type[e.Event]) -> list[e.Event]:
    return [event for event in events if isinstance(event, kind)]


async def digests(reading: Reading, run: RunId) -> list[tuple[str, str]]:
    """Of each question that was asked: its digest in the log, and what a worker that took over just then would ask."""
    found: list[tuple[str, str]] = []
    state, release = NEW, await reading.release()
    for row in await reading.rows(run):
        event = e.read(row.kind, row.v, row.data)
        if isinstance(event, e.ModelCalled) and not event.purpose:
            found.append((event.prompt, await _digest(reading, run, release, state)))
        state = apply(state, event, row.attempt, row.at)
    return found


async def _digest(reading: Reading, run: RunId, release: Release, state: RunState) -> str:
    whole = await reading.runs.get(reading.tenant, run)
    around = SimpleNamespace(db=reading.database, read_blobs=None)
    attempt = SimpleNamespace(recorder=SimpleNamespace(state=state), release=release, run=whole, around=around)
    return (await Talk(cast("Attempt", attempt)).conversation()).digest()


async def test_old_results_become_references_and_what_is_older_a_summary(reading: Reading) -> None:
    run = await reading.submit()
    async with reading.worker({"steps": [{**LOOK, "times": 25}, {"text": "done"}]}, helper=NOTES):
        assert (await reading.until(run)).status is Status.SUCCEEDED
    events = await reading.events(run)
    shortened = [event for event in events if isinstance(event, e.ContextShortened)]
    assert 2 <= len(shortened) <= 12
    assert shortened[0].summary is None
    assert shortened[-1].messages_upto > 0
    asides = [event for event in of(events, e.ModelCalled) if isinstance(event, e.ModelCalled) and event.purpose]
    assert {(event.purpose, event.model) for event in asides} == {("summary", "h-1")}
    assert shortened[-1].summary is not None
    assert words_of(shortened[-1].summary).endswith("Pages 1 to n were read.")
    assert all(event.tokens_after < event.tokens_before for event in shortened)


async def test_every_question_can_be_asked_again_to_the_byte_from_the_log_alone(reading: Reading) -> None:
    run = await reading.submit()
    async with reading.worker({"steps": [{**LOOK, "times": 25}, {"text": "done"}]}):
        await reading.until(run)
    found = await digests(reading, run)
    assert len(found) == 26
    assert all(logged == again for logged, again in found)


async def test_a_worker_that_takes_over_in_the_middle_goes_on_in_the_same_words(reading: Reading) -> None:
    run = await reading.submit()
    script = {"steps": [{**LOOK, "times": 20}, {"text": "done"}]}
    async with reading.worker(script, latency_ms=15, grace=0.0):
        async with asyncio.timeout(20):
            while "context.shortened" not in await reading.kinds(run):
                await asyncio.sleep(0.01)
    async with reading.worker(script):
        ended = await reading.until(run)
    assert ended.status is Status.SUCCEEDED
    assert ended.attempt == 2
    assert all(logged == again for logged, again in await digests(reading, run))


async def test_where_no_summary_can_be_had_the_run_goes_on_with_the_beginnings(reading: Reading) -> None:
    run = await reading.submit()
    async with reading.worker({"steps": [{**LOOK, "times": 25}, {"text": "done"}]}):
        assert (await reading.until(run)).status is Status.SUCCEEDED
    summaries = [event.summary for event in await reading.events(run) if isinstance(event, e.ContextShortened)]
    assert any(one is not None and "The beginnings of what was said" in words_of(one) for one in summaries)


async def test_a_result_is_read_again_through_the_gate(reading: Reading) -> None:
    again = {"call": "read_result", "arguments": {"ref": "r2"}}
    run = await reading.submit()
    async with reading.worker({"steps": [{**LOOK, "times": 12}, again, {"text": "done"}]}):
        assert (await reading.until(run)).status is Status.SUCCEEDED
    events = await reading.events(run)
    called = next(event for event in events if isinstance(event, e.ToolCalled) and event.tool == "read_result")
    answer = next(event for event in events if isinstance(event, e.ToolAnswered) and event.call == called.call)
    assert called.decision.verdict == "allow"
    assert called.decision.checks == ("switch", "schema", "limits", "kept")
    assert called.effect == "read"
    assert isinstance(answer.content[0], Text)
    assert answer.content[0].text.startswith("page 1: word word")
    assert answer.label is not None
    assert answer.label.source == "tool:look"
    assert reading.tools.calls_of("read_result") == 0


async def test_what_was_never_kept_is_refused_in_words_for_the_model(reading: Reading) -> None:
    wrong = [{"call": "read_result", "arguments": arguments} for arguments in ({"ref": "r99"}, {"reference": "r2"})]
    run = await reading.submit()
    async with reading.worker({"steps": [*wrong, {"text": "done"}]}):
        assert (await reading.until(run)).status is Status.SUCCEEDED
    denied = [event for event in await reading.events(run) if isinstance(event, e.ToolDenied)]
    assert [event.decision.rule for event in denied] == ["kept", "schema"]
    assert "r99" in words_of(ToolMessage("", "", denied[0].content))


async def test_an_agent_whose_conversation_is_never_shown_in_short_is_offered_no_reading(reading: Reading) -> None:
    reading.context = ContextPolicy()
    run = await reading.submit()
    async with reading.worker({"steps": [{"call": "read_result", "arguments": {"ref": "r0"}}, {"text": "done"}]}):
        await reading.until(run)
    [denied] = [event for event in await reading.events(run) if isinstance(event, e.ToolDenied)]
    assert denied.decision.rule == "known"


async def test_the_next_run_of_a_thread_begins_with_what_the_last_one_was_shown(reading: Reading) -> None:
    thread = new_thread_id()
    script = {"steps": [{**LOOK, "times": 25}, {"text": "done"}]}
    async with reading.worker(script, helper=NOTES):
        first = await reading.submit(thread=thread, position=1)
        await reading.until(first)
    async with reading.worker({"steps": [{"text": "again"}]}):
        second = await reading.submit("and now?", thread=thread, position=2)
        await reading.until(second)
    before = [event for event in await reading.events(first) if isinstance(event, e.ContextShortened)]
    asked = [event for event in await reading.events(second) if isinstance(event, e.ModelCalled)]
    assert before[-1].messages_upto > 0
    assert [event.purpose for event in asked] == [""]
    assert asked[0].messages < 20  # of more than fifty
    assert "context.shortened" not in await reading.kinds(second)
    assert all(logged == again for logged, again in await digests(reading, second))


async def test_a_thread_of_long_runs_is_shown_the_same_bytes_by_whoever_takes_over(reading: Reading) -> None:
    thread, runs = new_thread_id(), list[RunId]()
    async with reading.worker({"steps": [{**LOOK, "times": 15}, {"text": "done"}]}, helper=NOTES):
        for position in (1, 2, 3):
            runs.append(await reading.submit(f"request {position}", thread=thread, position=position))
            assert (await reading.until(runs[-1])).status is Status.SUCCEEDED
    upto: list[int] = []
    for run in runs:
        marks = [one.messages_upto for one in await reading.events(run) if isinstance(one, e.ContextShortened)]
        assert marks
        upto += marks
        assert all(logged == again for logged, again in await digests(reading, run))
    assert upto == sorted(upto)


@pytest.mark.parametrize(
    "policy", [ContextPolicy(), ContextPolicy(max_tokens=100_000)], ids=["no policy", "a wide one"]
)
async def test_a_conversation_that_no_model_takes_is_shown_in_short_and_asked_again(
    reading: Reading, policy: ContextPolicy
) -> None:
    reading.context = policy
    run = await reading.submit()
    async with reading.worker({"steps": [{**LOOK, "times": 8}, {"fault": "too_long"}, {"text": "done"}]}):
        assert (await reading.until(run)).status is Status.SUCCEEDED
    kinds = [kind for kind in await reading.kinds(run) if kind.startswith(("model.", "context."))]
    assert kinds[-5:] == ["model.called", "model.failed", "context.shortened", "model.called", "model.answered"]


async def test_one_that_is_too_long_and_can_not_be_shown_in_short_fails_with_the_reason(reading: Reading) -> None:
    run = await reading.submit()
    async with reading.worker({"steps": [{"fault": "too_long"}, {"fault": "too_long"}]}):
        ended = await reading.until(run)
    assert ended.status is Status.FAILED
    assert ended.error_code == "model.too_long"
