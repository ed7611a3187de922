"""`quarterdeck secret`: what tools and providers need and nobody else may read."""

import os
import sys
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Annotated

import typer

from quarterdeck.cli.arguments import JsonFlag, LimitOption, TenantOption
from quarterdeck.cli.connect import deck
from quarterdeck.cli.screen import Screen

if TYPE_CHECKING:
    from quarterdeck.sdk import Quarterdeck
    from quarterdeck.sdk.holdings import Secret

app = typer.Typer(add_completion=False, no_args_is_help=True, help="Keep secrets for tools and providers.")

NameArgument = Annotated[str, typer.Argument(metavar="NAME", help="What `secret://NAME` says.")]
DeploymentFlag = Annotated[
    bool, typer.Option("--deployment", help="The deployment's own, for keys of providers; for its admins.")
]


@app.command("set", epilog="Example: qd secret set GITHUB_TOKEN --due-in 90 < token.txt")
def set_(
    name: NameArgument,
    value_from: Annotated[
        str, typer.Option("--from", metavar="VARIABLE", help="Take it from this variable of the environment.")
    ] = "",
    keep: Annotated[bool, typer.Option("--keep", help="Leave its value as it is; change what is said of it.")] = False,
    description: Annotated[str | None, typer.Option(help="For people.")] = None,
    due_in: Annotated[
        int | None, typer.Option("--due-in", min=0, metavar="DAYS", help="When it should have a new value; 0 = never.")
    ] = None,
    tenant: TenantOption = "",
    deployment: DeploymentFlag = False,
    json: JsonFlag = False,
) -> None:
    """Keep a secret or give it a new value. Asks for it, or reads it from standard input when that is no terminal.

    It is never an argument: everybody on the machine could read it there. One line break at its end does not count.
    """
    value = None if keep else value_of(name, value_from)
    due_at = datetime.now(UTC) + timedelta(days=due_in) if due_in else None
    kept = _deck(tenant, deployment).secrets.set(
        name, value, description=description, due_at=due_at, never_due=due_in == 0
    )
    Screen(json=json).facts(kept, _facts(kept))


@app.command("list", epilog="Example: qd secret list")
def list_(
    limit: LimitOption = 100, tenant: TenantOption = "", deployment: DeploymentFlag = False, json: JsonFlag = False
) -> None:
    """Secrets by name, never their values."""
    _table(_deck(tenant, deployment).secrets.list(limit=limit).all(), json=json)


@app.command(epilog="Example: qd secret due")
def due(tenant: TenantOption = "", deployment: DeploymentFlag = False, json: JsonFlag = False) -> None:
    """Secrets that should have a new value by now."""
    _table(_deck(tenant, deployment).secrets.list(due=True).all(), json=json)


@app.command(epilog="Example: qd secret remove GITHUB_TOKEN")
def remove(
    name: NameArgument, tenant: TenantOption = "", deployment: DeploymentFlag = False, json: JsonFlag = False
) -> None:
    """Remove a secret with all its values. Calls that need it fail from then on."""
    _deck(tenant, deployment).secrets.remove(name)
    Screen(json=json).facts({"removed": name}, [("removed", name)])


@app.command("rotate-key", epilog="Example: qd secret rotate-key --deployment")
def rotate_key(tenant: TenantOption = "", deployment: DeploymentFlag = False, json: JsonFlag = False) -> None:
    """Seal a tenant's secrets under a new key. With --deployment: bring all keys under the present master secret.

    To change the master secret: QUARTERDECK_VAULT_KEY is the new one, QUARTERDECK_VAULT_KEYS_BEFORE the old one;
    restart, rotate with --deployment, then take the old one away.
    """
    rotated = _deck(tenant, deployment).secrets.rotate_key()
    Screen(json=json).facts(rotated, [("values sealed anew", rotated.values), ("keys wrapped anew", rotated.keys)])


def value_of(name: str, variable: str) -> str:
    """A secret's value, from a variable, from standard input, or asked for. Raises BadParameter where there is none."""
    if variable:
        value = os.environ.get(variable, "")
        if not value:
            raise typer.BadParameter(f"the variable {variable} is not set", param_hint="--from")
        return value
    if sys.stdin.isatty():
        return str(typer.prompt(f"value of {name}", hide_input=True, err=True))
    value = sys.stdin.read().removesuffix("\n").removesuffix("\r")
    if not value:
        raise typer.BadParameter("standard input holds no value; pipe it in, or use --from VARIABLE")
    return value


def _deck(tenant: str, deployment: bool) -> "Quarterdeck":
    if deployment:
        return deck(admin=True).acting(tenant="")
    return deck(tenant=tenant)


def _table(secrets: "list[Secret]", *, json: bool) -> None:
    Screen(json=json).table(
        secrets,
        [
            ("secret", lambda secret: secret.name),
            ("version", lambda secret: secret.version),
            ("set", lambda secret: secret.set_at),
            ("by", lambda secret: secret.set_by),
            ("due", lambda secret: secret.due_at),
            ("leaks", lambda secret: secret.leaks or None),
            ("description", lambda secret: secret.description),
        ],
        empty="no secrets",
    )


def _facts(secret: "Secret") -> list[tuple[str, object]]:
    return [
        ("secret", secret.name),
        ("reference", secret.reference),
        ("version", secret.version),
        ("description", secret.description),
        ("due", secret.due_at),
        ("set", secret.set_at),
        ("by", secret.set_by),
    ]
