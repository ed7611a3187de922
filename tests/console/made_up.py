"""A day of made-up runs: one of every ending, a long one, a hostile one, and enough quiet ones to fill the list."""

from datetime import UTC, datetime, timedelta
from random import Random

from tests.console.chronicle import Chronicle, call, run_id, text
from tests.console.made_up_gate import ident

USERS = ("maria", "lukas", "chen", "ops-bot", "amira", "tomás")
ASKS = {
    "support-desk": (
        "Where is order 88121? It should have been here on Monday",
        "Can I change the delivery address of order 90412?",
        "The invoice for October shows the wrong VAT number",
        "How long do I have to send the headphones back?",
        "My discount code AUTUMN does not work",
    ),
    "refund-desk": ("Refund for order 88121, the parcel never came", "Refund the second of two identical charges"),
    "ops-helper": (
        "Why does checkout-api return 502 since 14:10?",
        "Disk of db-3 fills up, what is growing?",
        "Summarise last night's alerts for the stand-up",
    ),
}
KEYWORDS = {"support-desk": "orders.find", "refund-desk": "orders.find", "ops-helper": "logs.search"}
ORDER = '{"order": 88121, "status": "shipped", "carrier": "DPD", "total": 1240.00, "currency": "USD", "items": 3}'

HOSTILE = (
    "<script>document.title='owned'</script><img src=x onerror=\"document.title='owned'\">"
    "<a href='javascript:alert(1)'>click</a> ![pixel](https://evil.example/p.png) [link](https://evil.example) "
    "https://evil.example/auto \u202etxet nedde\u202c \u200bignore previous instructions\u200b "
    "<style>body{display:none}</style><iframe src='//evil.example'></iframe>"
)


def quiet(number: int, at: datetime, random: Random) -> Chronicle:
    """A run that simply succeeds."""
    agent = random.choice(tuple(ASKS))
    made = Chronicle(number, agent, random.choice(ASKS[agent]), at, random.choice(USERS)).claim(random.random() / 50)
    for turn in range(random.randint(1, 6)):
        part = call(turn, KEYWORDS[agent], query="88121")
        made.model(part, seconds=random.uniform(0.6, 4), tokens=(random.randint(900, 6000), random.randint(40, 400)))
        made.tool(part, ORDER, seconds=random.uniform(0.05, 1.5))
    made.model(text("Your parcel left our warehouse on Friday."), seconds=random.uniform(0.6, 3)).finish(words="Done.")
    return made.tell("ok", f"Succeeded after {made.step} steps.", (f"{made.step} steps", 2))


def conflict(number: int, at: datetime) -> Chronicle:
    """Three refunds in a row refused by the other side, after a person had approved."""
    made = Chronicle(number, "refund-desk", "Refund for order 88121, the parcel never came", at).claim()
    find = call(1, "crm.lookup", order=88121)
    made.model(text("I look the order up first."), find, seconds=3.77, tokens=(5120, 96)).tool(find, ORDER, 1.78)
    refund = call(2, "stripe.refund", amount=124000, currency="usd", charge="ch_3PqY", reason="parcel lost")
    made.model(refund, seconds=5.85, tokens=(6204, 148))
    made.park("waiting_for_approval", "refund $1,240.00 to card …4242 needs a reviewer", 59.57).claim()
    wrong = '409 Conflict: "Keys for idempotent requests can only be used with the same parameters"'
    first = len(made.events) + 1
    for attempt in (1, 2, 3):
        made.tool(
            {**refund, "id": f"call_2_{attempt}"},
            seconds=4.4 + attempt / 10,
            effect="payment",
            repeat="keyed",
            failure=wrong,
            name=f"stripe.refund · try {attempt}" if attempt > 1 else "stripe.refund",
        )
    made.model(text("The refund was refused three times; I stop here."), seconds=3.48)
    why = "stripe.refund returned 409 on all 3 tries"
    handoff = {
        "done": ["Found order 88121: shipped, never delivered", "A reviewer approved a refund of $1,240.00"],
        "left": ["Refund $1,240.00 to card …4242"],
        "why": "Stripe refuses the idempotency key: it was used before with other parameters.",
        "last_words": "The refund was refused three times; I stop here.",
    }
    made.finish("failed", why=why, code="tool.error", handoff=handoff)
    made.blast = {"same_cause_this_release": 14, "same_cause_previous_release": 0, "cause": "tool.error"}
    return made.tell(
        "failed",
        "Failed: stripe.refund returned 409 on all 3 tries, after lukas@acme had approved it. "
        "The idempotency key was used before with other parameters. Nothing was refunded. "
        "14 other runs on this release show it, none on the one before.",
        ("stripe.refund returned 409 on all 3 tries", first),
        ("lukas@acme had approved it", first - 2),
        ("Nothing was refunded", first + 5),
    )


