"""`settings.md`: every `QUARTERDECK_*` variable."""

from pathlib import Path

from pydantic import SecretStr
from pydantic.fields import FieldInfo

from quarterdeck.core.settings import Settings
from scripts.reference.pages import page, table

INTRODUCTION = """
Settings are environment variables and nothing else, so that every process of a deployment agrees. Times are seconds,
sizes bytes. A value that can't be right ends the process with a sentence that names it. `qd dev` sets what it needs by
itself; where you run `serve` and `worker` yourself, `QUARTERDECK_SECRET_KEY` and the database are needed, and both
kinds of process get the same.
"""

CLIENTS = """
## Of the command line and the SDK

`QUARTERDECK_URL` says where a deployment is, `QUARTERDECK_KEY` which key to use, `QUARTERDECK_TENANT` in which tenant
a deployment admin's key acts. Where they are not set, `qd` takes what `qd dev` keeps in the nearest `.quarterdeck`.
"""

_KIB, _MIB = 1024, 1024 * 1024


def written() -> str:
    """The page."""
    rows = [
        (f"`QUARTERDECK_{name.upper()}`", default_of(field), field.description or "")
        for name, field in Settings.model_fields.items()
    ]
    return page("Settings", INTRODUCTION, table(("variable", "default", "what it is"), rows), CLIENTS)


def default_of(field: FieldInfo) -> str:
    """A default as people write it."""
    match field.get_default():
        case bool(value):
            return str(value).lower()
        case SecretStr() | "" | None:
            return "none"
        case int(value) if value >= _MIB and value % _MIB == 0:
            return f"{value} ({value // _MIB} MiB)"
        case float(value):
            return f"{value:g}"
        case str() | int() | Path() as value:
            return f"`{value}`" if not isinstance(value, int) else str(value)
        case value:
            raise TypeError(f"a default of this kind was never written out: {value!r}")
