"""`errors.md`: every code of an error, with its status and its sentence."""

import importlib
import pkgutil
from collections.abc import Iterator

import quarterdeck
from quarterdeck.core.errors import Error, Misconfigured
from scripts.reference.pages import page, table

INTRODUCTION = """
An error has a `code` that stays, a sentence for people, and its facts. Over HTTP it is `application/problem+json`
(RFC 9457): `type` (`urn:quarterdeck:problem:CODE`), `title` (the sentence below), `status`, `detail` (the same, or more
exact), `instance` (`urn:quarterdeck:request:ID`, which finds the request in the logs), `code`, and the facts as further
members. `request.invalid` and its kin list every fault under `errors`, each with `place`, `problem` and `fix`. 429 and
503 carry `Retry-After`. The command line prints `error: ` and the detail, and with `--json` the code and the facts.

Another tenant's things are not found, they are never forbidden: 404.
"""

ANSWERS = "## Answers of the API"
INSIDE = """
## Inside a run

What goes wrong between a worker and a model, a tool server or an address is no answer to anybody's request. It stands
in the run's log as `model.failed`, `tool.failed` or `tool.unknown`, and these codes stand in the workers' logs.
[Provider connections](providers.md#what-can-go-wrong) lists the codes of `model.failed`.
"""
STARTING = """
## Starting processes and the command line

Printed with exit code 1.
"""

_INSIDE = ("log.", "mcp.", "model.", "net.", "run.fenced_out", "seal.", "tools.", "cassette.")
_LOCAL = ("agent.bad_name", "agent.invalid", "cli.", "deployment.", "embedded.", "init.", "template.")


def written() -> str:
    """The page."""
    found = list(known())
    inside = [error for error in found if error.code.startswith(_INSIDE) and error.code != "net.target_refused"]
    local = [error for error in found if issubclass(error, Misconfigured) or error.code.startswith(_LOCAL)]
    answers = [error for error in found if error not in inside and error not in local]
    return page(
        "Errors", INTRODUCTION, ANSWERS, rows(answers), INSIDE, rows(inside), STARTING, rows(local, status=False)
    )


def known() -> Iterator[type[Error]]:
    """Every class of error in the product, by code; of two that share one, the first."""
    for module in pkgutil.walk_packages(quarterdeck.__path__, "quarterdeck."):
        if not module.name.endswith("__main__"):
            importlib.import_module(module.name)
    codes: dict[str, type[Error]] = {}
    for error in sorted(heirs(Error), key=lambda error: (error.code, error.__module__, error.__name__)):
        if error.__module__.startswith("quarterdeck."):
            codes.setdefault(error.code, error)
    yield from codes.values()


def heirs(error: type[Error]) -> set[type[Error]]:
    """A class's subclasses, all the way down."""
    return {heir for child in error.__subclasses__() for heir in {child, *heirs(child)}}


def rows(errors: list[type[Error]], *, status: bool = True) -> str:
    """A table of errors."""
    if status:
        return table(
            ("code", "status", "sentence"), [(f"`{error.code}`", str(error.status), error.title()) for error in errors]
        )
    return table(("code", "sentence"), [(f"`{error.code}`", error.title()) for error in errors])
