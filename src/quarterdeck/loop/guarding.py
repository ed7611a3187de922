"""What a user says and what an agent answers, put before the release's guardrails; what they say, into the log.

An answer is judged before it is written down: what is taken out of it, or withheld, stands nowhere.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from quarterdeck.core.ids import uuid7
from quarterdeck.core.text import shorten, storable
from quarterdeck.gates.builtin import person_for
from quarterdeck.guardrails.leaks import canary_of, marked
from quarterdeck.guardrails.records import Edge, Judgement, Ports, Subject, Verdict
from quarterdeck.loop.attempt import Attempt
from quarterdeck.loop.talk import Talk
from quarterdeck.releases.records import GuardrailRule
from quarterdeck.runs.events import Event, GuardrailJudged, MessageAdded, RunEscalated
from quarterdeck.runs.messages import AUTHOR, Content, Message, Spoken, Stored, Text, ToolMessage, UserMessage

NUDGE = "guardrail"
"""The cause of the message with which an answer is asked for once more."""
WITHHELD = "[This answer was withheld.]"
_LONGEST_SUMMARY = 4_000


@dataclass(frozen=True, slots=True)
class Judged:
    """An answer as it goes on: its content, and what is written after it."""

    content: tuple[Spoken, ...]
    events: tuple[Event, ...]


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

    @property
    def of_output(self) -> bool:
        """Whether answers are judged at all."""
        return bool(self._output)

    def system(self, text: str) -> str:
        """The instructions as the model is given them: with a code by which they are known again, if that is wanted."""
        return marked(text, self._canary) if self._canary else text

    async def judge_input(self) -> None:
        """Judge what the user has said in this run, once, and write down what came of it."""
        recorder = self._attempt.recorder
        messages = recorder.state.messages
        said = [message for message in messages if isinstance(message, UserMessage)]
        whole = [words for message in said if (words := _words(message.content, await self._read_back(message)))]
        text = "\n\n".join(whole)
        judgement = await self._look(Edge.INPUT, self._input, self._subject(text))
        replaced = _with_text(messages, judgement.text) if judgement.text != text and len(said) == 1 else ()
        recorder.emit(_event(Edge.INPUT, 0, judgement, replaced))

    async def _look(self, edge: Edge, checks: Sequence[GuardrailRule], subject: Subject) -> Judgement:
        if not checks:
            return Judgement(Verdict.ALLOW, subject.text)
        if edge is Edge.INPUT:
            from quarterdeck.guardrails import inputs

            return await inputs.judge(checks, subject, self._ports)
        from quarterdeck.guardrails import outputs

        return await outputs.judge(checks, subject, self._ports)

    async def _read_back(self, message: UserMessage) -> Mapping[str, str]:
        keys = [part.key for part in message.content if isinstance(part, Stored)]
        run = self._attempt.run
        return await self._attempt.around.read_blobs(run.tenant, str(run.id), keys) if keys else {}

    async def judge_output(self, step: int, content: tuple[Spoken, ...]) -> Judged:
        """Judge a final answer. What the rules take out of it is not in the content that comes back."""
        text = "".join(part.text for part in content if isinstance(part, Text))
        subject = await self._in_context(text)
        judgement = await self._look(Edge.OUTPUT, self._output, subject)
        if judgement.verdict is Verdict.RETRY and NUDGE in self._attempt.recorder.state.nudges:
            judgement = _for_good(judgement)
        event = _event(Edge.OUTPUT, step, judgement)
        match judgement.verdict:
            case Verdict.DENY:
                return Judged((Text(WITHHELD),), (event,))
            case Verdict.ASK:
                return Judged((Text(WITHHELD),), (event, self._to_a_person(step, text, judgement)))
            case Verdict.RETRY:
                words = f"Your answer can't be given as it is: {judgement.reason} Write it anew without that."
                again = MessageAdded(message=UserMessage((Text(words),), AUTHOR), cause=NUDGE)
                return Judged((Text(WITHHELD),), (event, again))
            case _ if judgement.text != text:
                return Judged(_with_words(content, judgement.text), (event,))
            case _:
                return Judged(content, (event,))

    def _to_a_person(self, step: int, text: str, judgement: Judgement) -> RunEscalated:
        release = self._attempt.release
        words = f"A guardrail ({judgement.rule}) withheld this answer:\n\n{text}"
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
        talk, run = await self._talk.conversation(), self._attempt.run
        sources = tuple(_words(message.content) for message in talk.said if isinstance(message, ToolMessage))
        return Subject(
            tenant=run.tenant,
            run=run.id,
            agent=run.agent,
            user=run.user_id,
            text=text,
            sources=sources,
            system=talk.system,
            canary=self._canary,
        )


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


def _words(content: Sequence[Content], read_back: Mapping[str, str] | None = None) -> str:
    kept = read_back or {}
    return "\n".join(part.text if isinstance(part, Text) else kept.get(part.key, part.begins) for part in content)


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
