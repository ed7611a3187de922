"""What the support desk can do: look at the signed-in customer's orders, pay a refund, leave a ticket for a person.

Whose orders they are is not an argument: it comes from the run, so the model can't ask for somebody else's.
"""

from typing import Annotated

from pydantic import Field
from shop import MESSAGES, Order, Refused, Shop

from quarterdeck.tools.author import Context, ToolError, tool

Number = Annotated[int, Field(description="The order's number.", ge=1)]


@tool(effect="read", trust="trusted")
def list_orders(context: Context) -> list[dict[str, object]]:
    """List the customer's orders, the oldest first."""
    return [_shown(order) for order in _shop(context).orders()]


@tool(effect="read", trust="trusted")
def get_order(number: Number, context: Context) -> dict[str, object]:
    """Look an order up: item, amount paid and refunded, state, and whether its return window is open."""
    try:
        return _shown(_shop(context).order(number))
    except Refused as fault:
        raise ToolError(f"{fault} `list_orders` shows all of them.") from fault


@tool(effect="read")
def read_messages(number: Number) -> list[dict[str, str]]:
    """Read the messages about an order, from customer, desk and seller, the oldest first."""
    return [{"from": author, "text": text} for author, text in MESSAGES.get(number, ())]


@tool
def refund_order(
    number: Number,
    amount_cents: Annotated[int, Field(description="What to pay back, in cents: 4950 is $49.50.", ge=1)],
    reason: Annotated[str, Field(description="Why, in one sentence, for the ledger.", min_length=3, max_length=500)],
    context: Context,
) -> dict[str, object]:
    """Pay money back for an order. Paid at once and not taken back."""
    try:
        refund, before = _shop(context).refund(context.key, number, amount_cents, reason)
    except Refused as fault:
        raise ToolError(str(fault)) from fault
    return {"refund": refund, "order": number, "amount": _money(amount_cents), "status": _status(before)}


@tool(effect="write", repeat="keyed", trust="trusted")
def open_ticket(
    number: Number,
    summary: Annotated[
        str, Field(description="What a person has to know and to decide.", min_length=10, max_length=2000)
    ],
    context: Context,
) -> dict[str, object]:
    """Leave an order for a person of the team, who answers within one working day."""
    return {"ticket": _shop(context).ticket(context.key, number, summary), "answer_within": "one working day"}


def _shop(context: Context) -> Shop:
    return Shop(context.tenant, context.user)


def _shown(order: Order) -> dict[str, object]:
    # `order` and not `id` or `number`: a trusted record vouches for its id, and here only the customer's words shall
    # say which order is refunded without a question.
    return {
        "order": order.number,
        "item": order.item,
        "paid": _money(order.paid),
        "refunded": _money(order.refunded),
        "state": order.state,
        "return_window": order.window,
        "note": order.note,
    }


def _money(cents: int) -> str:
    return f"${cents / 100:.2f}"


def _status(before: bool) -> str:
    return "was paid before" if before else "paid"
