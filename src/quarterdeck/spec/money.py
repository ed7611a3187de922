"""What an author says about spending: budgets, in the words of LiteLLM, and how much of a conversation is shown."""

from collections.abc import Iterator, Sequence
from decimal import Decimal
from typing import Annotated, ClassVar

from pydantic import Field

from quarterdeck.spec import values
from quarterdeck.spec.document import Document
from quarterdeck.spec.findings import Finding
from quarterdeck.spec.section import Section
from quarterdeck.spec.values import BudgetScope, Duration, Window

_MICRO = 1_000_000
AT_ONCE = frozenset({BudgetScope.REQUEST, BudgetScope.RUN, BudgetScope.THREAD})
"""What is over one day: what it may spend does not renew."""
_WINDOWS = {
    Duration.HOUR: Window.HOUR,
    Duration.DAY: Window.DAY,
    Duration.MONTH: Window.MONTH,
    Duration.TOTAL: Window.TOTAL,
}
_LIVE = "how often something may be asked is live: an operator sets it with `qd budget set`"


class BudgetSection(Section):
    """The most that may be spent, for each request, run, thread, user or in the whole agent."""

    scope: Annotated[values.BudgetScope, Field(strict=False)] = Field(
        description="For each `request`, `run`, `thread` or `user`, or for the whole `agent`. Budgets of the tenant "
        "and of the deployment are live, not part of a release.",
        examples=["run"],
    )
    max_budget: values.Usd | None = Field(default=None, description="US dollars.", examples=[0.5])
    max_tokens: values.BudgetTokens | None = Field(default=None, description="Tokens read and written.")
    budget_duration: Annotated[values.Duration, Field(strict=False)] = Field(
        default=values.Duration.TOTAL,
        description="When it renews: `1h`, `1d` or `month`; `total`, the default, never does.",
        examples=["1d"],
    )

    INSTEAD: ClassVar[dict[str, str]] = {
        "rpm_limit": _LIVE,
        "tpm_limit": _LIVE,
        "limit": "write `max_budget` (US dollars) or `max_tokens`",
        "max_cost": "write `max_budget`, in US dollars",
        "window": "write `budget_duration`: `1h`, `1d`, `month` or `total`",
    }


class ContextSection(Section):
    """How much of a conversation the model is shown. Left out = all of it."""

    max_tokens: values.ContextTokens | None = Field(
        default=None, description="Above this, older parts are shortened.", examples=[30000]
    )
    max_turns: values.Turns | None = Field(default=None, description="More turns than this are shortened.")
    keep_turns: values.Turns = Field(default=6, description="The latest turns, which stay as they are if they fit.")
    summarise: bool = Field(
        default=True, description="Is what is left out summarised by a model? Otherwise its beginnings stand there."
    )
    results_over: values.ResultBytes = Field(
        default=2_000, description="Bytes above which an older tool result becomes a reference that can be read again."
    )


def budget_findings(document: Document, budgets: Sequence[BudgetSection]) -> Iterator[Finding]:
    """What is wrong with the budgets, in order."""
    seen: dict[tuple[BudgetScope, Duration], int] = {}
    for at, budget in enumerate(budgets):
        place = document.place(("budgets", at))
        if budget.max_budget is None and budget.max_tokens is None:
            yield Finding(
                place, f"`budgets[{at}]` limits nothing", "add `max_budget: 0.50` (US dollars) or `max_tokens`"
            )
        if budget.max_budget is not None and micro_usd(budget.max_budget) is None:
            where = document.place(("budgets", at, "max_budget"))
            yield Finding(where, f"{budget.max_budget} has more than six decimals", "write at most six")
        if budget.scope in AT_ONCE and budget.budget_duration is not Duration.TOTAL:
            where = document.key(("budgets", at, "budget_duration"))
            problem = f"what a {budget.scope} may spend does not renew"
            yield Finding(where, problem, "remove `budget_duration`, or limit each `user` or the `agent`")
        key = (budget.scope, budget.budget_duration)
        if key in seen:
            problem = f"`budgets[{seen[key]}]` is about the same scope and time"
            yield Finding(place, problem, "put `max_budget` and `max_tokens` into one")
        seen.setdefault(key, at)


def context_findings(document: Document, context: ContextSection) -> Iterator[Finding]:
    """What is wrong with the context policy."""
    if context.max_turns is not None and context.max_turns < context.keep_turns:
        problem = f"{context.keep_turns} turns are kept, and no more than {context.max_turns} may be there"
        yield Finding(document.place(("context", "max_turns")), problem, "keep fewer (`keep_turns`) or allow more")


def micro_usd(dollars: float) -> int | None:
    """Dollars as integer micro-USD; None for parts of one."""
    micro = Decimal(str(dollars)) * _MICRO
    return int(micro) if micro == int(micro) else None


def window_of(duration: Duration) -> Window:
    """The window that a duration means."""
    return _WINDOWS[duration]
