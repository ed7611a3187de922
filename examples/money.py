"""The part of the demo that is about money and about what goes in and out: a customer with a long list and a small
budget, a message that is too long, an answer with somebody's address in it, and what all of it cost.
"""

import secrets
from collections.abc import Iterator
from datetime import datetime

from quarterdeck.sdk import Quarterdeck, Run
from quarterdeck.sdk.usage import UsageReport

ERRANDS = "five-things-to-sort-out"
"""The conversation whose budget ends before it does."""
CARRIER = "who-brings-the-lamp"
"""The conversation in which the model gives an address away."""
PLAYED_HERE = {ERRANDS, CARRIER}
MAY_SPEND = 0.005
"""US dollars: enough for a refund and a ticket, not for all five things. A last answer is paid from it too."""


def new_customer(tenant: str) -> str:
    """Somebody who has spent nothing yet today, however often the demo is played."""
    return f"dora-{secrets.randbelow(9000) + 1000}@{tenant}.example"


def limit(deck: Quarterdeck, customer: str) -> str:
    """Set what this customer may spend, live; what was set, in words."""
    why = "wrote two hundred messages yesterday"
    deck.budgets.put("one-customer", "user", customer, max_budget=MAY_SPEND, budget_duration="1d", why=why)
    return f"{customer} may spend ${MAY_SPEND:.4f} a day, because the customer {why}"


def pasted() -> str:
    """A message that nobody means to be read: a whole thread of mails, pasted."""
    mail = "On Monday I wrote to you that the parcel had not come, and you wrote back that it would come. "
    return "Here is everything that we have written to each other so far. Please look into it.\n\n" + mail * 80


def ending(run: Run) -> Iterator[str]:
    """How a run ended that had to stop: what its user reads, and what it leaves to whoever goes on."""
    if run.result is None:
        return
    yield "  what the customer reads"
    yield from (f"    {line}".rstrip() for line in run.result.text.splitlines())
    left = run.result.handoff
    if left is None:
        return
    yield "  what it leaves to the team"
    for title, lines in (("done", left.done), ("left", left.left), ("why", [left.why])):
        for at, line in enumerate(lines):
            yield f"    {'' if at else title:<5} {line}"


def found(deck: Quarterdeck, run: Run) -> str:
    """What the guardrails of a run found, in words; the log holds no more of it."""
    judged = (event.data.get("findings") for event in deck.runs.events(run.run_id).items)
    findings = [one for several in judged if isinstance(several, list) for one in several if isinstance(one, dict)]
    return "; ".join(f"{one.get('check')}: {one.get('what')}" for one in findings) or "nothing"


def bill(report: UsageReport) -> str:
    """What was spent, by agent, in one sentence."""
    by_agent = ", ".join(
        f"{line.keys.get('agent')} ${line.estimated_cost_usd:.4f} in {line.calls} calls" for line in report.lines
    )
    total = report.total
    return f"all of it cost ${total.estimated_cost_usd:.4f} for {total.calls} questions to models: {by_agent}"


def spent(admin: Quarterdeck, since: datetime) -> UsageReport:
    """Calls and cost of all tenants by agent, as `qd usage report --by agent --deployment` shows them."""
    return admin.acting(tenant="").usage.report(["agent"], since=since)
