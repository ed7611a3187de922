"""`sdk.md`: the Python client, as its signatures and docstrings say it."""

import ast
from collections.abc import Iterator
from pathlib import Path

from scripts.findings import ROOT
from scripts.reference.pages import page, paragraphs, sentence, table

SDK = ROOT / "src" / "quarterdeck" / "sdk"
RESOURCES = (
    "runs",
    "threads",
    "approvals",
    "escalations",
    "autonomy",
    "agents",
    "policies",
    "switches",
    "rates",
    "keys",
    "secrets",
    "providers",
    "webhooks",
    "audit",
)

INTRODUCTION = """
`quarterdeck.sdk` comes with `pip install quarterdeck` and imports nothing of the server. `Quarterdeck` is for programs
without asyncio; `AsyncQuarterdeck` offers the same with `await`, `async for` and `async with`. Without arguments,
`QUARTERDECK_URL` and `QUARTERDECK_KEY` say where the deployment is and who asks.

```python
from quarterdeck.sdk import Event, Quarterdeck

with Quarterdeck() as deck:
    run = deck.runs.submit("support-desk", "Where is order 1001?")
    for item in deck.runs.stream(run.run_id):
        if isinstance(item, Event):
            print(item.seq, item.kind)
    print(deck.runs.get(run.run_id).text)
```

A request is sent again where that does no harm: reads, and what creates, which carries an `Idempotency-Key` of its own.
What may have had an effect and can't be repeated is not, unless the deployment never saw it. `Retry-After` is kept to.
Lists are iterated page by page; `page()` turns one, `all()` takes everything.

`verify_webhook(secrets, headers, body)` checks a webhook's signature and answers its id; it raises `SignatureInvalid`.
"""

ERRORS = """
All are `QuarterdeckError` with `code`, `detail` and `facts`. Those with a status are `Refused`; codes are those of the
[HTTP API](errors.md).
"""


def written() -> str:
    """The page."""
    return page("Python client", INTRODUCTION, *_client(), *_resources(), *_errors(), *_records())


def _client() -> Iterator[str]:
    (client,) = _classes(SDK / "sync" / "client.py")
    yield "## Quarterdeck"
    for method in _methods(client):
        if method.name == "__init__":
            yield f"`Quarterdeck{_signature(method)}`"
        elif not method.name.startswith("_") and not method.decorator_list:
            yield f"`deck.{method.name}{_signature(method)}`"
            yield paragraphs(ast.get_docstring(method))


def _resources() -> Iterator[str]:
    for kind in (kind for module in RESOURCES for kind in _classes(SDK / "sync" / f"{module}.py")):
        name = kind.name.lower()
        yield f"## deck.{name}"
        for method in _methods(kind):
            if not method.name.startswith("_"):
                yield f"`deck.{name}.{method.name}{_signature(method)}`"
                yield paragraphs(ast.get_docstring(method))


def _errors() -> Iterator[str]:
    yield "## Errors"
    yield ERRORS
    rows = [(f"`{kind.name}`", sentence(ast.get_docstring(kind))) for kind in _classes(SDK / "errors.py")]
    yield table(("class", "when"), rows)


def _records() -> Iterator[str]:
    yield "## Records"
    yield "Members that a newer deployment adds are ignored; those that an older one lacks have the value shown."
    for kind in (*_classes(SDK / "records.py"), *_classes(SDK / "holdings.py")):
        members = [part for part in kind.body if isinstance(part, ast.AnnAssign)]
        if members:
            yield f"### {kind.name}"
            yield paragraphs(ast.get_docstring(kind))
            yield table(("member", "type", "if not said"), [_member(part) for part in members])


def _member(part: ast.AnnAssign) -> tuple[str, str, str]:
    shown = "" if part.value is None else f"`{ast.unparse(part.value)}`"
    return f"`{ast.unparse(part.target)}`", f"`{ast.unparse(part.annotation)}`", shown


def _signature(method: ast.FunctionDef) -> str:
    method.args.args = method.args.args[1:]
    result = "" if method.returns is None else ast.unparse(method.returns)
    return f"({ast.unparse(method.args)})" + (f" -> {result}" if result not in {"", "None"} else "")


def _classes(file: Path) -> list[ast.ClassDef]:
    """Read and not imported: what annotations look like at run time differs between versions of Python."""
    tree = ast.parse(file.read_text(encoding="utf-8"))
    return [part for part in tree.body if isinstance(part, ast.ClassDef) and not part.name.startswith("_")]


def _methods(kind: ast.ClassDef) -> list[ast.FunctionDef]:
    return [part for part in kind.body if isinstance(part, ast.FunctionDef)]
