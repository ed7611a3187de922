"""`quarterdeck webhook`: endpoints that are told what happens, and what became of each message."""

from typing import TYPE_CHECKING, Annotated

import typer

from quarterdeck.cli.arguments import JsonFlag, LimitOption, TenantOption
from quarterdeck.cli.connect import deck
from quarterdeck.cli.screen import Screen

if TYPE_CHECKING:
    from quarterdeck.sdk.holdings import Delivery, Webhook

app = typer.Typer(add_completion=False, no_args_is_help=True, help="Register webhooks and see their deliveries.")

IdArgument = Annotated[str, typer.Argument(metavar="WEBHOOK", help="The endpoint's id.")]


@app.command(epilog="Example: qd webhook add https://example.com/hooks --kind run.finished")
def add(
    url: Annotated[str, typer.Argument(help="http or https; must lead to public addresses.")],
    kind: Annotated[list[str], typer.Option(help="What it is told of; several times for more.")] = ["*"],  # noqa: B006
    description: Annotated[str, typer.Option(help="For people.")] = "",
    tenant: TenantOption = "",
    json: JsonFlag = False,
) -> None:
    """Register an endpoint. The secret that signs its messages is printed this once, alone on standard output."""
    webhook = deck(tenant=tenant).webhooks.create(url, kind, description)
    screen = Screen(json=json)
    if json:
        screen.value(webhook)
        return
    screen.note(f"webhook {webhook.id}; its secret, shown this once:")
    print(webhook.secret or "")


@app.command("list", epilog="Example: qd webhook list")
def list_(limit: LimitOption = 100, tenant: TenantOption = "", json: JsonFlag = False) -> None:
    """Endpoints in the order they were registered."""
    Screen(json=json).table(
        deck(tenant=tenant).webhooks.list(limit=limit).all(),
        [
            ("webhook", lambda webhook: webhook.id),
            ("url", lambda webhook: webhook.url),
            ("kinds", lambda webhook: webhook.kinds),
            ("enabled", lambda webhook: webhook.enabled),
            ("failing since", lambda webhook: webhook.failing_since),
        ],
    )


@app.command(epilog="Example: qd webhook deliveries 0190d2a4-... --state dead")
def deliveries(
    webhook_id: IdArgument,
    state: Annotated[str | None, typer.Option(help="pending, delivered or dead.")] = None,
    limit: LimitOption = 50,
    tenant: TenantOption = "",
    json: JsonFlag = False,
) -> None:
    """What was sent to an endpoint in the last 30 days, newest first."""
    Screen(json=json).table(
        deck(tenant=tenant).webhooks.deliveries(webhook_id, state=state, limit=limit).all(),
        [
            ("delivery", lambda delivery: delivery.id),
            ("kind", lambda delivery: delivery.kind),
            ("state", lambda delivery: delivery.state),
            ("tries", lambda delivery: delivery.tries),
            ("answer", lambda delivery: delivery.last_status or delivery.last_error),
            ("made", lambda delivery: delivery.created_at),
            ("next", lambda delivery: delivery.next_at),
        ],
    )


@app.command("test", epilog="Example: qd webhook test 0190d2a4-...")
def send_test(webhook_id: IdArgument, tenant: TenantOption = "", json: JsonFlag = False) -> None:
    """Send a `webhook.test` message; look at the deliveries to see how it went."""
    _show_delivery(deck(tenant=tenant).webhooks.test(webhook_id), json=json)


@app.command(epilog="Example: qd webhook redeliver 0190d2a4-... 0190d2a5-...")
def redeliver(
    webhook_id: IdArgument,
    delivery_id: Annotated[str, typer.Argument(metavar="DELIVERY")],
    tenant: TenantOption = "",
    json: JsonFlag = False,
) -> None:
    """Send a message again under the same id."""
    _show_delivery(deck(tenant=tenant).webhooks.redeliver(webhook_id, delivery_id), json=json)


@app.command(epilog="Example: qd webhook rotate 0190d2a4-...")
def rotate(
    webhook_id: IdArgument,
    overlap: Annotated[int, typer.Option(min=0, help="Seconds for which older secrets sign along.")] = 86_400,
    tenant: TenantOption = "",
    json: JsonFlag = False,
) -> None:
    """Give an endpoint a fresh secret, printed this once."""
    rotated = deck(tenant=tenant).webhooks.rotate(webhook_id, overlap)
    if json:
        Screen(json=True).value(rotated)
    else:
        print(rotated.secret or "")


@app.command(epilog="Example: qd webhook disable 0190d2a4-...")
def disable(webhook_id: IdArgument, tenant: TenantOption = "", json: JsonFlag = False) -> None:
    """Leave an endpoint alone until it is enabled again."""
    _show(deck(tenant=tenant).webhooks.update(webhook_id, enabled=False), json=json)


@app.command(epilog="Example: qd webhook enable 0190d2a4-...")
def enable(webhook_id: IdArgument, tenant: TenantOption = "", json: JsonFlag = False) -> None:
    """Send to an endpoint again, and forget how it failed."""
    _show(deck(tenant=tenant).webhooks.update(webhook_id, enabled=True), json=json)


@app.command(epilog="Example: qd webhook remove 0190d2a4-...")
def remove(webhook_id: IdArgument, tenant: TenantOption = "", json: JsonFlag = False) -> None:
    """Remove an endpoint with its secrets and its log."""
    deck(tenant=tenant).webhooks.remove(webhook_id)
    Screen(json=json).facts({"removed": webhook_id}, [("removed", webhook_id)])


def _show(webhook: "Webhook", *, json: bool) -> None:
    Screen(json=json).facts(
        webhook,
        [
            ("webhook", webhook.id),
            ("url", webhook.url),
            ("kinds", webhook.kinds),
            ("enabled", webhook.enabled),
            ("why not", webhook.disabled_reason),
        ],
    )


def _show_delivery(delivery: "Delivery", *, json: bool) -> None:
    Screen(json=json).facts(
        delivery,
        [
            ("delivery", delivery.id),
            ("kind", delivery.kind),
            ("state", delivery.state),
            ("tries", delivery.tries),
            ("next", delivery.next_at),
        ],
    )
