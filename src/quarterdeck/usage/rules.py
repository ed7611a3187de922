"""What may be asked of the ledger, and what its answers mean in words."""

import math
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from zoneinfo import ZoneInfo

from quarterdeck.core.money import MicroUsd, show
from quarterdeck.http.fixes import invalid
from quarterdeck.usage.records import Every, Question, SpentRun, Spread, Sums, Usual

TAG = "tag:"
MOST_KEYS = 6
MOST_LINES = 50_000
"""Of one report: groups times stretches of time."""
LONGEST_TAG = 64
THRESHOLD = 3.5
"""Robust z-score from which a run stands out; Iglewicz and Hoaglin's (1993)."""
TIMES = 2.0
"""A run that costs less than so many times the usual is no outlier, however alike the others are."""
LEAST_RUNS = 8
"""An agent with fewer runs has nothing usual about it."""
_NOTABLE = math.log(1.25)
_LENGTHS = {Every.HOUR: timedelta(hours=1), Every.DAY: timedelta(days=1), Every.MONTH: timedelta(days=28)}
_OF_MACHINES = re.compile(r"(?i)localtime|factory|posixrules|posix/|right/|leapseconds")
"""Names in the list of zones that mean another zone on another machine, or none."""
_SHOWN = {0.001: "0.1 %", 0.01: "1 %", 0.1: "10 %"}


@dataclass(frozen=True, slots=True)
class Cause:
    """Why a run cost more than usual: `times` as much of something as its agent's runs usually have."""

    cause: str
    times: float
    here: float
    usual: float
    words: str


@dataclass(frozen=True, slots=True)
class Outlier:
    """A run that stands out: how far, and why."""

    run: SpentRun
    usual: Usual
    z: float
    times: float
    causes: tuple[Cause, ...]
    why: str


def read_by(given: str, known: Sequence[str]) -> tuple[str, ...]:
    """`agent,tag:plan` as keys. Raises Invalid for what usage can't be told apart by."""
    keys = tuple(dict.fromkeys(key for part in given.split(",") if (key := part.strip())))
    for key in keys:
        name = key.removeprefix(TAG)
        if key not in known and not (key.startswith(TAG) and 0 < len(name) <= LONGEST_TAG and name.isprintable()):
            raise invalid("query.by", f"there is no {key[:40]!r}", f"send some of {', '.join(known)}, tag:NAME")
    if len(keys) > MOST_KEYS:
        raise invalid("query.by", f"these are {len(keys)}", f"send at most {MOST_KEYS}")
    return keys


def read_tags(given: Sequence[str]) -> tuple[tuple[str, str], ...]:
    """`plan=gold` as pairs. Raises Invalid for what is none."""
    pairs = [tag.partition("=") for tag in given]
    if any(not equals or not name for name, equals, _ in pairs):
        raise invalid("query.tag", "this is no tag with a value", "send NAME=VALUE")
    return tuple((name, value) for name, _, value in pairs)


def check_zone(zone: str) -> str:
    """A time zone's name. Raises Invalid for one that nobody knows."""
    try:
        known = bool(zone) and ZoneInfo(zone).key == zone and not _OF_MACHINES.match(zone)
    except (KeyError, ValueError, OSError):
        known = False
    if not known:
        raise invalid("query.tz", "there is no such time zone", "send a name such as UTC or Europe/Berlin")
    return zone


def check_size(question: Question) -> Question:
    """Let a report pass whose lines can be counted. Raises Invalid for one that would have too many."""
    filters = question.filters
    if filters.since >= filters.until:
        raise invalid("query.until", "this is not after since", "send a later time")
    stretches = 1
    if question.every is not None:
        stretches = (filters.until - filters.since) // _LENGTHS[question.every] + 2
    groups = question.top + 1 if question.by else 1
    if groups * stretches > MOST_LINES:
        problem = f"{groups} groups in each of {stretches} stretches of time are more than {MOST_LINES:,} lines"
        raise invalid("query.top", problem, "send a smaller top, a longer every or a shorter time")
    return question


def begin_of(at: datetime, zone: str) -> datetime:
    """A stretch's beginning as its zone writes it."""
    return at.astimezone(ZoneInfo(zone))


