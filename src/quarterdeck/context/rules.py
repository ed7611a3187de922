"""When a conversation is shown in short, and how far: references first, then a summary, in few big steps.

Every shortening changes what a provider has cached from there on. So it goes well below the limit at once, and nothing
moves until the limit is reached again.
"""

from collections.abc import Iterator, Sequence

from quarterdeck.context.records import Extent, Marks, Plan
from quarterdeck.releases.records import ContextPolicy
from quarterdeck.runs.messages import Message, ModelMessage, ToolMessage, UserMessage

AIM = 0.6
"""The part of its limit that a conversation is brought down to."""
BYTES_A_TOKEN = 3.0
"""Of prompts and tool results, as long as no provider has counted any of this conversation."""
_FEWEST, _MOST = 1.3, 8.0
"""Between these bytes a token lies what is believed of a provider's count: 1.3 was met by no text."""
_WORTHWHILE = 0.9
"""What is left after a shortening that can't reach its aim, at most, for it to be made all the same."""
_SHORTEST_SUMMARY, _LONGEST_SUMMARY = 200, 1_500


def limited(policy: ContextPolicy) -> bool:
    """Whether a conversation can ever be shown in short."""
    return policy.max_tokens is not None or policy.max_turns is not None


def turns(said: Sequence[Message]) -> list[int]:
    """Where each turn begins: an answer of the model with the results of its calls, and the words before it.

    Nothing that belongs together is parted where a turn begins. Words that nobody has answered yet go with the turn
    before them, whose results nobody may have read yet either.
    """
    begins = list(_turns(said))
    if len(begins) > 1 and not any(isinstance(message, ModelMessage) for message in said[begins[-1] :]):
        _ = begins.pop()
    return begins


def _turns(said: Sequence[Message]) -> Iterator[int]:
    before: Message | None = None
    for at, message in enumerate(said):
        answers = isinstance(message, ModelMessage) and isinstance(before, UserMessage)
        goes_on = isinstance(message, UserMessage) and isinstance(before, UserMessage)
        if not isinstance(message, ToolMessage) and not answers and not goes_on:
            yield at
        before = message


def per_token(size: int, counted: int) -> float:
    """How many bytes make a token, by what a provider has counted of a text of `size` bytes."""
    return min(_MOST, max(_FEWEST, size / counted)) if counted > 0 and size > 0 else BYTES_A_TOKEN


def summary_tokens(policy: ContextPolicy) -> int:
    """How long a summary may be: a small part of what may be shown."""
    return min(_LONGEST_SUMMARY, max(_SHORTEST_SUMMARY, (policy.max_tokens or 12_000) // 8))


def shown(extent: Extent, now: Marks, summary: int) -> int:
    """The bytes that are sent with these marks, a summary of `summary` bytes in front."""
    before, after = now.messages_upto, max(now.messages_upto, now.results_upto)
    kept = extent.sizes[extent.first] if extent.first < before else 0
    return extent.fixed + kept + summary + sum(extent.short[before:after]) + sum(extent.sizes[after:])


def plan(extent: Extent, now: Marks, summary: int, policy: ContextPolicy) -> Plan | None:
    """What to show less of now, or None: it fits, or too little can be left out. `summary`: bytes of the present one.

    The last `keep_turns` turns stay whole, unless they alone are too much: then only the last one is sure to.
    """
    size = shown(extent, now, summary)
    limit = None if policy.max_tokens is None else policy.max_tokens * extent.per_token
    aim = limit * AIM if limit is not None and size > limit else None
    most = _most_turns(policy, _ahead(extent, now))
    if aim is None and most is None:
        return None
    ways = list(_ways(extent, now, summary, policy))
    for marks, length in ways:
        if (aim is None or shown(extent, marks, length) <= aim) and (most is None or _ahead(extent, marks) <= most):
            return _plan(extent, now, summary, marks, length)
    least = min(ways, key=lambda way: shown(extent, *way))
    done = _plan(extent, now, summary, *least)
    # What is too long by itself would be summarised turn by turn, at every step, for nothing.
    return done if done.tokens_after <= done.tokens_before * _WORTHWHILE else None


def _most_turns(policy: ContextPolicy, ahead: int) -> int | None:
    """To how many turns it has to come down; None where there are not too many."""
    if policy.max_turns is None or ahead <= policy.max_turns:
        return None
    return max(1, int(policy.max_turns * AIM))


def _ahead(extent: Extent, marks: Marks) -> int:
    return sum(at >= marks.messages_upto for at in extent.turns)


def _ways(extent: Extent, now: Marks, summary: int, policy: ContextPolicy) -> Iterator[tuple[Marks, int]]:
    """Everything that could be done, from the gentlest to the hardest, with the length of the summary then."""
    guess = int(summary_tokens(policy) * extent.per_token)
    kept = _begin_of_last(extent, max(1, policy.keep_turns), now)
    last = _begin_of_last(extent, 1, now)
    results = max(now.results_upto, kept)
    yield Marks(results, now.messages_upto), summary
    for at in extent.turns:
        if now.messages_upto < at <= kept:
            yield Marks(max(results, at), at), guess
    oldest, length = (kept, guess) if kept > now.messages_upto else (now.messages_upto, summary)
    for at in extent.turns:
        if results < at <= last:
            yield Marks(at, oldest), length
    for at in extent.turns:
        if oldest < at <= last:
            yield Marks(max(results, last), at), guess


def _begin_of_last(extent: Extent, count: int, now: Marks) -> int:
    """Where the last `count` turns begin; never before what is summarised already."""
    begin = extent.turns[-count] if len(extent.turns) >= count else 0
    return max(now.messages_upto, begin)


def _plan(extent: Extent, now: Marks, summary: int, marks: Marks, length: int) -> Plan:
    before, after = shown(extent, now, summary), shown(extent, marks, length)
    return Plan(
        marks.results_upto,
        marks.messages_upto,
        marks.messages_upto > now.messages_upto,
        round(before / extent.per_token),
        round(after / extent.per_token),
    )
