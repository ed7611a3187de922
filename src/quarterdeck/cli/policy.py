"""`quarterdeck policy`: what a tenant forbids and has asked about, what that comes to, and what a change would do."""

import sys
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from quarterdeck.cli.arguments import JsonFlag, LimitOption, TenantOption, pairs
from quarterdeck.cli.connect import deck
from quarterdeck.cli.exits import Exit
from quarterdeck.cli.facts import members
from quarterdeck.cli.screen import Screen
from quarterdeck.core.json import Json, JsonObject, decode, encode_text

if TYPE_CHECKING:
    from quarterdeck.sdk.policies import ChangedCall, Finding, Policy, Simulation

app = typer.Typer(
    add_completion=False, no_args_is_help=True, help="Narrow what agents may do, and see what policies come to."
)

NameArgument = Annotated[str, typer.Argument(metavar="POLICY", help="The policy's name.")]
FileArgument = Annotated[str, typer.Argument(metavar="FILE", help="A file of Cedar; `-` reads it from a pipe.")]
AgentArgument = Annotated[str, typer.Argument(metavar="AGENT", help="An agent, `agent@version` or a release's id.")]
AgentOption = Annotated[str | None, typer.Option(help="One agent; left out = all.")]
ReasonOption = Annotated[str, typer.Option("--why", help="The reason, kept with the version.")]
MatchOption = Annotated[str, typer.Option("--if-match", help="The ETag of what it replaces, to be sure of it.")]


@app.command("list", epilog="Example: qd policy list")
def list_(limit: LimitOption = 100, tenant: TenantOption = "", json: JsonFlag = False) -> None:
    """The tenant's policies in force, by name."""
    Screen(json=json).table(
        deck(tenant=tenant).policies.list(limit=limit).all(),
        [
            ("policy", lambda policy: policy.name),
            ("version", lambda policy: policy.version),
            ("says", lambda policy: policy.says),
            ("why", lambda policy: policy.why),
            ("set by", lambda policy: policy.set_by),
            ("set", lambda policy: policy.set_at),
        ],
        empty="no policies of this tenant: agents may do what their releases grant",
    )


@app.command(epilog="Example: qd policy show refunds --version 2")
def show(
    name: NameArgument,
    version: Annotated[int | None, typer.Option(min=1, help="As it was then.")] = None,
    tenant: TenantOption = "",
    json: JsonFlag = False,
) -> None:
    """One policy: its text, what it says in words, who set it, when and why."""
    policy = deck(tenant=tenant).policies.get(name, version=version)
    screen = Screen(json=json)
    _facts(policy, screen)
    if not json:
        print(f"\n{(policy.text or '').rstrip()}")


@app.command(epilog="Example: qd policy history refunds")
def history(name: NameArgument, limit: LimitOption = 50, tenant: TenantOption = "", json: JsonFlag = False) -> None:
    """Every version of a policy, the newest first."""
    Screen(json=json).table(
        deck(tenant=tenant).policies.history(name, limit=limit).all(),
        [
            ("version", lambda policy: policy.version),
            ("set", lambda policy: policy.set_at),
            ("set by", lambda policy: policy.set_by),
            ("why", lambda policy: policy.why),
            ("says", lambda policy: policy.says or "(removed)"),
        ],
        empty=f"there has never been a policy {name}",
    )


@app.command("set", epilog="Example: qd policy set refunds refunds.cedar --why 'fraud in May'")
def set_(
    name: NameArgument,
    file: FileArgument,
    why: ReasonOption,
    if_match: MatchOption = "",
    tenant: TenantOption = "",
    json: JsonFlag = False,
) -> None:
    """Put a policy in force, at once and on every worker. It may forbid and ask; it never grants.

    Errors name line and column and how to put it right, with exit code 1. Try it first with `qd policy simulate`.
    """
    policy = deck(tenant=tenant).policies.put(name, _read(file), why, etag=if_match)
    screen = Screen(json=json)
    _facts(policy, screen)
    _warn(policy.warnings, screen)


@app.command(epilog="Example: qd policy remove refunds --why 'solved'")
def remove(
    name: NameArgument,
    why: ReasonOption,
    if_match: MatchOption = "",
    tenant: TenantOption = "",
    json: JsonFlag = False,
) -> None:
    """Put a policy out of force. Its history stays."""
    deck(tenant=tenant).policies.remove(name, why, etag=if_match)
    Screen(json=json).facts({"removed": name}, [("removed", name)])


@app.command(epilog="Example: qd policy check refunds.cedar --agent support-desk")
def check(
    file: FileArgument,
    agent: Annotated[
        str | None, typer.Option(help="An agent, `agent@version` or an id; left out = all current releases.")
    ] = None,
    tenant: TenantOption = "",
    json: JsonFlag = False,
) -> None:
    """Look a text through as a tenant's policy, without keeping it. Exit code 1 if there are errors."""
    text = _read(file)
    checked = deck(tenant=tenant).policies.check(text, release=agent)
    screen = Screen(json=json)
    if json:
        screen.value(checked)
    for finding in checked.findings:
        screen.line(_told(finding, file), "yellow" if finding.warning else "red")
    if any(not finding.warning for finding in checked.findings):
        raise SystemExit(Exit.ERROR)
    for sentence in checked.says:
        screen.line(sentence)


