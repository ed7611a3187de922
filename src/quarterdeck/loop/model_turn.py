"""The model's turn: assemble what it is shown, ask, save where money runs low, keep the answer or the fault."""

from collections.abc import Sequence
from dataclasses import replace

from msgspec import structs

from quarterdeck.gates.asking import Fault, ModelAnswer, ModelRequest
from quarterdeck.gates.routing import Choice
from quarterdeck.loop import closing, degrees, rules
from quarterdeck.loop.accounts import LOST
from quarterdeck.loop.answers import answered, clean, drifts
from quarterdeck.loop.attempt import Attempt
from quarterdeck.loop.degrees import Degree
from quarterdeck.loop.deltas import Deltas
from quarterdeck.loop.guarding import Guarding, Held, Judged
from quarterdeck.loop.questions import Denied, Draft, Questions, Trouble, Unaffordable, Unanswered
from quarterdeck.loop.shortening import Shortening
from quarterdeck.loop.talk import Talk
from quarterdeck.runs.conversation import told
from quarterdeck.runs.events import ModelAnswered, ModelFailed, RunClosing
from quarterdeck.runs.fold import CLOSING
from quarterdeck.runs.messages import Call, Message, ModelMessage, Spoken, ToolMessage
from quarterdeck.runs.records import StopReason

_LEAST_SHOWN = 2_000
"""Tokens to which a conversation is shortened at most, to save."""


