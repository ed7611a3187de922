"""An attempt at a run without database or worker: its log in memory, its tools at a gate, one release."""

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from types import SimpleNamespace
from typing import Any, cast

from quarterdeck.core.clock import FakeClock
from quarterdeck.core.ids import new_run_id
from quarterdeck.loop.attempt import Attempt
from quarterdeck.releases.records import ContextPolicy, Release, ToolGrant
from quarterdeck.runs import events as e
from quarterdeck.runs.fold import NEW, RunState, apply
from quarterdeck.runs.messages import Call, Label, Message, Spoken, Text, Usage
from tests.fakes.standing import a_tool_gate
from tests.fakes.toolbox import Bench
from tests.toolbox import TENANT, Kept, a_release

START = datetime(2026, 1, 1, tzinfo=UTC)
ALLOW = e.Decision("allow", "default")


@dataclass
class Log:
    """What a `Recorder` is to a turn, durable part aside: the state follows each event at once."""

    events: list[e.Event] = field(default_factory=list)
    state: RunState = NEW

    def emit(self, *events: e.Event) -> None:
        for event in events:
            self.events.append(event)
            self.state = apply(self.state, event, 1, START + timedelta(seconds=len(self.events)))


class Life:
    """A run that a test writes the log of. `attempt` gives what a worker that claims it now would have."""

    def __init__(
        self,
        *said: Message,
        policy: ContextPolicy,
        grants: Sequence[ToolGrant] = (),
        narrowed: Any = None,
        prompt: str = "You are careful.",
    ) -> None:
        self.log = Log()
        self.release: Release = replace(a_release(*grants), context=policy, prompt=prompt)
        self._step = 0
        self._gate = a_tool_gate(Bench(), Kept().put, FakeClock(START))
        self.log.emit(
            e.RunAdmitted(agent="desk", release=self.release.id, user="erika", input=said, narrowed=narrowed),
            e.RunClaimed(worker="w", host="h", version="1", behaviour=3),
        )

    def attempt(self) -> Attempt:
        run = SimpleNamespace(tenant=TENANT, id=new_run_id(), thread=None, thread_position=None)
        around = SimpleNamespace(tools=self._gate, read_blobs=_no_blobs)
        return cast("Attempt", SimpleNamespace(recorder=self.log, release=self.release, run=run, around=around))

    def answer(self, *content: Spoken, tokens: int = 0) -> None:
        self._step += 1
        call, usage = f"m{self._step}", Usage(tokens, 10)
        self.log.emit(
            e.ModelCalled(step=self._step, call=call, provider="p", model="m", decision=ALLOW),
            e.ModelAnswered(step=self._step, call=call, content=content, finish="stop", served_model="m", usage=usage),
        )

    def call(self, tool: str, result: str, label: Label | None, arguments: Any = None, tokens: int = 0) -> None:
        """A turn of one call and its answer."""
        asked = Call(f"c{self._step + 1}", tool, arguments or {})
        self.answer(asked, tokens=tokens)
        self.log.emit(
            e.ToolCalled(
                step=self._step, call=asked.id, tool=tool, arguments={}, effect="read", repeat="safe", decision=ALLOW
            ),
            e.ToolAnswered(call=asked.id, content=(Text(result),), label=label),
        )


async def _no_blobs(*_: object) -> dict[str, str]:
    return {}