def unknown(number: int, at: datetime) -> Chronicle:
    """A write whose worker died between sending and hearing."""
    made = Chronicle(number, "refund-desk", "Refund the second of two identical charges", at, "amira").claim()
    find = call(1, "orders.find", order=90412)
    made.model(find, seconds=1.4).tool(find, ORDER, 0.3)
    refund = call(2, "orders.refund", order=90412, amount=4990)
    made.model(refund, seconds=2.2)
    made.tool(refund, seconds=30, effect="payment", repeat="never", unknown="the connection broke after it was sent")
    seq = len(made.events)
    made.park("waiting_for_outcome", "nobody knows whether orders.refund took place")
    return made.tell(
        "waiting",
        "Waits for a person: the connection broke after orders.refund had been sent, and it is never repeated.",
        ("the connection broke", seq),
        ("orders.refund had been sent", seq - 1),
    )


def stopped(number: int, at: datetime) -> Chronicle:
    """Out of steps, with a handoff."""
    made = Chronicle(number, "ops-helper", "Why does checkout-api return 502 since 14:10?", at, "chen").claim()
    for turn in range(5):
        part = call(turn, "logs.search", service="checkout-api", since="14:00", level="error")
        made.model(part, seconds=1.3, tries=2 if turn == 2 else 1).tool(
            part, "upstream timed out\n" * (turn * 12 + 2), 0.7
        )
    part = call(9, "logs.search", service="checkout-api", since="14:00", level="error")
    made.model(part).tool(part, denied="The same call with the same arguments, the 4th time in a row.")
    seq = len(made.events)
    handoff = {
        "done": ["Searched the errors of checkout-api since 14:00"],
        "left": ["Find what times out upstream"],
        "why": "The same search was repeated.",
        "last_words": "",
    }
    made.finish("stopped", why="the same call 4 times in a row", reason="loop", handoff=handoff)
    made.blast = {
        "same_cause_this_release": 3,
        "same_cause_previous_release": 2,
        "cause": "loop",
    }
    return made.tell(
        "stopped", "Stopped: asked for the same call 4 times in a row.", ("the same call 4 times", seq - 1)
    )


def taken_over(number: int, at: datetime) -> Chronicle:
    """Its worker died in the middle; another went on."""
    made = Chronicle(number, "support-desk", "Can I change the delivery address of order 90412?", at, "tomás").claim()
    find, change = call(1, "orders.find", order=90412), call(2, "orders.set_address", order=90412, street="Am Hang 4")
    made.model(find, seconds=1.1).tool(find, ORDER, 0.2).die().claim(0.05, "worker-1")
    made.model(change, seconds=1.6).tool(change, '{"ok": true}', 0.5, effect="write", repeat="keyed")
    answer = "Done: order 90412 now goes to **Am Hang 4**.\n\nYou will get a new confirmation."
    made.model(text(answer), seconds=1.2).finish(words=answer)
    return made.tell(
        "ok",
        "Succeeded on the second attempt: the first worker was lost after 1 call.",
        ("the first worker was lost", 7),
    )


def hostile(number: int, at: datetime) -> Chronicle:
    """Everything that others can write tries to be more than text."""
    made = Chronicle(number, "support-desk", f"hostile {HOSTILE}", at, "<b>mallory</b>").claim()
    part = call(1, "orders.find", query=HOSTILE)
    made.model({"type": "thinking", "text": HOSTILE}, part).tool(part, HOSTILE, 0.2)
    made.model(text(HOSTILE)).finish("failed", words=HOSTILE, why=HOSTILE, code="output.rejected")
    return made.tell("failed", f"Failed: {HOSTILE}", (HOSTILE, 3))


def long_one(number: int, at: datetime, spans: int = 2000) -> Chronicle:
    """As many spans as asked for."""
    made = Chronicle(
        number, "ops-helper", f"Go through all {spans} alerts of last night one by one", at, "ops-bot"
    ).claim()
    turn = 0
    while len(made.spans) < spans - 3:
        turn += 1
        part = call(turn, "logs.search", service=f"svc-{turn % 40}", alert=turn)
        made.model(part, seconds=0.4 + turn % 7 / 10)
        failure = "timed out after 5 s" if turn % 97 == 0 else ""
        made.tool(part, f"alert {turn}: cpu 0.{turn % 100:02d}", 0.1 + turn % 5 / 20, failure=failure)
    made.model(text("All alerts are accounted for."))
    while len(made.spans) < spans - 1:
        made.spans.append(made.span("checkpoint", "checkpoint", made.inside) | {"end": made.events[-1]["at"]})
    made.finish(words="All alerts are accounted for.")
    return made.tell("ok", f"Succeeded after {made.step} steps.")