class ModelTurn:
    """Asks the model on behalf of one attempt."""

    def __init__(
        self, attempt: Attempt, talk: Talk, questions: Questions, shortening: Shortening, guarding: Guarding
    ) -> None:
        self._attempt = attempt
        self._talk = talk
        self._questions = questions
        self._shortening = shortening
        self._saving = Shortening(attempt, talk)
        self._most: int | None = None
        self._guarding = guarding

    async def take(self, step: rules.CallModel) -> Denied | Unanswered | None:
        """Ask once. None: the answer is in the state, or the run is closing. Raises Interrupted."""
        if step.closing:
            return await self._close(step)
        has_cheaper = self._attempt.release.cheaper is not None
        degree = degrees.wanted(self._questions.left, has_cheaper=has_cheaper)
        squeezed = False
        while True:
            if not step.again or degree is Degree.SHORTER:
                await self._make_room(step, degree)
            trouble = await self._ask(step, degree)
            if _too_long(trouble) and not squeezed:
                squeezed = await self._shortening.squeeze(step.step)
                if squeezed:
                    continue
            if not isinstance(trouble, Unaffordable):
                return trouble
            degree = degrees.below(degree, has_cheaper=has_cheaper)
            if degree is Degree.NO_TOOLS:
                self._attempt.recorder.emit(RunClosing(reason=StopReason.BUDGET, why=trouble.why))
                return None

    def note_lost(self) -> None:
        """Write down what an attempt before has asked and nobody has heard the answer of: it may have cost all."""
        attempt, recorder = self._attempt, self._attempt.recorder
        asked, of = recorder.state.asked, recorder.state.asked_attempt
        if asked is None or of == recorder.hold.attempt:
            return
        attempt.accounts.lost(asked, of)
        recorder.emit(
            ModelFailed(
                step=asked.step,
                call=asked.call,
                code=LOST,
                message="Its worker died before an answer was heard.",
                retry_in_ms=0,
                purpose=asked.purpose,
                presumed=asked.reserved,
            )
        )

    async def _make_room(self, step: rules.CallModel, degree: Degree) -> None:
        if degree is not Degree.SHORTER:
            await self._shortening.make_room(step.step)
            return
        if self._most is None:  # once: half of half at each step would leave nothing
            self._most = max(_LEAST_SHOWN, self._attempt.recorder.state.counted // 2)
        await self._saving.make_room(step.step, most=self._most)

    async def _ask(self, step: rules.CallModel, degree: Degree) -> Trouble | None:
        """Ask over the route that takes this step, and over the fallbacks where its provider fails."""
        tried: list[str] = []
        while True:
            outcome, choice = await self._ask_one(step, degree, tried)
            if not isinstance(outcome, Unanswered) or outcome.fault.fault in _WAITED_OUT:
                return outcome
            tried.append(choice.route)
            if self._questions.choose("", degree, tried=tried).closed:
                return outcome

    async def _ask_one(
        self, step: rules.CallModel, degree: Degree, tried: Sequence[str]
    ) -> tuple[Trouble | None, Choice]:
        talk = await self._talk.conversation()
        offers = self._attempt.around.tools.offers(self._attempt.release)
        size = self._questions.size_of(talk.system, talk.messages, self._attempt.recorder.state.counted)
        choice = self._questions.choose("", degree, size, tools=bool(offers), tried=tried)
        steps_left = self._attempt.release.limits.max_steps - step.step + 1
        request = self._request(step.step, f"m{step.step}", choice, self._guarding.system(talk.system), talk.messages)
        request = replace(
            request,
            tools=offers,
            output_schema=self._attempt.release.output_schema,
            notice=degrees.notice(self._questions.left, steps_left, degree),
        )
        deltas = self._deltas(request, again=step.again or bool(tried))
        tools, trimmed = _first_read(talk.messages), self._talk.trimmed_tokens
        draft = Draft(request, choice, degree, talk.digest(), deltas, tools, trimmed)
        outcome = await self._questions.put(draft)
        if not isinstance(outcome, ModelAnswer):
            return outcome, choice
        await self._keep(request, outcome, deltas)
        return None, choice

    async def _close(self, step: rules.CallModel) -> Denied | Unanswered | None:
        """Ask for a last answer: from the whole conversation if it can be paid, else from notes of it."""
        attempt, release, state = self._attempt, self._attempt.release, self._attempt.recorder.state
        assert state.closing is not None
        outcome = await self._ask_for_the_last(step, state.closing.why)
        if isinstance(outcome, Unaffordable):
            choice = self._questions.choose(CLOSING, Degree.CHEAPER)
            pin = replace(choice.pin, max_output_tokens=min(closing.MOST_TOKENS, choice.pin.max_output_tokens))
            system = closing.system_text(release.agent, release.description)
            notes = closing.notes(state, state.closing)
            request = self._request(step.step, CLOSING, replace(choice, pin=pin), system, notes)
            draft = Draft(replace(request, purpose=CLOSING), replace(choice, pin=pin), Degree.CLOSING)
            outcome = await self._questions.put(draft)
            if isinstance(outcome, ModelAnswer):
                await self._keep(draft.request, outcome)
        if isinstance(outcome, Unaffordable) or (isinstance(outcome, Denied) and outcome.later is not None):
            attempt.recorder.emit(_no_last_answer(step, outcome.why))
        return None

    async def _ask_for_the_last(self, step: rules.CallModel, why: str) -> Trouble | None:
        """From the newest part of the conversation; tools are still shown, so that its beginning stays the same."""
        talk, state, tools = await self._talk.conversation(), self._attempt.recorder.state, self._attempt.around.tools
        choice = self._questions.choose(CLOSING, Degree.CHEAPER)
        open_calls = told(state)[len(state.messages) :]
        messages = (*talk.messages, *open_calls)
        request = self._request(step.step, f"m{step.step}", choice, self._guarding.system(talk.system), messages)
        offers, notice = tools.offers(self._attempt.release), closing.LAST_WORDS.format(why=why)
        request = replace(request, purpose=CLOSING, tools=offers, notice=notice)
        outcome = await self._questions.put(Draft(request, choice, Degree.NO_TOOLS, talk.digest()))
        if not isinstance(outcome, ModelAnswer):
            return outcome
        await self._keep(request, outcome)
        return None

    def _request(self, step: int, call: str, choice: Choice, system: str, messages: Sequence[Message]) -> ModelRequest:
        attempt, release = self._attempt, self._attempt.release
        return ModelRequest(
            tenant=attempt.run.tenant,
            run=attempt.run.id,
            agent=release.agent,
            release=release.id,
            step=step,
            call=call,
            pin=choice.pin,
            system=system,
            messages=messages,
            tools=(),
            tags=attempt.run.tags,
            secrets=release.secrets,
        )

    def _deltas(self, request: ModelRequest, *, again: bool) -> Deltas | Held | None:
        """Where the answer streams to while somebody listens, as far as its guardrails let it."""
        attempt, name = self._attempt, self._attempt.run.id.hex
        watched = attempt.around.watched
        if not watched(name):
            return None
        hold = self._attempt.recorder.hold
        deltas = Deltas(attempt.around.wakes, lambda: watched(name), attempt.run.id, request.step, hold.attempt)
        if again:
            deltas.reset()
        return self._guarding.held(deltas)

    async def _keep(self, request: ModelRequest, answer: ModelAnswer, deltas: Deltas | Held | None = None) -> None:
        """The answer into the log, as far as its guardrails let it, and what was odd about it."""
        recorder = self._attempt.recorder
        content = clean(answer.content)
        if request.purpose == CLOSING:
            content = tuple(part for part in content if not isinstance(part, Call))
        said: ModelAnswered = answered(request, answer, content, recorder.state.faults + 1)
        if not self._guarding.of_output:
            recorder.emit(said)
        else:
            judged = await self._judge(request, content)
            recorder.emit(structs.replace(said, content=judged.content), *judged.events)
            if isinstance(deltas, Held):
                deltas.end(judged.shown)
        same = self._attempt.around.models.same_model(request.pin, answer.served_model)
        recorder.emit(*drifts(request, answer, same_model=same))

    async def _judge(self, request: ModelRequest, content: tuple[Spoken, ...]) -> Judged:
        if ModelMessage(content).calls:
            return await self._guarding.judge_words(request.step, content)
        return await self._guarding.judge_output(request.step, content, last=request.purpose == CLOSING)


_WAITED_OUT = frozenset({Fault.RATE_LIMITED, Fault.PACED, Fault.DIVERGED, Fault.NOT_RECORDED})
"""Faults for which no other route is taken: they pass, or belong to a replay."""


def _too_long(trouble: Trouble | None) -> bool:
    """Whether the conversation is longer than the model's context, on every route that there is."""
    return isinstance(trouble, Unanswered) and trouble.fault.fault is Fault.TOO_LONG


def _no_last_answer(step: rules.CallModel, why: str) -> ModelFailed:
    return ModelFailed(step=step.step, call=CLOSING, code="no_last_answer", message=why, purpose=CLOSING)


def _first_read(messages: Sequence[Message]) -> tuple[str, ...]:
    """The tools whose results the model has not read before."""
    tools: list[str] = []
    for message in reversed(messages):
        if isinstance(message, ModelMessage):
            break
        if isinstance(message, ToolMessage):
            tools.append(message.tool)
    return tuple(dict.fromkeys(reversed(tools)))
