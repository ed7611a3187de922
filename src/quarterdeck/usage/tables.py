"""Reports as CSV (RFC 4180) that a spreadsheet opens without running what a person or a model wrote into a name."""

import csv
import io
from collections.abc import Iterable, Mapping, Sequence

MEDIA_TYPE = "text/csv"
_DANGEROUS = ("=", "+", "-", "@", "\t", "\r", "\n", "\uff1d", "\uff0b", "\uff0d", "\uff20")
"""What makes a spreadsheet take a text for a formula, full-width forms included."""


def written(columns: Sequence[str], lines: Iterable[Mapping[str, object]]) -> str:
    """A table with its head. Values that a line does not have stay empty."""
    out = io.StringIO()
    writer = csv.writer(out)
    writer.writerow(cell(column) for column in columns)
    writer.writerows([cell(line.get(column)) for column in columns] for line in lines)
    return out.getvalue()


def cell(value: object) -> str | int | float:
    """A value for a table. A text that would be a formula is led by an apostrophe, which spreadsheets do not show."""
    match value:
        case None:
            return ""
        case bool():
            return "true" if value else "false"
        case int() | float():
            return value
        case _:
            text = str(value)
            return f"'{text}" if text.lstrip(" ").startswith(_DANGEROUS) else text