def say_spread(spread: Spread, among: str) -> list[str]:
    """Sentences such as: 0.1 % of users (3 of 2,913) make 40 % of the cost."""
    if not spread.cost:
        return []
    said = [
        f"{_SHOWN[share]} of {among}s ({one.place:,} of {spread.count:,}) "
        f"{'makes' if one.place == 1 else 'make'} {_percent(one.cumulative / spread.cost)} of the cost."
        for share, one in spread.reached.items()
        if spread.count * share >= 1
    ]
    if not said:
        first = spread.top[0]
        said = [f"1 of {spread.count:,} {among}s makes {_percent(first.cost / spread.cost)} of the cost."]
    return said


def judge(run: SpentRun, usual: Usual, usual_model: str = "") -> Outlier:
    """How far a run stands out, and why.

    Costs are compared by their logarithms, for a run that costs ten times as much is as odd for a cheap agent as for a
    dear one: z = 0.6745 (ln cost - median) / MAD, and where more than half of the runs cost the same, so that MAD is 0,
    (ln cost - median) / (1.2533 mean deviation).
    """
    distance = math.log(run.cost) - usual.centre
    scale = usual.mad / 0.6745 if usual.mad > 0 else usual.deviation * 1.2533
    z = distance / scale if scale > 0 else math.inf
    times = math.exp(distance)
    causes = _causes(run, usual, usual_model)
    more = f"{_times(times)} what a run of {run.agent} usually costs ({show(MicroUsd(round(usual.cost)))})"
    reasons = "; ".join(cause.words for cause in causes)
    return Outlier(run, usual, min(z, 999.0), times, causes, f"{more}: {reasons}." if reasons else f"{more}.")


def _causes(run: SpentRun, usual: Usual, usual_model: str) -> tuple[Cause, ...]:
    """The factors of cost, calls x tokens a call x price of a token, that are larger than usual, the largest first."""
    once, usual_once = run.calls - run.repeated, max(1.0, usual.calls - usual.repeated)
    read, written = run.input / run.calls, run.output / run.calls
    rate = run.cost / max(1, run.input + run.output)
    dearest = run.models[0][0] if run.models else ""
    tokens_more = (read + written) / max(1.0, usual.input + usual.output)
    found = [
        _cause("steps", once, usual_once, f"{once:,} calls where {usual_once:,.0f} are usual"),
        _cause(
            "retries",
            run.calls / max(1, once),
            usual.calls / usual_once,
            f"{run.repeated:,} of its {run.calls:,} calls were made again",
        ),
        _cause("price", rate, usual.rate, _dearer(rate / usual.rate if usual.rate else 1.0, dearest, usual_model)),
    ]
    grew = f", up to {run.peak:,}" if run.peak > 1.5 * read else ""
    if read - usual.input >= written - usual.output:
        words = f"{read:,.0f} tokens read a call{grew} where {usual.input:,.0f} are usual: its context grew"
        found.append(Cause("context", tokens_more, read, usual.input, words))
    else:
        words = f"{written:,.0f} tokens written a call where {usual.output:,.0f} are usual"
        found.append(Cause("output", tokens_more, written, usual.output, words))
    notable = [cause for cause in found if cause.times > 0 and math.log(cause.times) >= _NOTABLE]
    return tuple(sorted(notable, key=lambda cause: -cause.times))


def _cause(name: str, here: float, usual: float, words: str) -> Cause:
    return Cause(name, here / usual if usual else 1.0, here, usual, words)


def _dearer(times: float, model: str, usual_model: str) -> str:
    asked = f"mostly {model}" if model else "another mix of tokens"
    instead = f", not {usual_model}" if usual_model and model and usual_model != model else ""
    return f"a token costs {_times(times)} the usual ({asked}{instead})"


def _times(factor: float) -> str:
    return f"{factor:,.0f} times" if factor >= 10 else f"{factor:.1f} times"


def _percent(share: float) -> str:
    percent = share * 100
    return f"{percent:.0f} %" if percent >= 10 or percent == 0 else f"{percent:.1f} %"


def hit_rate(sums: Sums) -> float:
    """The share of all tokens read that came from the provider's cache."""
    return sums.cache_read / sums.input if sums.input else 0.0


def saved(sums: Sums) -> int:
    """Everything that was saved, in micro-USD."""
    return sums.saved_cache + sums.saved_route + sums.saved_trim


def named(keys: Sequence[str], values: Sequence[str | None]) -> Mapping[str, str | None]:
    """A line's keys by their names."""
    return dict(zip(keys, values, strict=True))
