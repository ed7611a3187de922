"""Accounts and hours for tests, and what stands after they were judged."""

from collections.abc import Sequence
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID

from quarterdeck.alerts.records import Account, Alert, AlertId, Changes, Facts, Hours
from quarterdeck.alerts.rules import judge
from quarterdeck.core.ids import TenantId, uuid7

BEGAN = datetime(2026, 6, 9, tzinfo=UTC)
NOW = BEGAN + timedelta(hours=12)
RENEWS = BEGAN + timedelta(days=1)
ACME = TenantId(UUID(int=1))
USD = 1_000_000


def account(spent: float = 0.0, limit: float = 10.0, **more: Any) -> Account:
    """A day's budget of the tenant, in dollars."""
    present = Account(
        tenant=ACME,
        budget="all-day",
        scope="tenant",
        one="",
        each=False,
        window="day",
        unit="usd",
        limit=int(limit * USD),
        spent=int(spent * USD),
        reserved=0,
        uncovered=0,
        began_at=BEGAN,
        renews_at=RENEWS,
    )
    return replace(present, **more)


def of_user(user: str, spent: float, **more: Any) -> Account:
    """An account of a budget that each user has."""
    return account(spent, budget="each-user", scope="user", one=user, each=True, **more)


def hours(now: float, *same_hour: float, before: float = 0.0) -> Hours:
    """What the tenant spent, in dollars."""
    return Hours(ACME, None, int(now * USD), tuple(int(one * USD) for one in same_hour), int(before * USD))


class Deck:
    """What stands, as the store would keep it."""

    def __init__(self) -> None:
        self.standing: list[Alert] = []
        self.told: set[str] = set()
        self.last = Changes()

    def look(self, *accounts: Account, at: datetime = NOW, **more: Any) -> list[str]:
        """Judge, keep, and say what was raised: its words."""
        facts = Facts(at, accounts, **more)
        changes = self.last = judge(facts, self.standing)
        ended = {one.alert.id for one in changes.ended}
        anew = {alert.id: finding for alert, finding in changes.going_on}
        self.standing = [
            _renewed(alert, anew, at) if alert.id in anew else alert for alert in self.standing if alert.id not in ended
        ]
        raised = [one for one in changes.begun if one.key not in self.told]
        self.told |= {one.key for one in raised}
        self.standing += [
            Alert(
                *(AlertId(uuid7()), one.tenant, one.kind, one.severity, one.subject, one.key, one.words, one.facts),
                *(at, at, one.count, one.agent),
            )
            for one in raised
        ]
        return [one.words for one in raised]

    @property
    def ended(self) -> Sequence[str]:
        """Why alerts ended when last looked at."""
        return [one.why for one in self.last.ended]


def _renewed(alert: Alert, anew: dict[AlertId, Any], at: datetime) -> Alert:
    finding = anew[alert.id]
    return replace(alert, words=finding.words, facts=finding.facts, count=finding.count, last_at=at)
