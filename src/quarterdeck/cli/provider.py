"""`quarterdeck provider`: connections to model providers. For deployment admins."""

import os
from typing import TYPE_CHECKING, Annotated

import msgspec
import typer

from quarterdeck.cli.arguments import JsonFlag, pairs
from quarterdeck.cli.connect import deck
from quarterdeck.cli.screen import Screen
from quarterdeck.core.json import Json, decode

if TYPE_CHECKING:
    from quarterdeck.sdk.holdings import PaceRate, Provider

app = typer.Typer(add_completion=False, no_args_is_help=True, help="Connect model providers.")

KeyFrom = Annotated[
    str, typer.Option("--key-from", metavar="VARIABLE", help="The variable that holds its key, such as OPENAI_API_KEY.")
]
SecretOption = Annotated[
    str, typer.Option("--secret", metavar="NAME", help="A secret of the deployment instead, resolved when it is used.")
]
OptionOption = Annotated[
    list[str], typer.Option("--option", metavar="NAME=VALUE", help="A setting of the connection; JSON or text.")
]


@app.command(epilog="Example: qd provider add openai --kind openai --key-from OPENAI_API_KEY")
def add(
    name: Annotated[str, typer.Argument(help="What `model.provider` in agent.yaml says.")],
    kind: Annotated[
        str, typer.Option(help="openai, openai_compatible, ollama, anthropic, google, recorded or scripted.")
    ],
    url: Annotated[str | None, typer.Option(help="Its address; left out, the vendor's own service.")] = None,
    key_from: KeyFrom = "",
    secret: SecretOption = "",
    option: OptionOption = [],  # noqa: B006
    agent: Annotated[list[str], typer.Option(help="Only for this agent; several times for more.")] = [],  # noqa: B006
    json: JsonFlag = False,
) -> None:
    """Connect a provider. Its key is sealed to its address, and never shown again.

    The key comes from a variable and not from the command line, where everybody on the machine could read it.
    """
    provider = deck(admin=True).providers.create(
        name,
        kind,
        base_url=url,
        key=key_of(key_from, secret),
        options=options_of(option) or None,
        agents=agent or None,
    )
    Screen(json=json).facts(provider, _facts(provider))


@app.command("list", epilog="Example: qd provider list")
def list_(json: JsonFlag = False) -> None:
    """Every connection, by name."""
    Screen(json=json).table(
        deck(admin=True).providers.list().all(),
        [
            ("provider", lambda provider: provider.name),
            ("kind", lambda provider: provider.kind),
            ("address", lambda provider: provider.base_url),
            ("key", lambda provider: "sealed" if provider.has_key else ""),
            ("agents", lambda provider: provider.agents),
            ("changed", lambda provider: provider.updated_at),
        ],
        empty="no providers; connect one with `qd provider add NAME --kind KIND`",
    )


@app.command(epilog="Example: qd provider update openai --key-from OPENAI_API_KEY")
def update(
    name: str,
    url: Annotated[str | None, typer.Option(help="A new address; a new origin needs the key again.")] = None,
    key_from: KeyFrom = "",
    secret: SecretOption = "",
    option: OptionOption = [],  # noqa: B006
    json: JsonFlag = False,
) -> None:
    """Change a connection's address, key or settings; what is left out stays. Workers follow within seconds."""
    client = deck(admin=True).providers
    options = {**client.get(name).options, **options_of(option)} if option else None
    provider = client.update(name, base_url=url, key=key_of(key_from, secret), options=options)
    Screen(json=json).facts(provider, _facts(provider))


@app.command(epilog="Example: qd provider pace openai")
def pace(name: str, json: JsonFlag = False) -> None:
    """How fast a provider is asked, what its limits are known from, and who waits."""
    Screen(json=json).table(
        deck(admin=True).providers.pace(name).all(),
        [
            ("model", lambda pace: pace.model or "all"),
            ("key", lambda pace: pace.key[:8]),
            ("requests a minute", lambda pace: _rate(pace.requests)),
            ("tokens a minute", lambda pace: _rate(pace.tokens)),
            ("from", lambda pace: pace.requests.learned_from or pace.tokens.learned_from),
            ("held until", lambda pace: pace.held_until),
            ("refusals", lambda pace: pace.refusals),
            ("waiting", lambda pace: pace.waiting + pace.called),
        ],
        empty="nothing is known of its limits: it takes all that it is asked",
    )


@app.command(epilog="Example: qd provider remove openai")
def remove(name: str, json: JsonFlag = False) -> None:
    """Remove a connection. Runs whose release names it fail their next question to a model."""
    deck(admin=True).providers.remove(name)
    Screen(json=json).facts({"removed": name}, [("removed", name)])


def key_of(variable: str, secret: str = "") -> str | None:
    """The key in a variable of the environment, or the name of a secret. Raises BadParameter where it is not set."""
    if variable and secret:
        raise typer.BadParameter("give either --key-from or --secret", param_hint="--secret")
    if secret:
        return f"secret://{secret}"
    if not variable:
        return None
    key = os.environ.get(variable, "")
    if not key:
        raise typer.BadParameter(f"the variable {variable} is not set", param_hint="--key-from")
    return key


def options_of(given: list[str]) -> dict[str, Json]:
    """`name=value` options, values as JSON where they are some, else as text."""
    found: dict[str, Json] = {}
    for name, value in pairs(given, "--option").items():
        try:
            found[name] = decode(value)
        except msgspec.DecodeError:
            found[name] = value
    return found


def _rate(rate: "PaceRate") -> str:
    return "" if rate.limit is None else f"{rate.used:,.0f} of {rate.limit:,.0f}"


def _facts(provider: "Provider") -> list[tuple[str, object]]:
    return [
        ("provider", provider.name),
        ("kind", provider.kind),
        ("address", provider.base_url),
        ("key", "sealed" if provider.has_key else ""),
        ("options", [f"{name}={value}" for name, value in provider.options.items()]),
        ("agents", provider.agents),
        ("changed", provider.updated_at),
    ]
