"""Options and arguments that many commands share, so that they are called and explained alike."""

from typing import Annotated, TypeAlias

import typer

JsonFlag: TypeAlias = Annotated[bool, typer.Option("--json", help="Print JSON: stable, for scripts.")]
TenantOption: TypeAlias = Annotated[
    str, typer.Option("--tenant", metavar="SLUG", help="Act in this tenant; for deployment admins.")
]
LimitOption: TypeAlias = Annotated[int, typer.Option("--limit", "-n", min=1, help="At most so many.")]
WhyOption: TypeAlias = Annotated[str, typer.Option("--why", help="The reason, shown to people.")]
RunArgument: TypeAlias = Annotated[str, typer.Argument(metavar="RUN", help="A run's id, or `last` for the newest.")]


def pairs(given: list[str], option: str) -> dict[str, str]:
    """`name=value` options as a mapping. Raises BadParameter for what is none."""
    found: dict[str, str] = {}
    for pair in given:
        name, equals, value = pair.partition("=")
        if not equals or not name:
            raise typer.BadParameter(f"{pair!r} is not NAME=VALUE", param_hint=option)
        found[name] = value
    return found
