"""What the operations helper can look at: logs, metrics and deployments that come along. It can change nothing."""

import csv
from collections.abc import Iterator
from pathlib import Path
from typing import Annotated, Literal

from pydantic import Field

from quarterdeck.tools.author import ToolError, tool

DATA = Path(__file__).parent / "data"
SERVICES = tuple(sorted(path.stem for path in DATA.glob("*.txt")))
Metric = Literal["requests", "error_rate", "p95_ms", "db_connections"]
Minute = Annotated[str, Field(description="A time of the day, such as 14:05.", pattern=r"^\d\d:\d\d$")]
MOST_LINES = 50


@tool(effect="read", trust="trusted")
def list_services() -> list[str]:
    """List the services that there are logs and metrics of."""
    return list(SERVICES)


@tool(effect="read", trust="untrusted")
def search_logs(
    service: str,
    contains: Annotated[str, Field(description="Text that the lines contain; upper and lower case are the same.")] = "",
    since: Minute = "00:00",
    until: Minute = "23:59",
    limit: Annotated[int, Field(ge=1, le=MOST_LINES)] = 20,
) -> dict[str, object]:
    """Search a service's log. Shows how many lines match, and the first of them."""
    _require(service)
    lines = (DATA / f"{service}.txt").read_text().splitlines()
    found = [line for line in lines if since <= line[11:16] <= until and contains.lower() in line.lower()]
    return {"matching": len(found), "shown": min(limit, len(found)), "lines": found[:limit]}


@tool(effect="read", trust="trusted")
def read_metric(service: str, metric: Metric, since: Minute = "14:00", until: Minute = "14:59") -> dict[str, object]:
    """Read a service's metric minute by minute, with its least, greatest and mean value."""
    _require(service)
    points = {
        row["minute"]: float(row[metric])
        for row in _rows("metrics.csv")
        if row["service"] == service and since <= row["minute"] <= until
    }
    if not points:
        raise ToolError("There are no values of that time: metrics go from 14:00 to 14:59.")
    values = list(points.values())
    return {"min": min(values), "max": max(values), "mean": round(sum(values) / len(values), 4), "points": points}


@tool(effect="read", trust="trusted")
def list_deployments(service: str | None = None) -> list[dict[str, str]]:
    """List deployments in order of time, of one service or of all."""
    if service is not None:
        _require(service)
    return [row for row in _rows("deploys.csv") if service in {None, row["service"]}]


def _rows(name: str) -> Iterator[dict[str, str]]:
    with (DATA / name).open(newline="") as file:
        yield from csv.DictReader(file)


def _require(service: str) -> None:
    if service not in SERVICES:
        raise ToolError(f"There is no service {service!r}. There are: {', '.join(SERVICES)}.")
