"""What has been said so far, as the model reads it and as the tool gate searches it: one per attempt.

Both turns need it. A run that was resumed in the middle of its calls has asked no model in this process, and its gate
must know all the same where each value came from.
"""

from collections.abc import Mapping

from quarterdeck.context import rules
from quarterdeck.context.records import WHOLE, Marks
from quarterdeck.core.ids import ThreadId
from quarterdeck.core.json import encode_text
from quarterdeck.gates.builtin import reads_again
from quarterdeck.gates.provenance import Provenance
from quarterdeck.loop import prompt
from quarterdeck.loop.attempt import Attempt
from quarterdeck.releases.view import prompt_for
from quarterdeck.runs import log, store
from quarterdeck.runs.conversation import told
from quarterdeck.runs.events import ThreadContinued
from quarterdeck.runs.fold import RunState, fold
from quarterdeck.runs.messages import AUTHOR, Label, Message, Stored, Trust


class Talk:
    """The conversation of one attempt, kept between its turns.

    `lowered`: its user's words count as untrusted; `per_token`: how many bytes of it make a token.
    """

    def __init__(self, attempt: Attempt) -> None:
        self._attempt = attempt
        self._conversation: prompt.Conversation | None = None
        admitted = attempt.recorder.state.admitted
        narrowed = admitted.narrowed if admitted else None
        self.lowered = narrowed is not None and narrowed.tainted
        self._provenance = Provenance(attempt.release.tools, tainted=self.lowered)
        self.per_token = rules.BYTES_A_TOKEN
        self._before = WHOLE
        self._summaries = 0

    async def conversation(self) -> prompt.Conversation:
        """Everything up to now, stored parts read back."""
        state, run = self._attempt.recorder.state, str(self._attempt.run.id)
        if self._conversation is None:
            self._conversation = await self._begin()
        talk = self._conversation
        talk.extend(state.messages, await self._read(talk.missing(state.messages), run))
        for summary in state.summaries[self._summaries :]:
            # Beside the originals: what a model copies from a summary is worth no more than the worst thing in it.
            self._provenance.hear(summary)
        self._summaries = len(state.summaries)
        talk.show(self._before if state.shortened is None else Marks.of(state.shortened))
        return talk

    async def provenance(self) -> Provenance:
        """Where values can have come from, up to now."""
        _ = await self.conversation()
        return self._provenance

    @property
    def trimmed_tokens(self) -> int:
        """About how many tokens of what was said are not sent with the next question."""
        return 0 if self._conversation is None else round(self._conversation.left_out / self.per_token)

    async def _begin(self) -> prompt.Conversation:
        admitted = self._attempt.recorder.state.admitted
        system = prompt_for(self._attempt.release, admitted.variables if admitted else {})
        self._provenance.add(system, AUTHOR)
        if admitted is not None and admitted.claims:
            # Who the user is, as whoever signed them in says: their own address is nobody else's choice.
            self._provenance.add(encode_text(admitted.claims), Label("claims", Trust.TRUSTED))
        if admitted is not None and admitted.narrowed is not None:
            self._provenance.add("\n".join(admitted.narrowed.vouched), Label("caller", Trust.TRUSTED))
        history = await self._history()
        for message in history:
            self._provenance.hear(message, earlier=True)
        release = self._attempt.release
        return prompt.Conversation(
            system,
            history,
            self._provenance.hear,
            results_over=release.context.results_over,
            readable=reads_again(release),
        )

    async def _history(self) -> list[Message]:
        """What was said in the thread before this run; which runs that are is written down at the first look."""
        run, recorder = self._attempt.run, self._attempt.recorder
        if run.thread is None:
            return []
        if recorder.state.history is None:
            async with self._attempt.around.db.tenant(run.tenant) as tx:
                earlier = await store.earlier(tx, run.tenant, ThreadId(run.thread), run.thread_position or 0)
            recorder.emit(ThreadContinued(runs=tuple(str(one) for one in earlier)))
        said: list[Message] = []
        history = recorder.state.history or ()
        for at, one in enumerate(history):
            earlier = await self._state_of(one)
            for summary in earlier.summaries:
                self._provenance.hear(summary)
            if rules.limited(self._attempt.release.context) and (earlier.history or ()) == history[:at]:
                # It went on from the same beginning: what it was shown in short need not be summarised again.
                self._before = self._before if earlier.shortened is None else Marks.of(earlier.shortened)
            said += await self._said_in(one, earlier)
        return said

    async def _state_of(self, run: str) -> RunState:
        tenant = self._attempt.run.tenant
        async with self._attempt.around.db.tenant(tenant) as tx:
            return fold(await log.read(tx, tenant, store.run_id(run)))

    async def _said_in(self, run: str, state: RunState) -> list[Message]:
        said = told(state)
        talk = prompt.Conversation("")
        talk.extend(said, await self._read(talk.missing(said), run))
        return list(talk.said)

    async def _read(self, parts: list[Stored], run: str) -> Mapping[str, str]:
        keys = [part.key for part in parts if part.media_type.startswith("text/")]
        return await self._attempt.around.read_blobs(self._attempt.run.tenant, run, keys) if keys else {}
