"""`quarterdeck audit`: what was decided and done, and the proof that nobody has changed the account of it."""

import sys
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from quarterdeck.cli.arguments import JsonFlag, LimitOption, TenantOption, WhyOption
from quarterdeck.cli.connect import deck
from quarterdeck.cli.exits import Exit
from quarterdeck.cli.screen import Screen

if TYPE_CHECKING:
    from collections.abc import Iterable

    from quarterdeck.sdk.proof import Finding, Proof, Verification

app = typer.Typer(
    add_completion=False,
    no_args_is_help=True,
    help="See what was decided and done, and prove that the account is whole.",
)

RowArgument = Annotated[str, typer.Argument(metavar="ROW", help="A row's id.")]
AfterOption = Annotated[int | None, typer.Option(min=0, help="Only behind this position, where a head was signed.")]
TIMES = ["%Y-%m-%d", "%Y-%m-%dT%H:%M:%S", "%Y-%m-%dT%H:%M:%S%z"]


@app.command("list", epilog="Example: qd audit list --verdict deny --tool refund")
def list_(
    kind: Annotated[str | None, typer.Option(help="Such as tool.called or switch.thrown.")] = None,
    actor: Annotated[str | None, typer.Option(help="agent:NAME, key:ID or system.")] = None,
    tool: Annotated[str | None, typer.Option(help="The tool, or another action.")] = None,
    run: Annotated[str | None, typer.Option(help="A run's id.")] = None,
    verdict: Annotated[str | None, typer.Option(help="allow, ask or deny.")] = None,
    since: Annotated[datetime | None, typer.Option(formats=TIMES, help="UTC unless it has a zone.")] = None,
    until: Annotated[datetime | None, typer.Option(formats=TIMES, help="UTC unless it has a zone.")] = None,
    limit: LimitOption = 50,
    tenant: TenantOption = "",
    json: JsonFlag = False,
) -> None:
    """Decisions and deeds, newest first. A row without a position waits for its seal, a second or so."""
    rows = deck(tenant=tenant).audit.list(
        kind=kind,
        actor=actor,
        tool=tool,
        run=run,
        verdict=verdict,
        since=_zoned(since),
        until=_zoned(until),
        limit=limit,
    )
    Screen(json=json).table(
        rows.all(),
        [
            ("position", lambda row: row.position),
            ("at", lambda row: row.at),
            ("kind", lambda row: row.kind),
            ("actor", lambda row: row.actor),
            ("action", lambda row: row.action),
            ("target", lambda row: row.target),
            ("verdict", lambda row: row.verdict),
            ("rule", lambda row: row.rule),
            ("approved by", lambda row: row.approved_by),
            ("row", lambda row: row.id),
        ],
    )


@app.command(epilog="Example: qd audit show 0190d2a4-...")
def show(row_id: RowArgument, tenant: TenantOption = "", json: JsonFlag = False) -> None:
    """One row with its inputs and outputs."""
    from quarterdeck.core.json import encode_text

    row = deck(tenant=tenant).audit.get(row_id)
    facts = [(name.replace("_", " "), getattr(row, name)) for name in row.__struct_fields__ if name != "payload"]
    payload = None if row.payload is None else encode_text(row.payload)
    Screen(json=json).facts(row, [*facts, ("payload", payload)])


@app.command(epilog="Example: qd audit head --json >> heads.jsonl")
def head(tenant: TenantOption = "", json: JsonFlag = False) -> None:
    """Where the chain stands, and the key that it is checked with. Keep both where this deployment can't reach them."""
    chain = deck(tenant=tenant).audit.head()
    Screen(json=json).facts(
        chain,
        [
            ("position", chain.head.position if chain.head else None),
            ("hash", chain.head.hash if chain.head else None),
            ("signed", chain.head.at if chain.head else None),
            ("public key", chain.public_key),
            ("pruned up to", chain.floor.position if chain.floor else None),
            ("unsealed", chain.unsealed),
        ],
    )


@app.command(epilog="Example: qd audit export --out audit.jsonl")
def export(
    out: Annotated[Path | None, typer.Option(help="A new file; absent = standard output.")] = None,
    after: AfterOption = None,
    tenant: TenantOption = "",
) -> None:
    """Take the chain along with its payloads as JSON lines; the signed head is the last one."""
    lines = deck(tenant=tenant).audit.export(after)
    screen = Screen()
    if out is None:
        sys.stdout.buffer.writelines(lines)
        return
    with out.open("xb") as file, screen.progress("exporting"):
        count = 0
        for line in lines:
            file.write(line)
            count += 1
    screen.note(f"{count} lines in {out}; check them with: qd audit verify --file {out} --key KEY")


@app.command(epilog="Example: qd audit verify --file audit.jsonl --key 3f9c...")
def verify(
    file: Annotated[Path | None, typer.Option(exists=True, dir_okay=False, help="Check this export instead.")] = None,
    key: Annotated[list[str], typer.Option(help="The public key that you trust; several after a rotation.")] = [],  # noqa: B006
    after: AfterOption = None,
    hash: Annotated[str | None, typer.Option(help="The hash that you know to stand there; with --after.")] = None,
    tenant: TenantOption = "",
    json: JsonFlag = False,
) -> None:
    """Check the whole chain: by the deployment itself, or offline from an export.

    Exits with 0 when it is whole and with 8 when it is not; what is wrong is told with the positions where.
    """
    screen = Screen(json=json)
    if file is None:
        with screen.progress("checking"):
            found: Proof | Verification = deck(tenant=tenant).audit.verify(after, hash)
        told = [("unsealed", found.unsealed), ("pruned up to", found.floor.position if found.floor else None)]
    else:
        found, told = _offline(file, key), []
    screen.facts(
        found,
        [
            ("valid", found.valid),
            ("sealed", found.sealed),
            ("payloads", found.kept),
            ("erased", found.erased),
            *told,
            ("first", found.first),
            ("head", found.head.position if found.head else None),
            ("hash", found.head.hash if found.head else None),
            ("signed", found.head.at if found.head else None),
            *_told(found.findings),
            ("faults", found.faults),
        ],
    )
    if not found.valid:
        raise SystemExit(Exit.CHAIN_BROKEN)


@app.command(epilog="Example: qd audit erase 0190d2a4-... --why 'asked for by the user'")
def erase(row_id: RowArgument, why: WhyOption, tenant: TenantOption = "", json: JsonFlag = False) -> None:
    """Erase a row's inputs and outputs, for good. The row and the chain stay, and the erasure stands in it."""
    deck(tenant=tenant).audit.erase(row_id, why)
    Screen(json=json).facts({"erased": row_id}, [("erased", row_id)])


def _offline(file: Path, keys: list[str]) -> "Proof":
    from quarterdeck.sdk.proof import check_export

    if not keys:
        raise typer.BadParameter("give the public key that you trust; `qd audit head` tells it", param_hint="--key")
    if any(len(key) != 64 or set(key) - set("0123456789abcdef") for key in keys):
        raise typer.BadParameter("a key is 64 hexadecimal digits", param_hint="--key")
    with file.open("rb") as lines:
        return check_export(lines, keys)


def _told(findings: "Iterable[Finding]") -> list[tuple[str, object]]:
    return [
        (found.fault, f"at {found.first}" if found.first == found.last else f"from {found.first} to {found.last}")
        for found in findings
    ]


def _zoned(at: datetime | None) -> datetime | None:
    from datetime import UTC

    return at.replace(tzinfo=UTC) if at is not None and at.tzinfo is None else at
