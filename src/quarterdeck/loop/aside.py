"""Questions beside the conversation: a summary of it, a judge's verdict on an answer; paid and logged alike."""

from collections.abc import Sequence
from dataclasses import replace

from quarterdeck.gates.asking import ModelAnswer, ModelRequest
from quarterdeck.gates.routing import Choice
from quarterdeck.loop.answers import answered
from quarterdeck.loop.attempt import Attempt
from quarterdeck.loop.questions import Draft, Questions
from quarterdeck.releases.records import ModelPin
from quarterdeck.runs.messages import MODEL, Message, ModelMessage, Text, UserMessage

JUDGE = "judge"
_LONGEST_VERDICT = 600
"""Tokens."""


class Aside:
    """Asks aside on behalf of one attempt."""

    def __init__(self, attempt: Attempt, questions: Questions) -> None:
        self._attempt = attempt
        self._questions = questions

    async def ask(
        self,
        purpose: str,
        system: str,
        messages: Sequence[Message],
        max_output_tokens: int,
        pin: ModelPin | None = None,
    ) -> str | None:
        """What the model says, in words. None: it could not be had, was not allowed or can't be paid.

        `pin` None: the route of the release that is for this purpose. Raises Interrupted, and what losing the run
        raises.
        """
        attempt, recorder = self._attempt, self._attempt.recorder
        choice = self._questions.choose(purpose) if pin is None else Choice("", pin, "named by a guardrail")
        pinned = replace(choice.pin, max_output_tokens=min(max_output_tokens, choice.pin.max_output_tokens))
        request = ModelRequest(
            tenant=attempt.run.tenant,
            run=attempt.run.id,
            agent=attempt.release.agent,
            release=attempt.release.id,
            step=recorder.state.steps,
            call=f"{purpose}-{recorder.state.asides + 1}",
            pin=pinned,
            system=system,
            messages=tuple(messages),
            tools=(),
            tags=attempt.run.tags,
            secrets=attempt.release.secrets,
            purpose=purpose,
        )
        answer = await self._questions.put(Draft(request, replace(choice, pin=pinned)))
        if not isinstance(answer, ModelAnswer):
            return None
        recorder.emit(answered(request, answer))
        return ModelMessage(answer.content).text.strip() or None

    async def judge(self, pin: ModelPin | None, system: str, text: str) -> str | None:
        """What a judge says of a text, as `ask`; `pin` None: the route of the release that is for judges."""
        return await self.ask(JUDGE, system, (UserMessage((Text(text),), MODEL),), _LONGEST_VERDICT, pin)
