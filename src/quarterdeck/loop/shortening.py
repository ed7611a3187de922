"""Making room in a conversation before the next question: decided by a pure rule, written down as one event.

What was said stays in the log and with the tool gate. A worker that takes the run over reads the event and shows the
model the same bytes.
"""

from collections.abc import Sequence
from dataclasses import replace
from typing import Protocol

from quarterdeck.context import rules, summaries, view
from quarterdeck.context.records import Plan
from quarterdeck.core.json import encode
from quarterdeck.core.text import shorten
from quarterdeck.loop.attempt import Attempt
from quarterdeck.loop.prompt import Conversation
from quarterdeck.loop.talk import Talk
from quarterdeck.runs.events import ContextShortened
from quarterdeck.runs.messages import Message, ModelMessage, Text, UserMessage

PURPOSE = "summary"
_CHARACTERS_A_TOKEN = 6
"""More than any model writes: a summary that is longer was not what was asked for."""
_WORDS_A_TOKEN = 0.6
_SQUEEZE = 0.8
"""The part of a conversation that is too long for its model which counts as its limit from then on."""
_SINCE = 3
"""The first behaviour in which conversations are shortened."""


class Asks(Protocol):
    """A question beside the conversation: `loop.aside.Aside`."""

    async def ask(self, purpose: str, system: str, messages: Sequence[Message], max_output_tokens: int) -> str | None:
        """The answer in words; None: it could not be had or paid. Raises Interrupted."""
        ...


class Shortening:
    """Keeps the conversation of one attempt within its release's policy."""

    def __init__(self, attempt: Attempt, talk: Talk, aside: Asks | None = None) -> None:
        """Without `aside`, summaries are the beginnings of what was said."""
        self._attempt = attempt
        self._talk = talk
        self._aside = aside
        self._fixed: int | None = None

    async def make_room(self, step: int, *, most: int | None = None) -> bool:
        """Show less of the conversation where its policy says so. True: something is shown in short from now on.

        Call it before each question that is not a repetition: one that was asked before is asked in the same words.
        `most` tokens hold beside the policy's. What was decided is emitted, and durable with the next flush.
        """
        policy = self._attempt.release.context
        if most is not None:
            policy = replace(policy, max_tokens=min(most, policy.max_tokens or most))
        if not rules.limited(policy):
            return False
        talk = await self._talk.conversation()
        fixed = self._beside(talk)
        self._talk.per_token = bytes_a_token(talk, fixed, self._attempt.recorder.state.counted)
        plan = rules.plan(talk.extent(fixed, self._talk.per_token), talk.marks, talk.summary_size, policy)
        if plan is None:
            return False
        summary = talk.marks.summary
        if plan.summarises:
            summary = await self._summary(talk, plan, rules.summary_tokens(policy), asked=policy.summarise)
        self._attempt.recorder.emit(
            ContextShortened(
                step=step,
                results_upto=plan.results_upto,
                messages_upto=plan.messages_upto,
                summary=summary,
                tokens_before=plan.tokens_before,
                tokens_after=plan.tokens_after,
            )
        )
        _ = await self._talk.conversation()
        return True

    async def squeeze(self, step: int) -> bool:
        """Show clearly less, because no model takes what is shown now. True: something could be left out.

        Also where no policy limits the conversation: the run would fail otherwise. Not in runs of releases that were
        made before conversations could be shortened: an older worker may have to go on with them.
        """
        if self._attempt.release.behaviour < _SINCE:
            return False
        talk = await self._talk.conversation()
        fixed = self._beside(talk)
        self._talk.per_token = bytes_a_token(talk, fixed, self._attempt.recorder.state.counted)
        size = rules.shown(talk.extent(fixed, self._talk.per_token), talk.marks, talk.summary_size)
        return await self.make_room(step, most=max(1, int(size / self._talk.per_token * _SQUEEZE)))

    def _beside(self, talk: Conversation) -> int:
        """The bytes that are sent with every question, whatever is left out of the conversation."""
        if self._fixed is None:
            offers = self._attempt.around.tools.offers(self._attempt.release)
            tools = (len(encode(offer.parameters)) + len(offer.description) + len(offer.name) for offer in offers)
            self._fixed = len(talk.system.encode("utf-8", "replace")) + sum(tools)
        return self._fixed

    async def _summary(self, talk: Conversation, plan: Plan, tokens: int, *, asked: bool) -> Message:
        """A summary of everything before the plan's mark, made from the one before it and what came since."""
        begin, before = talk.marks.messages_upto, talk.marks.summary
        fresh = talk.said[begin : plan.messages_upto]
        label = summaries.label_of(talk.said[: plan.messages_upto], lowered=self._talk.lowered)
        text = None
        if asked and self._aside is not None:
            question = summaries.material(fresh, begin, before)
            system = summaries.SYSTEM.format(words=int(tokens * _WORDS_A_TOKEN))
            text = await self._aside.ask(PURPOSE, system, (UserMessage((Text(question),), label),), tokens)
        by_model = bool(text and text.strip())
        words = text if text and by_model else summaries.digest(fresh, begin, before, tokens)
        words = shorten(words, tokens * _CHARACTERS_A_TOKEN)
        return summaries.message_of(words, plan.messages_upto, label, by_model=by_model)


def bytes_a_token(talk: Conversation, fixed: int, counted: int) -> float:
    """How many bytes of this conversation make a token, by what its provider counted of the last question."""
    place = max((at for at, message in enumerate(talk.messages) if isinstance(message, ModelMessage)), default=0)
    asked = sum(view.size_of(message) for message in talk.messages[:place])
    return rules.per_token(fixed + asked, counted) if place and counted else rules.BYTES_A_TOKEN
