"""What alerts say to people, and the record of one that API, webhooks and log show."""

from datetime import datetime, timedelta

from quarterdeck.alerts.records import Account, Alert, Hours, Trouble
from quarterdeck.core.clock import moment
from quarterdeck.core.json import Json
from quarterdeck.core.money import MicroUsd
from quarterdeck.core.money import show as usd


def show(alert: Alert) -> dict[str, Json]:
    """The public record of an alert."""
    return {
        "alert_id": str(alert.id),
        "kind": alert.kind,
        "severity": alert.severity,
        "state": state_of(alert),
        "subject": alert.subject,
        "agent": alert.agent,
        "words": alert.words,
        "facts": alert.facts,
        "count": alert.count,
        "deployment": alert.tenant is None,
        "raised_at": moment(alert.raised_at),
        "last_at": moment(alert.last_at),
        "resolved_at": moment(alert.resolved_at),
        "resolved_why": alert.resolved_why,
        "acknowledged_at": moment(alert.acknowledged_at),
        "acknowledged_by": alert.acknowledged_by,
    }


def state_of(alert: Alert) -> str:
    """`resolved`, `acknowledged` by somebody, or `raised`."""
    if alert.resolved_at is not None:
        return "resolved"
    return "raised" if alert.acknowledged_at is None else "acknowledged"


def amount(value: int, unit: str) -> str:
    """An amount of a budget in its own unit."""
    return usd(MicroUsd(value)) if unit == "usd" else f"{value:,} tokens"


def whose(account: Account) -> str:
    """A budget's account for people."""
    name = f"budget {account.budget}"
    return f"{name} of {account.scope} {account.one}" if account.one else name


def used(worst: Account, accounts: int, level: int, now: datetime) -> str:
    """A threshold in words. `worst` is the account that has used most of its limit."""
    spent, limit = amount(worst.spent, worst.unit), amount(worst.limit, worst.unit)
    if accounts > 1:
        return (
            f"{accounts} {worst.scope}s have used {level} % of budget {worst.budget} or more; "
            f"most used {spent} of {limit} by {worst.one}{_renews(worst, now)}."
        )
    return _sentence(f"{whose(worst)}: {spent} of {limit} used ({int(worst.share)} %){_renews(worst, now)}")


def will_run_out(account: Account, at: datetime, now: datetime) -> str:
    """A projection in words."""
    left = amount(max(0, account.limit - account.spent), account.unit)
    return _sentence(
        f"{whose(account)} will be used up in {span(at - now)} at this pace: {left} left{_renews(account, now)}"
    )


def uncovered(account: Account, accounts: int, total: int) -> str:
    """Spending beyond reservations in words."""
    more = f" in {accounts} accounts" if accounts > 1 else ""
    return _sentence(
        f"budget {account.budget}: calls cost {amount(total, account.unit)} more{more} than was reserved for them"
    )


def jumped(hours: Hours, usual: int, same_hour: bool) -> str:
    """A jump of spending in words."""
    who = f"agent {hours.agent}" if hours.agent else "the tenant"
    than = "usual at this hour" if same_hour else "in the hour before"
    return _sentence(f"{who} spent {usd(MicroUsd(hours.now))} in the last hour; {usd(MicroUsd(usual))} {than}")


def left_alone(route: str, until: datetime | None, now: datetime) -> str:
    """An open circuit in words."""
    lasting = f" for {span(until - now)}" if until is not None and until > now else ""
    return f"Model {route} fails again and again and is left alone{lasting}."


def turned_away(trouble: Trouble) -> str:
    """A provider that lets less through than is asked of it, in words."""
    what = f"model {trouble.model} of provider {trouble.provider}" if trouble.model else f"provider {trouble.provider}"
    waiting = "run waits" if trouble.waiting == 1 else "runs wait"
    longest = span(timedelta(seconds=trouble.longest))
    return _sentence(f"{what} is at its limit: {trouble.waiting} {waiting} for their turn, the first for {longest}")


def span(time: timedelta) -> str:
    """A time for people: 40 s, 12 min, 3 h, 5 days."""
    seconds = max(0, int(time.total_seconds()))
    for unit, words in ((86_400, "days"), (3_600, "h"), (60, "min")):
        if seconds >= 2 * unit:
            return f"{seconds // unit} {words}"
    return f"{seconds} s"


def _renews(account: Account, now: datetime) -> str:
    return "" if account.renews_at is None else f", renews in {span(account.renews_at - now)}"


def _sentence(text: str) -> str:
    return f"{text[:1].upper()}{text[1:]}."
