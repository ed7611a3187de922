"""`quarterdeck key`: keys of a tenant, or of the deployment."""

from typing import TYPE_CHECKING, Annotated

import typer

from quarterdeck.cli.arguments import JsonFlag, LimitOption, TenantOption
from quarterdeck.cli.connect import deck
from quarterdeck.cli.screen import Screen

if TYPE_CHECKING:
    from quarterdeck.sdk.holdings import Key

app = typer.Typer(add_completion=False, no_args_is_help=True, help="Make, list and revoke API keys.")


@app.command(epilog="Example: qd key create web-shop --role caller --may-assert-user --agent support-desk")
def create(
    name: Annotated[str, typer.Argument(help="What the key is for.")],
    role: Annotated[
        list[str], typer.Option(help="owner, operator, developer, reviewer, auditor or caller; several times for more.")
    ] = [],  # noqa: B006
    agent: Annotated[list[str], typer.Option(help="Only for this agent; several times for more.")] = [],  # noqa: B006
    days: Annotated[float | None, typer.Option(min=0.001, help="Days for which it works.")] = None,
    may_assert_user: Annotated[
        bool, typer.Option("--may-assert-user", help="May name the end user that it acts for.")
    ] = False,
    deployment: Annotated[bool, typer.Option("--deployment", help="A deployment admin's key.")] = False,
    tenant: TenantOption = "",
    json: JsonFlag = False,
) -> None:
    """Make a key. Its secret is printed this once, alone on standard output."""
    key = deck(admin=deployment, tenant=tenant).keys.create(
        name,
        role or ([] if deployment else ["caller"]),
        agents=agent or None,
        expires_in_s=None if days is None else int(days * 86_400),
        may_assert_user=may_assert_user,
        deployment=deployment,
    )
    screen = Screen(json=json)
    if json:
        screen.value(key)
        return
    screen.note(f"key {key.id} ({', '.join(key.roles)}), shown this once:")
    print(key.secret or "")


@app.command("list", epilog="Example: qd key list")
def list_(limit: LimitOption = 100, tenant: TenantOption = "", json: JsonFlag = False) -> None:
    """The tenant's keys, without their secrets."""
    Screen(json=json).table(
        deck(tenant=tenant).keys.list(limit=limit).all(),
        [
            ("key", lambda key: key.id),
            ("name", lambda key: key.name),
            ("status", lambda key: key.status),
            ("roles", lambda key: key.roles),
            ("agents", lambda key: key.agents),
            ("expires", lambda key: key.expires_at),
            ("last used", lambda key: key.last_used_at),
            ("made by", lambda key: key.created_by),
        ],
    )


@app.command(epilog="Example: qd key rotate k3j9 --overlap 3600")
def rotate(
    key_id: Annotated[str, typer.Argument(metavar="KEY", help="The key's id.")],
    overlap: Annotated[int, typer.Option(min=0, help="Seconds for which the old secret still works.")] = 0,
    tenant: TenantOption = "",
    json: JsonFlag = False,
) -> None:
    """Make a key with the same rights and let the old one run out."""
    key: Key = deck(tenant=tenant).keys.rotate(key_id, overlap)
    screen = Screen(json=json)
    if json:
        screen.value(key)
        return
    screen.note(f"key {key.id}, shown this once:")
    print(key.secret or "")


@app.command(epilog="Example: qd key revoke k3j9")
def revoke(
    key_id: Annotated[str, typer.Argument(metavar="KEY", help="The key's id.")],
    tenant: TenantOption = "",
    json: JsonFlag = False,
) -> None:
    """End a key, with the sessions and tokens made from it. It is refused everywhere within seconds."""
    deck(tenant=tenant).keys.revoke(key_id)
    Screen(json=json).facts({"revoked": key_id}, [("revoked", key_id)])
