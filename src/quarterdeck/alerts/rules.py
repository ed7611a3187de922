"""From what was measured to alerts that begin, go on and end. Pure.

A trouble has a key, and is raised once under it: a threshold once in a window and for each limit. Whatever is raised
stays until it is clearly over, so that nothing flickers about a border: what it takes to stay is less than to begin.
"""

from collections.abc import Iterable, Sequence
from datetime import datetime, timedelta
from statistics import median

from quarterdeck.alerts import exhaustion, wording
from quarterdeck.alerts.keys import Standing, key_in, key_of
from quarterdeck.alerts.records import (
    Alert,
    Changes,
    Ended,
    Facts,
    Finding,
    Hours,
    Kind,
    Presumed,
    Severity,
)
from quarterdeck.core.clock import moment

JUMP, JUMP_OVER = 3.0, 2.0
"""Times the usual spending of this hour that are a spike, and below which it is over."""
JUMP_BLIND = 5.0
"""The same against the hour before, where there is no history to compare with."""
DAYS = 3
"""Days of history that make an hour's spending usual."""
LEAST = 1_000_000
"""Micro-USD an hour below which no jump is worth a person's time."""
WAIT, WAIT_OVER = 30.0, 10.0
"""Seconds that a run has waited for a provider when that is worth telling, and below which it is over."""
REFRESH = timedelta(minutes=1)
"""How old the figures of an alert that stands may become."""
OF_BUDGETS = (Kind.THRESHOLD, Kind.PROJECTED, Kind.UNCOVERED)


def judge(facts: Facts, standing: Sequence[Alert]) -> Changes:
    """What follows from the facts for the alerts that stand. The same facts again change nothing."""
    keys = {(alert.tenant, alert.key): alert for alert in standing}
    by_subject: Standing = {(alert.tenant, alert.kind, alert.subject): alert for alert in standing}
    found = {(one.tenant, one.key): one for one in _findings(facts, frozenset(keys), by_subject)}
    return Changes(
        begun=tuple(one for key, one in found.items() if key not in keys),
        going_on=tuple(
            (keys[key], one) for key, one in found.items() if key in keys and _is_news(keys[key], one, facts.at)
        ),
        ended=tuple(Ended(alert, _why_over(alert, facts)) for key, alert in keys.items() if key not in found),
    )


def _findings(facts: Facts, known: exhaustion.Known, by_subject: Standing) -> Iterable[Finding]:
    yield from exhaustion.thresholds(facts, known)
    yield from exhaustion.projections(facts, by_subject)
    yield from exhaustion.uncovered(facts)
    yield from _spikes(facts, by_subject)
    yield from (_presumed(one) for one in facts.presumed)
    yield from _troubles(facts, by_subject)


def _spikes(facts: Facts, by_subject: Standing) -> Iterable[Finding]:
    for hours in facts.hours:
        subject = f"agent:{hours.agent}" if hours.agent else "tenant"
        standing = by_subject.get((hours.tenant, Kind.SPIKE, subject))
        usual, jump = _usual(hours)
        if standing is not None:
            jump = min(jump, JUMP_OVER)
        if usual is None or hours.now < LEAST or hours.now < jump * usual:
            continue
        same_hour = len(hours.same_hour) >= DAYS
        yield Finding(
            tenant=hours.tenant,
            kind=Kind.SPIKE,
            severity=Severity.WARNING,
            subject=subject,
            key=key_in(Kind.SPIKE, subject, _hour(facts.at), standing),
            words=wording.jumped(hours, usual, same_hour),
            facts={
                "spent_micro_usd": hours.now,
                "usual_micro_usd": usual,
                "against": "same_hour" if same_hour else "hour_before",
                "times": round(hours.now / usual, 1),
            },
            agent=hours.agent,
        )


def _usual(hours: Hours) -> tuple[int | None, float]:
    """What is usual at this hour and how many times that is a spike; None where nothing can be compared with."""
    if len(hours.same_hour) >= DAYS:
        # Of quiet hours any call would be a multiple: what is worth telling is a multiple of something.
        return max(int(median(hours.same_hour)), LEAST // 4), JUMP
    return (hours.hour_before, JUMP_BLIND) if hours.hour_before > 0 else (None, JUMP_BLIND)


def _presumed(one: Presumed) -> Finding:
    subject = f"agent:{one.agent}"
    amount = wording.amount(one.micro_usd, "usd")
    return Finding(
        tenant=one.tenant,
        kind=Kind.PRESUMED,
        severity=Severity.NOTICE,
        subject=subject,
        key=key_of(Kind.PRESUMED, subject, one.last_at.date()),
        words=f"{one.calls} calls of agent {one.agent} never got an answer; {amount} is presumed spent.",
        facts={"calls": one.calls, "presumed_micro_usd": one.micro_usd},
        count=one.calls,
        agent=one.agent,
    )


def _troubles(facts: Facts, by_subject: Standing) -> Iterable[Finding]:
    for one in facts.troubles:
        subject = f"{one.provider}/{one.model}" if one.model else one.provider
        standing = by_subject.get((None, one.kind, subject))
        is_open = one.kind is Kind.OPEN
        if not is_open and one.longest < (WAIT_OVER if standing is not None else WAIT):
            continue
        yield Finding(
            tenant=None,
            kind=one.kind,
            severity=Severity.CRITICAL if is_open else Severity.WARNING,
            subject=subject,
            key=key_in(one.kind, subject, _hour(facts.at), standing),
            words=wording.left_alone(subject, one.until, facts.at) if is_open else wording.turned_away(one),
            facts={
                "provider": one.provider,
                "model": one.model,
                "waiting": one.waiting,
                "longest_s": round(one.longest),
                "until": moment(one.until),
            },
            count=max(1, one.waiting),
        )


def _why_over(alert: Alert, facts: Facts) -> str:
    return exhaustion.why_over(alert, facts) if alert.kind in OF_BUDGETS else "it is over"


def _is_news(alert: Alert, finding: Finding, now: datetime) -> bool:
    """Whether what stands is worth writing anew: at once when it is about more, else once in a while."""
    if alert.count != finding.count or alert.severity is not finding.severity:
        return True
    return alert.facts != finding.facts and now - alert.last_at >= REFRESH


def _hour(at: datetime) -> datetime:
    return at.replace(minute=0, second=0, microsecond=0)
