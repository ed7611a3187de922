"""The model's turn: assemble what it is shown, ask through the gate, keep the answer or the fault."""

from collections.abc import Mapping
from dataclasses import dataclass

from quarterdeck.core.text import shorten, storable, storable_json
from quarterdeck.gates.asking import ModelFault
from quarterdeck.gates.model import ModelAnswer, ModelFacts, ModelRequest
from quarterdeck.gates.records import Verdict
from quarterdeck.loop import rules
from quarterdeck.loop.attempt import Attempt
from quarterdeck.loop.deltas import Deltas
from quarterdeck.loop.flights import Flight
from quarterdeck.loop.shortening import Shortening
from quarterdeck.loop.talk import Talk
from quarterdeck.runs.events import Event, ModelAnswered, ModelCalled, ModelDrifted, ModelFailed
from quarterdeck.runs.messages import Call, Spoken, Text


@dataclass(frozen=True, slots=True)
class Denied:
    """The gate did not let the question out. `later`: seconds after which it may, where it is only "not now"."""

    code: str
    why: str
    later: float | None = None


@dataclass(frozen=True, slots=True)
class Unanswered:
    """The provider gave no useful answer, after all the tries that the gate makes."""

    fault: ModelFault


class ModelTurn:
    """Asks the model on behalf of one attempt."""

    def __init__(self, attempt: Attempt, talk: Talk) -> None:
        self._attempt = attempt
        self._talk = talk
        self._shortening = Shortening(attempt, talk)

    async def take(self, step: rules.CallModel) -> Denied | Unanswered | None:
        """Ask once. None: the answer is in the state. Raises Interrupted."""
        attempt, recorder = self._attempt, self._attempt.recorder
        if not step.again:
            _ = await self._shortening.make_room(step.step)
        request, digest = await self._request(step)
        recorder.step = f"asking {request.pin.id} (step {step.step})"
        used, now = recorder.state.usage, attempt.around.clock.now()
        seconds = recorder.state.active_ms_at(now) / 1000
        facts = ModelFacts(step.step - 1, used.input + used.output, seconds, background=attempt.run.priority < 0)
        decision = await attempt.around.models.decide(request, attempt.release, facts)
        if decision.later_ms is not None:
            return Denied("switch", decision.reason, decision.later_ms / 1000)
        called = ModelCalled(
            step=step.step,
            call=request.call,
            provider=request.pin.provider,
            model=request.pin.id,
            decision=decision,
            prompt=digest,
            messages=len(request.messages),
        )
        recorder.emit(called)
        if decision.verdict != Verdict.ALLOW:
            recorder.emit(ModelFailed(step=step.step, call=request.call, code="denied", message=decision.reason))
            return Denied(f"model.{decision.rule}", decision.reason)
        await recorder.flush()
        try:
            self._keep(request, await self._answer(request, again=step.again))
        except ModelFault as fault:
            recorder.emit(_failed(request, fault))
            return Unanswered(fault)
        return None

    async def _answer(self, request: ModelRequest, *, again: bool) -> ModelAnswer:
        attempt, recorder = self._attempt, self._attempt.recorder
        watched, name = attempt.around.watched, attempt.run.id.hex
        deltas: Deltas | None = None
        if watched(name):
            deltas = Deltas(
                attempt.around.wakes, lambda: watched(name), attempt.run.id, request.step, recorder.hold.attempt
            )
            if again:
                deltas.reset()

        async def on_fault(fault: ModelFault, tries: int, again_in: float | None, ms: int) -> None:
            if again_in is not None:  # the last one is written by whoever catches it
                if deltas is not None:
                    deltas.reset()
                recorder.emit(_failed(request, fault, int(again_in * 1000), ms, tries))
                await recorder.flush()

        try:
            answering = attempt.around.models.answer(request, deltas.add if deltas else None, on_fault)
            pin = request.pin
            with attempt.flights.begin(Flight(model=pin.id, provider=pin.provider)) as flight:
                return await attempt.unless_interrupted(answering, flight.cancel)
        finally:
            if deltas is not None:
                deltas.send()

    def _keep(self, request: ModelRequest, answer: ModelAnswer) -> None:
        """The answer into the log, and what was odd about it."""
        recorder = self._attempt.recorder
        recorder.emit(
            ModelAnswered(
                step=request.step,
                call=request.call,
                content=clean(answer.content),
                finish=answer.finish,
                served_model=answer.served_model,
                usage=answer.usage,
                cost=answer.cost,
                response_id=answer.response_id,
                ms=answer.ms,
                first_token_ms=answer.first_token_ms,
                tries=recorder.state.faults + 1,
            )
        )
        if not self._attempt.around.models.same_model(request.pin, answer.served_model):
            recorder.emit(_drift(request, answer.served_model, ""))
        for difference in answer.differences:
            recorder.emit(_drift(request, answer.served_model, storable(difference)))

    async def _request(self, step: rules.CallModel) -> tuple[ModelRequest, str]:
        """The question, and the digest of everything in it."""
        attempt, release = self._attempt, self._attempt.release
        talk = await self._talk.conversation()
        request = ModelRequest(
            tenant=attempt.run.tenant,
            run=attempt.run.id,
            agent=release.agent,
            release=release.id,
            step=step.step,
            call=f"m{step.step}",
            pin=attempt.around.models.pin(attempt.run.tenant, release),
            system=talk.system,
            messages=talk.messages,
            tools=attempt.around.tools.offers(release),
            output_schema=release.output_schema,
            tags=attempt.run.tags,
            secrets=release.secrets,
        )
        return request, talk.digest()


def clean(content: tuple[Spoken, ...]) -> tuple[Spoken, ...]:
    """Storable, and with one id a call: what the model said twice under one id must not be answered as one."""
    seen: set[str] = set()
    cleaned: list[Spoken] = []
    for part in content:
        match part:
            case Text(text=text):
                safe = storable(text)
                cleaned.append(part if safe is text else Text(safe, part.label))
            case Call():
                cleaned.append(_clean_call(part, seen))
            case _:
                cleaned.append(part)
    return tuple(cleaned)


def _clean_call(call: Call, seen: set[str]) -> Call:
    id_, number = storable(call.id) or "call", 2
    while id_ in seen:
        id_, number = f"{call.id or 'call'}-{number}", number + 1
    seen.add(id_)
    arguments = storable_json(call.arguments)
    assert isinstance(arguments, Mapping)
    return Call(id_, storable(call.tool), arguments, storable(call.raw) if call.raw is not None else None)


def _failed(
    request: ModelRequest, fault: ModelFault, retry_in_ms: int | None = None, ms: int = 0, tries: int = 1
) -> ModelFailed:
    return ModelFailed(
        step=request.step,
        call=request.call,
        code=fault.fault,
        message=storable(shorten(fault.detail, 2000)),
        status=fault.http_status,
        retry_in_ms=retry_in_ms,
        ms=ms,
        try_=tries,
    )


def _drift(request: ModelRequest, served: str, difference: str) -> Event:
    return ModelDrifted(
        step=request.step, call=request.call, wanted=request.pin.id, served=served, difference=difference
    )
