"""Budgets in LiteLLM's words, as people write them and are shown them: dollars and durations, exact to a micro-USD."""

import math
import re
from datetime import datetime
from decimal import Decimal

from quarterdeck.budgets.forecast import projected_at
from quarterdeck.budgets.records import ALERTS, Account, Budget, Unit, Window
from quarterdeck.budgets.suggest import Measured, Suggestion
from quarterdeck.core.clock import moment
from quarterdeck.core.errors import Invalid
from quarterdeck.core.json import Json
from quarterdeck.core.money import MicroUsd, to_usd
from quarterdeck.http.fixes import invalid

DURATIONS = {Window.HOUR: "1h", Window.DAY: "1d", Window.MONTH: "month", Window.TOTAL: "total"}
"""What each window is called."""
_WINDOWS = {word: window for window, word in DURATIONS.items()} | {
    "hour": Window.HOUR,
    "day": Window.DAY,
    "1mo": Window.MONTH,
}
_LIKE = {
    "s": "rpm_limit or tpm_limit, or 1h",
    "m": "rpm_limit or tpm_limit, or 1h",
    "h": "1h or 1d",
    "d": "1d or month",
}
_DOLLARS = re.compile(r"[0-9]{1,9}(?:\.[0-9]{1,6})?")
_LENGTH = re.compile(r"[0-9]+([smhd])")
MOST_USD = 999_999_999
"""Dollars of a limit, at most."""
UNITS = {Unit.USD: "micro_usd", Unit.TOKENS: "tokens", Unit.REQUESTS: "requests"}
"""What amounts of an account are counted in, for people."""


def micro_of(amount: float | str, place: str = "body.max_budget") -> int:
    """Dollars as micro-USD, exactly. Raises Invalid for what is no such amount, with the fix."""
    if isinstance(amount, str):
        if not _DOLLARS.fullmatch(amount):
            raise _no_dollars(place)
        dollars = Decimal(amount)
    elif isinstance(amount, bool) or not math.isfinite(amount):
        raise _no_dollars(place)
    else:
        dollars = Decimal(str(amount))
    if dollars < 0:
        raise invalid(place, "a limit is not negative", "send 0 to let nothing be spent, or an amount above it")
    if dollars > MOST_USD:
        raise invalid(place, "this is more than can be limited", f"send at most {MOST_USD}, or leave it out")
    micro = dollars * 1_000_000
    if micro != micro.to_integral_value():
        raise invalid(place, "this is finer than a millionth of a dollar", "send at most six decimals")
    return int(micro)


def window_of(duration: str, place: str = "body.budget_duration") -> Window:
    """The window that a duration means. Raises Invalid with what comes closest."""
    window = _WINDOWS.get(duration)
    if window is not None:
        return window
    length = _LENGTH.fullmatch(duration)
    instead = _LIKE[length[1]] if length else "1h, 1d, month or total"
    problem = "budgets renew with the hour, the day or the month" if length else "this is no duration that budgets have"
    raise invalid(place, problem, f"send {instead}")


def usd(micro: int | None) -> float | None:
    """Dollars for the public record. Exact: no limit has more digits than a JSON number carries."""
    return None if micro is None else to_usd(MicroUsd(micro))


def show(budget: Budget) -> dict[str, Json]:
    """What was set, as `BudgetRecord` without its spending."""
    return {
        "name": budget.name,
        "source": "deployment" if budget.tenant is None else "tenant",
        "agent": None,
        "release": None,
        "scope": budget.scope,
        "target": budget.target,
        "budget_duration": DURATIONS[budget.window],
        "max_budget": usd(budget.max_micro_usd),
        "max_tokens": budget.max_tokens,
        "rpm_limit": budget.rpm_limit,
        "tpm_limit": budget.tpm_limit,
        "alert_at": budget.alert_at,
        "why": budget.why,
        "set_by": budget.set_by,
        "created_at": moment(budget.created_at),
        "updated_at": moment(budget.updated_at),
    }


def show_account(account: Account, now: datetime) -> dict[str, Json]:
    """How an account stands, as `AccountRecord`."""
    used = account.spent + account.uncovered
    return {
        "account": account.whose,
        "unit": UNITS[account.unit],
        "limit": account.limit,
        "spent": account.spent,
        "reserved": account.reserved,
        "uncovered": account.uncovered,
        "presumed": account.presumed,
        "left": account.left,
        "used_percent": used_percent(used, account.limit),
        "began_at": moment(account.starts),
        "renews_at": moment(account.ends),
        "projected_at": moment(projected_at(used, account.limit, account.starts, account.ends, now)),
    }


def show_suggestion(measured: Measured, found: Suggestion, over: tuple[int, int], target: str) -> dict[str, Json]:
    """What use suggests, as `SuggestionRecord`."""
    duration = DURATIONS[measured.window]
    money, tokens = usd(found.max_micro_usd), found.max_tokens
    return {
        "scope": measured.scope,
        "target": target,
        "budget_duration": duration,
        "since": moment(measured.since),
        "until": moment(measured.until),
        "samples": measured.samples,
        "instances": measured.instances,
        "windows": measured.windows,
        "max_budget": {
            "p50": usd(measured.micro_usd.p50),
            "p99": usd(measured.micro_usd.p99),
            "max": usd(measured.micro_usd.max),
            "suggested": money,
            "over": over[0],
        },
        "max_tokens": {
            "p50": measured.tokens.p50,
            "p99": measured.tokens.p99,
            "max": measured.tokens.max,
            "suggested": tokens,
            "over": over[1],
        },
        "words": found.words,
        "warnings": list(found.warnings),
        "budget": {
            "scope": measured.scope,
            "target": target,
            "budget_duration": duration,
            "max_budget": money,
            "max_tokens": tokens,
            "rpm_limit": None,
            "tpm_limit": None,
            "alert_at": ALERTS,
            "why": found.words,
        },
    }


def used_percent(used: int, limit: int) -> float:
    """Per cent of a limit that is used, to a tenth; a limit of nothing is used up."""
    return 100.0 if limit <= 0 else round(100 * used / limit, 1)


def _no_dollars(place: str) -> Invalid:
    return invalid(place, "this is no amount of US dollars", 'send a number such as 0.50, or as text "0.50"')
