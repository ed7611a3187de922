"""What the accounts of budgets say: used up to a level, used up too early, overrun. Pure."""

from collections.abc import Callable, Iterable, Sequence
from datetime import datetime, timedelta
from typing import TypeAlias

from quarterdeck.alerts import wording
from quarterdeck.alerts.keys import Standing, key_in, key_of
from quarterdeck.alerts.records import Account, Alert, Facts, Finding, Kind, Severity
from quarterdeck.budgets.forecast import runs_out_at
from quarterdeck.core.clock import moment
from quarterdeck.core.ids import TenantId
from quarterdeck.core.json import Json

MARGIN = 5.0
"""Per cent points by which use must fall below a level before an alert about it ends within its window."""
FULL = 98
"""Per cent that are all: calls reserve their worst case, so that the last of a limit can hardly be spent."""
EARLIEST = 0.1
"""The part of a window that must have passed before it says anything about the rest."""
WORTH = 20.0
"""Per cent of a limit below which nothing is projected: one call early in a window proves nothing."""
AHEAD = timedelta(days=1)
"""How far ahead the end of a budget that never renews is told."""
_NAMED = 5
"""Accounts that an alert about many names."""

Known: TypeAlias = frozenset[tuple[TenantId | None, str]]
"""The keys of what stands."""


def thresholds(facts: Facts, known: Known) -> Iterable[Finding]:
    """The highest level that each account has reached; accounts of one budget at one level are one alert."""
    groups: dict[tuple[TenantId | None, str], tuple[int, list[Account]]] = {}
    for account in facts.accounts:
        level = _level(account, lambda level, of=account: (of.tenant, _threshold_key(of, level)) in known)
        if level:
            groups.setdefault((account.tenant, _threshold_key(account, level)), (level, []))[1].append(account)
    for (tenant, key), (level, accounts) in groups.items():
        worst = max(accounts, key=lambda one: (one.share, one.one))
        count = max(len(accounts), *(one.alike for one in accounts))
        yield Finding(
            tenant=tenant,
            kind=Kind.THRESHOLD,
            severity=_severity(level),
            subject=_subject(worst),
            key=key,
            words=wording.used(worst, count, level, facts.at),
            facts={**_of_account(worst), "level": level, "accounts": _named(accounts)},
            count=count,
            agent=worst.agent,
        )


def _level(account: Account, stands: Callable[[int], bool]) -> int:
    """The highest level reached, 0 = none. One that stands is left only well below it.

    Not so where each has the budget by itself: there the alert is about all who have reached a level, and counts them.
    """
    for level in sorted(account.alert_at, reverse=True):
        if account.share >= min(level, FULL):
            return level
        if not account.each and stands(level) and account.share >= level - MARGIN:
            return level
    return 0


def _threshold_key(account: Account, level: int) -> str:
    """One alert for a window, a limit and a level: after a limit was changed its levels are news again."""
    return key_of(Kind.THRESHOLD, _subject(account), account.began_at, account.limit, level)


def projections(facts: Facts, by_subject: Standing) -> Iterable[Finding]:
    """Budgets that will be used up too early at their present pace; of those for each one alone nothing is said."""
    for account in facts.accounts:
        subject = _subject(account)
        if account.each or account.share >= 100 or account.share < WORTH:
            continue
        standing = by_subject.get((account.tenant, Kind.PROJECTED, subject))
        at = _ends_too_early(account, facts.at, held=standing is not None)
        if at is None:
            continue
        yield Finding(
            tenant=account.tenant,
            kind=Kind.PROJECTED,
            severity=Severity.WARNING,
            subject=subject,
            key=key_in(Kind.PROJECTED, subject, f"{account.began_at} {facts.at.date()}", standing),
            words=wording.will_run_out(account, at, facts.at),
            facts={**_of_account(account), "projected_at": moment(at)},
            agent=account.agent,
        )


def _ends_too_early(account: Account, now: datetime, *, held: bool) -> datetime | None:
    """When the account will be used up, where that is too early. `held`: it was so when last looked at."""
    at = runs_out_at(account.spent, account.limit, account.began_at, now)
    if at is None:
        return None
    passed = now - account.began_at
    if account.renews_at is None:
        soon = AHEAD * 1.5 if held else AHEAD
        return at if passed >= timedelta(hours=1) and at - now < soon else None
    window = account.renews_at - account.began_at
    border = account.renews_at if held else account.renews_at - window * 0.05
    return at if passed >= window * EARLIEST and at < border else None


def uncovered(facts: Facts) -> Iterable[Finding]:
    """Budgets in which calls cost more than was reserved for them."""
    groups: dict[tuple[TenantId | None, str], list[Account]] = {}
    for account in facts.accounts:
        if account.uncovered > 0:
            key = key_of(Kind.UNCOVERED, _subject(account), account.began_at)
            groups.setdefault((account.tenant, key), []).append(account)
    for (tenant, key), accounts in groups.items():
        worst = max(accounts, key=lambda one: (one.uncovered, one.one))
        total = sum(one.uncovered for one in accounts)
        yield Finding(
            tenant=tenant,
            kind=Kind.UNCOVERED,
            severity=Severity.WARNING,
            subject=_subject(worst),
            key=key,
            words=wording.uncovered(worst, len(accounts), total),
            facts={**_of_account(worst), "uncovered": total, "accounts": _named(accounts)},
            count=len(accounts),
            agent=worst.agent,
        )


def why_over(alert: Alert, facts: Facts) -> str:
    """Why an alert about a budget has ended."""
    names = alert.facts
    same = [one for one in facts.accounts if (one.tenant, _subject(one)) == (alert.tenant, alert.subject)]
    if not any(moment(one.began_at) == names.get("began_at") for one in same):
        renews = names.get("renews_at")
        over = isinstance(renews, str) and renews <= str(moment(facts.at))
        return "its window is over" if over else "little of it is used, or it was removed"
    if not any(one.limit == names.get("limit") for one in same):
        return "its limit was changed"
    if alert.kind is not Kind.THRESHOLD:
        return "spending has slowed down"
    level = names.get("level")
    higher = isinstance(level, int) and max(one.share for one in same) > level
    return "the next level was reached" if higher else "less is used than was reckoned"


def _severity(level: int) -> Severity:
    if level >= 100:
        return Severity.CRITICAL
    return Severity.WARNING if level >= 80 else Severity.NOTICE


def _subject(account: Account) -> str:
    """What an alert is about: a budget may limit both money and tokens, and hold for several by themselves."""
    one = "" if account.each or not account.one else f":{account.one}"
    return f"budget:{account.budget}{one}" + ("" if account.unit == "usd" else f" ({account.unit})")


def _of_account(account: Account) -> dict[str, Json]:
    return {
        "budget": account.budget,
        "scope": account.scope,
        "window": account.window,
        "unit": "micro_usd" if account.unit == "usd" else account.unit,
        "limit": account.limit,
        "spent": account.spent,
        "began_at": moment(account.began_at),
        "renews_at": moment(account.renews_at),
    }


def _named(accounts: Sequence[Account]) -> list[Json]:
    most = sorted(accounts, key=lambda one: (-one.share, one.one))[:_NAMED]
    return [{"account": one.one, "spent": one.spent, "used_percent": int(one.share)} for one in most if one.one]
