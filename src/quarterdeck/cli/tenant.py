"""`quarterdeck tenant`: who shares this deployment. For deployment admins."""

from typing import TYPE_CHECKING, Annotated

import typer

from quarterdeck.cli.arguments import JsonFlag, LimitOption
from quarterdeck.cli.connect import deck
from quarterdeck.cli.screen import Screen

if TYPE_CHECKING:
    from quarterdeck.sdk.holdings import Tenant

app = typer.Typer(add_completion=False, no_args_is_help=True, help="Found and list tenants.")


@app.command(epilog="Example: qd tenant create acme --name 'Acme Ltd'")
def create(
    slug: Annotated[str, typer.Argument(help="Lower-case letters, digits and dashes; for URLs and commands.")],
    name: Annotated[str | None, typer.Option(help="For people.")] = None,
    max_running: Annotated[int | None, typer.Option(min=1, help="Runs executing at once.")] = None,
    queue_limit: Annotated[int | None, typer.Option(min=1, help="Queued runs before submits get 429.")] = None,
    json: JsonFlag = False,
) -> None:
    """Found a tenant. Make its first key with `qd key create NAME --role owner --tenant SLUG`."""
    tenant = deck(admin=True).tenants.create(slug, name, max_running=max_running, queue_limit=queue_limit)
    Screen(json=json).facts(tenant, _facts(tenant))


@app.command("list", epilog="Example: qd tenant list")
def list_(limit: LimitOption = 100, json: JsonFlag = False) -> None:
    """All tenants, by slug."""
    Screen(json=json).table(
        deck(admin=True).tenants.list(limit=limit).all(),
        [
            ("tenant", lambda tenant: tenant.slug),
            ("name", lambda tenant: tenant.name),
            ("max running", lambda tenant: tenant.max_running),
            ("queue limit", lambda tenant: tenant.queue_limit),
            ("founded", lambda tenant: tenant.created_at),
            ("disabled", lambda tenant: tenant.disabled_at),
        ],
    )


@app.command(epilog="Example: qd tenant disable acme")
def disable(slug: str, json: JsonFlag = False) -> None:
    """Refuse a tenant's keys from now on."""
    tenant = deck(admin=True).tenants.disable(slug)
    Screen(json=json).facts(tenant, _facts(tenant))


@app.command(epilog="Example: qd tenant enable acme")
def enable(slug: str, json: JsonFlag = False) -> None:
    """Let a tenant in again."""
    tenant = deck(admin=True).tenants.enable(slug)
    Screen(json=json).facts(tenant, _facts(tenant))


def _facts(tenant: "Tenant") -> list[tuple[str, object]]:
    return [
        ("tenant", tenant.slug),
        ("id", tenant.id),
        ("name", tenant.name),
        ("max running", tenant.max_running),
        ("queue limit", tenant.queue_limit),
        ("founded", tenant.created_at),
        ("disabled", tenant.disabled_at),
    ]