@app.command(epilog="Example: qd policy explain desk refund -a amount=500 -a to=DE89... --origin to=untrusted")
def explain(  # noqa: PLR0913  # what can be said of a call
    agent: AgentArgument,
    tool: Annotated[str, typer.Argument(help="The tool that would be called.")],
    argument: Annotated[
        list[str], typer.Option("--argument", "-a", metavar="NAME=VALUE", help="An argument; JSON or text.")
    ] = [],  # noqa: B006
    origin: Annotated[
        list[str],
        typer.Option(metavar="PATH=ORIGIN", help="Where an argument comes from; `user` where nothing is said."),
    ] = [],  # noqa: B006
    user: Annotated[str, typer.Option(help="The user that it would be for.")] = "",
    role: Annotated[list[str], typer.Option(help="A role of that user; once or several times.")] = [],  # noqa: B006
    claim: Annotated[list[str], typer.Option(metavar="NAME=VALUE", help="A claim; JSON or text.")] = [],  # noqa: B006
    tainted: Annotated[bool | None, typer.Option(help="Whether the run has read untrusted content.")] = None,
    approved: Annotated[bool, typer.Option("--approved", help="As if a person had said yes.")] = False,
    tenant: TenantOption = "",
    json: JsonFlag = False,
) -> None:
    """Ask what policies say of a call that nobody makes: the verdict, who decides, and what was looked at."""
    said = deck(tenant=tenant).policies.explain(
        agent,
        tool,
        _values(argument, "--argument"),
        user=user,
        roles=role,
        claims=_values(claim, "--claim"),
        origins=pairs(origin, "--origin"),
        tainted=tainted,
        approved=approved,
    )
    screen = Screen(json=json)
    screen.facts(
        said,
        [
            ("verdict", said.verdict),
            ("reason", said.reason),
            *[("decided by", f"{each.id}: {each.says}") for each in said.policies],
            *[("error", error) for error in said.errors],
            ("release", f"{said.agent}@{said.release[:12]}"),
            *[(f"saw {name}", _shown(value)) for name, value in members(said.context).items() if value not in ({}, [])],
        ],
    )


@app.command(epilog="Example: qd policy diff refunds --old 1 --new 3")
def diff(
    name: NameArgument,
    old: Annotated[int | None, typer.Option(min=1, help="A version; left out = the one before.")] = None,
    new: Annotated[int | None, typer.Option(min=1, help="A version; left out = the newest.")] = None,
    tenant: TenantOption = "",
    json: JsonFlag = False,
) -> None:
    """What two versions of a policy say differently, in words."""
    compared = deck(tenant=tenant).policies.compare(name, old, new)
    screen = Screen(json=json)
    if json:
        screen.value(compared)
    for change in compared.changes or ["they say the same"]:
        screen.line(change)


@app.command(epilog="Example: qd policy simulate refunds refunds.cedar --days 14")
def simulate(
    name: NameArgument,
    file: Annotated[str, typer.Argument(metavar="[FILE]", help="The changed text; left out = it is removed.")] = "",
    days: Annotated[int, typer.Option(min=1, max=90, help="How far back.")] = 7,
    agent: AgentOption = None,
    tenant: TenantOption = "",
    json: JsonFlag = False,
) -> None:
    """Run a changed policy over the calls of the last days, and list those that it would judge differently.

    Nothing is kept. With --json each part of the answer is a line.
    """
    screen, text = Screen(json=json), _read(file) if file else None
    parts = deck(tenant=tenant).policies.simulate(name, text, days=days, agent=agent)
    found: list[ChangedCall] = []
    calls = runs = unread = 0
    last: Simulation | None = None
    with screen.progress("judging the calls of the past"):
        for last in parts:
            if json:
                screen.stream(last)
            found += last.changed
            calls, runs, unread = calls + last.calls, runs + last.runs, unread + last.unread
    if json or last is None:
        return
    for change in last.changes:
        screen.note(change)
    screen.table(
        found,
        [
            ("run", lambda call: call.run),
            ("agent", lambda call: call.agent),
            ("tool", lambda call: call.tool),
            ("when", lambda call: call.at),
            ("then", lambda call: call.recorded),
            ("before", lambda call: call.before),
            ("after", lambda call: call.after),
            ("policies", lambda call: call.policies),
        ],
        empty="no call would have been judged differently",
    )
    missing = f", {unread} more can't be judged: their release or tool is gone" if unread else ""
    screen.note(f"{len(found)} of {calls} calls in {runs} runs would change{missing}")