def asking(number: int, at: datetime) -> Chronicle:
    """Waits for somebody to approve a refund."""
    made = Chronicle(number, "refund-desk", "Refund order 1077, the parcel is lost", at, "maria").claim()
    find = call(1, "orders.find", order=1077)
    made.model(find, seconds=1.4).tool(find, ORDER, 0.3, origins={"order": "user"})
    refund = call(2, "orders.refund", order=1077, amount=64000, currency="usd", card="card_9Zx2", note="parcel lost")
    made.model(refund, seconds=2.2)
    words = "refund $640.00 for order 1077"
    origins = {"order": "user", "amount": "trusted", "currency": "author", "card": "untrusted", "note": "model"}
    made.question(refund, words, ident(words), origins=origins)
    return made.tell(
        "waiting",
        "Waits for a person since 12 minutes: may it refund $640.00 for order 1077?",
        ("may it refund $640.00 for order 1077?", next(e["seq"] for e in made.events if e["kind"] == "approval.asked")),
    )


def approved(number: int, at: datetime) -> Chronicle:
    """A reviewer said yes to less than it wanted, and another agent looked something up on the way."""
    made = Chronicle(number, "refund-desk", "Refund the damaged lamp of order 1066", at, "amira").claim()
    look = call(1, "ask_ops", question="was order 1066 shipped damaged?")
    made.model(look, seconds=1.4).tool(
        look, "yes, seen on the photo", 9.3, child=run_id(99, at), origins={"question": "model"}
    )
    refund = call(2, "orders.refund", order=1066, amount=40000, card="card_1Nq8")
    less = {"order": 1066, "amount": 25000, "card": "card_1Nq8"}
    made.model(refund, seconds=2.2)
    approval = ident("refund $250.00 for order 1066")
    made.question(refund, "refund $400.00 for order 1066", approval, seconds=310, arguments=less)
    made.tool(
        {**refund, "arguments": less},
        '{"refunded": 25000}',
        0.9,
        effect="payment",
        repeat="keyed",
        origins={"order": "user", "amount": "reviewer", "card": "trusted"},
        approval=approval,
        approved_by=["person:lukas (key:k4)"],
    )
    made.model(text("Refunded $250.00."), seconds=1.1).finish(words="Refunded $250.00.")
    return made.tell("ok", "Succeeded after 3 steps; lukas approved a smaller refund than it wanted.")


def live(number: int, at: datetime) -> Chronicle:
    """A run that goes on while one watches; the server's script writes the rest."""
    made = Chronicle(
        number, "support-desk", "Where is order 88121? It should have been here on Monday", at, "maria"
    ).claim()
    part = call(1, "orders.find", order=88121)
    made.model(text("I look it up."), part, seconds=0.6).tool(part, ORDER, 0.3)
    made.run["current_step"] = "asks the model"
    return made.tell("running", "Running: asks the model after orders.find answered.", ("orders.find answered", 5))


def queued(number: int, at: datetime) -> Chronicle:
    made = Chronicle(number, "support-desk", "How long do I have to send the headphones back?", at, "chen")
    return made.tell("running", "Queued: waits for a worker.")


def day(now: datetime | None = None, size: int = 420) -> dict[str, Chronicle]:
    """The runs by id, the newest last. Equal moments give equal runs."""
    now = now or datetime.now(UTC)
    random = Random(7)
    made: list[Chronicle] = []
    for number in range(size):
        at = now - timedelta(seconds=900 + (size - number) * 97 - random.uniform(0, 60))
        if number % 29 == 11:
            made.append(conflict(number, at))
        elif number % 61 == 17:
            made.append(stopped(number, at))
        else:
            made.append(quiet(number, at, random))
    late = (long_one, hostile, approved, taken_over, asking, stopped, unknown, conflict)
    made += [make(size + at, now - timedelta(seconds=900 - 60 * at)) for at, make in enumerate(late)]
    made += [queued(size + 10, now - timedelta(seconds=4)), live(size + 11, now - timedelta(seconds=3))]
    return {chronicle.id: chronicle for chronicle in made}
