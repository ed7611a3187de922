"""What a user says and what an agent answers, put before the release's guardrails; what they say, into the log.

An answer is judged before it is written down: what is taken out of it, or withheld, stands nowhere.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace

from quarterdeck.core.ids import uuid7
from quarterdeck.core.text import shorten, storable
from quarterdeck.gates.builtin import person_for
from quarterdeck.guardrails import inputs, outputs
from quarterdeck.guardrails.holdback import Delta, Holdback
from quarterdeck.guardrails.leaks import canary_of, marked
from quarterdeck.guardrails.records import Action, Edge, Judgement, Ports, Subject, Verdict
from quarterdeck.loop.attempt import Attempt
from quarterdeck.loop.deltas import Deltas
from quarterdeck.loop.talk import Talk
from quarterdeck.runs.events import Event, GuardrailJudged, MessageAdded, RunEscalated
from quarterdeck.runs.messages import AUTHOR, Content, Message, Spoken, Stored, Text, ToolMessage, UserMessage, words

NUDGE = "guardrail"
"""The cause of the message with which an answer is asked for once more."""
WITHHELD = "[This answer was withheld.]"
_LONGEST_SUMMARY = 4_000


@dataclass(frozen=True, slots=True)
class Judged:
    """An answer as it goes on: its content, and what is written after it."""

    content: tuple[Spoken, ...]
    events: tuple[Event, ...]
    shown: str | None = None
    """What of its words may be seen; None = nothing."""


class Held:
    """Deltas of an answer that has guardrails: nothing is streamed that they could still take out of it."""

    def __init__(self, deltas: Deltas, open_: Callable[[Delta], Holdback]) -> None:
        self._deltas = deltas
        self._open = open_
        self._holdback = open_(deltas.add)

    def add(self, kind: str, piece: str) -> None:
        """One piece, as the provider sent it."""
        self._holdback.take(kind, piece)

    def reset(self) -> None:
        """What was streamed before is void: it is written anew."""
        self._deltas.reset()
        self._holdback = self._open(self._deltas.add)

    def send(self) -> None:
        """Send what may be seen by now."""
        self._deltas.send()

    def end(self, answer: str | None) -> None:
        """The answer was judged: send what of it was not seen yet. None = it may not be seen."""
        self._holdback.end(answer)
        self._deltas.send()


class Guarding:
    """The guardrails of one attempt."""

    def __init__(self, attempt: Attempt, talk: Talk, ports: Ports) -> None:
        release = attempt.release
        self._attempt = attempt
        self._talk = talk
        self._ports = ports
        self._input = tuple(rule for rule in release.guardrails if rule.edge == Edge.INPUT)
        self._output = tuple(rule for rule in release.guardrails if rule.edge == Edge.OUTPUT)
        leaks = any(rule.check == "prompt_leak" for rule in self._output)
        self._canary = canary_of(release.id) if leaks else ""
        self._told = ""

    @property
    def of_output(self) -> bool:
        """Whether answers are judged at all."""
        return bool(self._output)

    def system(self, text: str) -> str:
        """The instructions as the model is given them: with a code by which they are known again, if that is wanted."""
        self._told = text
        return marked(text, self._canary) if self._canary else text

    def held(self, deltas: Deltas) -> Deltas | Held:
        """The way of an answer's words to those who listen."""
        if not self._output:
            return deltas
        subject = replace(self._subject(""), system=self._told, canary=self._canary)
        return Held(deltas, lambda delta: Holdback(self._output, outputs.MAKERS, subject, delta))

    async def judge_input(self) -> None:
        """Judge what the user has said in this run, once, and write down what came of it."""
        recorder = self._attempt.recorder
        messages = recorder.state.messages
        said = [message for message in messages if isinstance(message, UserMessage)]
        whole = [_whole(message.content, await self._read_back(message)) for message in said]
        text = "\n\n".join(text for text in whole if text)
        judgement = await inputs.judge(self._input, self._subject(text), self._ports)
        replaced = _with_text(messages, judgement.text) if judgement.text != text and len(said) == 1 else ()
        recorder.emit(_event(Edge.INPUT, 0, judgement, replaced))

    async def _read_back(self, message: UserMessage) -> Mapping[str, str]:
        keys = [part.key for part in message.content if isinstance(part, Stored)]
        run = self._attempt.run
        return await self._attempt.around.read_blobs(run.tenant, str(run.id), keys) if keys else {}

    async def judge_words(self, step: int, content: tuple[Spoken, ...]) -> Judged:
        """Take out of words that come with tool calls what rules take out. Whoever listens sees them, too."""
        text = "".join(part.text for part in content if isinstance(part, Text))
        taking = tuple(rule for rule in self._output if rule.action == Action.REDACT)
        if not taking or not text.strip():
            return Judged(content, (), text)
        judgement = await outputs.judge(taking, await self._in_context(text), self._ports)
        if judgement.text == text:
            return Judged(content, (), text)
        return Judged(_with_words(content, judgement.text), (_event(Edge.OUTPUT, step, judgement),), judgement.text)

    async def judge_output(self, step: int, content: tuple[Spoken, ...], *, last: bool = False) -> Judged:
        """Judge a final answer. What the rules take out of it is not in the content that comes back.

        `last`: there is no asking again.
        """
        text = "".join(part.text for part in content if isinstance(part, Text))
        subject = await self._in_context(text)
        judgement = await outputs.judge(self._output, subject, self._ports)
        if judgement.verdict is Verdict.RETRY and (last or NUDGE in self._attempt.recorder.state.nudges):
            judgement = _for_good(judgement)
        event = _event(Edge.OUTPUT, step, judgement)
        match judgement.verdict:
            case Verdict.DENY:
                return Judged((Text(WITHHELD),), (event,))
            case Verdict.ASK:
                return Judged((Text(WITHHELD),), (event, self._to_a_person(step, judgement)))
            case Verdict.RETRY:
                words = f"Your answer can't be given as it is: {judgement.reason} Write it anew without that."
                again = MessageAdded(message=UserMessage((Text(words),), AUTHOR), cause=NUDGE)
                return Judged((Text(WITHHELD),), (event, again))
            case _ if judgement.text != text:
                return Judged(_with_words(content, judgement.text), (event,), judgement.text)
            case _:
                return Judged(content, (event,), text)

    def _to_a_person(self, step: int, judgement: Judgement) -> RunEscalated:
        release = self._attempt.release
        words = f"A guardrail ({judgement.rule}) withheld this answer:\n\n{judgement.text}"
        return RunEscalated(
            step=step,
            call="",
            escalation=str(uuid7()),
            to=person_for(release) or release.owner,
            summary=storable(shorten(words, _LONGEST_SUMMARY)),
            why=storable(judgement.reason),
        )

    def _subject(self, text: str) -> Subject:
        run = self._attempt.run
        return Subject(tenant=run.tenant, run=run.id, agent=run.agent, user=run.user_id, text=text)

    async def _in_context(self, text: str) -> Subject:
        """With what the answer can rest on and what it must not tell."""
        talk = await self._talk.conversation()
        # What the user said themselves may be said back to them.
        heard = (message for message in talk.said if isinstance(message, ToolMessage | UserMessage))
        sources = tuple(words(message.content, "\n") for message in heard)
        return replace(self._subject(text), sources=sources, system=talk.system, canary=self._canary)