@app.command(epilog="Example: qd policy who --tool refund")
def who(
    agent: AgentOption = None,
    tool: Annotated[str | None, typer.Option(help="One tool; left out = all.")] = None,
    user: Annotated[str | None, typer.Option(help="What holds for this user.")] = None,
    tenant: TenantOption = "",
    json: JsonFlag = False,
) -> None:
    """Who may do what: for each agent and tool allow, ask, deny, or what it depends on."""
    Screen(json=json).table(
        list(deck(tenant=tenant).policies.who(agent=agent, tool=tool, user=user)),
        [
            ("agent", lambda may: may.agent),
            ("tool", lambda may: may.tool),
            ("effect", lambda may: may.effect),
            ("verdict", lambda may: may.verdict),
            ("roles", lambda may: may.roles),
            ("autonomy", lambda may: may.autonomy),
            ("depends on", lambda may: [_condition(each.verb, each.when) for each in may.conditions if each.when]),
        ],
        empty="no agent has a tool",
    )


@app.command(epilog="Example: qd policy unused --days 90")
def unused(
    agent: AgentOption = None,
    days: Annotated[int, typer.Option(min=1, max=365, help="Not used for so many days.")] = 30,
    tenant: TenantOption = "",
    json: JsonFlag = False,
) -> None:
    """Least privilege: tools that are granted and that nobody has called."""
    Screen(json=json).table(
        list(deck(tenant=tenant).policies.unused(agent=agent, days=days)),
        [
            ("agent", lambda tool: tool.agent),
            ("tool", lambda tool: tool.tool),
            ("server", lambda tool: tool.server),
            ("effect", lambda tool: tool.effect),
            ("granted", lambda tool: tool.granted_at),
        ],
        empty=f"every tool was used in the last {days} days",
    )


@app.command(epilog="Example: qd policy patterns --agent support-desk")
def patterns(agent: AgentOption = None, tenant: TenantOption = "", json: JsonFlag = False) -> None:
    """What undoes policies: one key for everything, tools that reach any tenant, destinations that nobody marked."""
    Screen(json=json).table(
        list(deck(tenant=tenant).policies.patterns(agent=agent)),
        [
            ("agent", lambda found: found.agent),
            ("kind", lambda found: found.kind),
            ("problem", lambda found: found.problem),
            ("fix", lambda found: found.fix),
        ],
        empty="none found",
    )


@app.command("print", epilog="Example: qd policy print support-desk")
def print_(agent: AgentArgument, tenant: TenantOption = "", json: JsonFlag = False) -> None:
    """A release's policies as they are judged: the base policy, what short forms compile to, and its files."""
    brought = deck(tenant=tenant).policies.of_release(agent)
    if json:
        Screen(json=True).value(brought)
        return
    for file in brought.texts:
        print(f"// ---- {file.name}\n{file.text.rstrip()}\n")


@app.command(epilog="Example: qd policy schema support-desk")
def schema(agent: AgentArgument, tenant: TenantOption = "", json: JsonFlag = False) -> None:
    """The Cedar schema that a release's tools make: what policies about them may speak of."""
    brought = deck(tenant=tenant).policies.of_release(agent)
    if json:
        Screen(json=True).value({"release": brought.release, "schema": brought.schema})
    else:
        print(brought.schema.rstrip())


def _facts(policy: "Policy", screen: Screen) -> None:
    screen.facts(
        policy,
        [
            ("policy", policy.name),
            ("version", policy.version),
            *[("says", sentence) for sentence in policy.says],
            *[("change", change) for change in policy.changes],
            ("why", policy.why),
            ("set by", policy.set_by),
            ("set", policy.set_at),
            ("etag", policy.etag),
        ],
    )


def _warn(findings: "Sequence[Finding]", screen: Screen) -> None:
    for finding in findings:
        screen.note(_told(finding, finding.file))


def _told(finding: "Finding", file: str) -> str:
    mark = "warning: " if finding.warning else ""
    place = f"{file}:{finding.line}:{finding.column}" if finding.line else file
    return f"{place}: {mark}{finding.problem}; {finding.fix}"


def _condition(verb: str, when: Sequence[str]) -> str:
    return f"{verb} when {' and '.join(when)}"


def _read(file: str) -> str:
    if file == "-":
        return sys.stdin.read()
    path = Path(file)
    if not path.is_file():
        raise typer.BadParameter(f"there is no file {file}", param_hint="FILE")
    return path.read_text("utf-8")


def _values(given: list[str], option: str) -> JsonObject:
    """`name=value` options; a value that is JSON is taken as such, anything else as text."""
    return {name: _value(value) for name, value in pairs(given, option).items()}


def _value(text: str) -> Json:
    try:
        return decode(text)
    except ValueError:
        return text


def _shown(value: Json) -> str:
    return value if isinstance(value, str) else encode_text(value)