def _event(edge: Edge, step: int, judgement: Judgement, replaced: tuple[Message, ...] = ()) -> GuardrailJudged:
    return GuardrailJudged(
        edge=edge,
        step=step,
        verdict=judgement.verdict,
        checks=judgement.checks,
        findings=judgement.findings,
        rule=judgement.rule,
        reason=storable(judgement.reason),
        ms=judgement.ms,
        replaced=replaced,
    )


def _for_good(judgement: Judgement) -> Judgement:
    """A second answer is not better than the first: it is not given."""
    return Judgement(
        Verdict.DENY,
        judgement.text,
        judgement.findings,
        judgement.checks,
        judgement.rule,
        "I can't give an answer that keeps to the rules here.",
        judgement.ms,
    )


def _whole(content: Sequence[Content], read_back: Mapping[str, str]) -> str:
    parts = (Text(read_back.get(part.key, part.begins)) if isinstance(part, Stored) else part for part in content)
    return words(parts, "\n")


def _with_words(content: tuple[Spoken, ...], text: str) -> tuple[Spoken, ...]:
    """The content with other words: all of them in the place of the first."""
    others = [part for part in content if not isinstance(part, Text)]
    return (*others, Text(storable(text)))


def _with_text(messages: Sequence[Message], text: str) -> tuple[Message, ...]:
    """The messages, with these words in the place of the user's."""
    return tuple(
        UserMessage((Text(storable(text)),), message.label) if isinstance(message, UserMessage) else message
        for message in messages
    )
