"""SQL of reports. What is asked for differs, so statements are put together: from the fixed pieces here alone, with
everything that a person said as a parameter.

Where a report speaks of tools, the cost of a call is split evenly over the tools whose results it was the first to
read, to the last micro-USD: the n-th of k gets (cost + n - 1) / k, rounded down, and these add up to the cost.
"""

from collections.abc import Sequence
from datetime import datetime
from uuid import UUID

from quarterdeck.db.records import Row, Tx
from quarterdeck.usage.records import SUMMED, Filters, Group, Question, Reader, Sort, Sums

TAG = "tag:"
NO_TOOL = "(none)"
_TOOL = "tool"

_EXPRESSIONS = {
    "tenant": "u.tenant::text",
    "user": "u.user_id",
    "agent": "u.agent",
    "release": "u.release",
    "thread": "u.thread::text",
    "run": "u.run::text",
    "root_run": "u.root_run::text",
    "step": "u.step::text",
    "model": "u.model",
    "served_model": "coalesce(nullif(u.served_model, ''), u.model)",
    "provider": "u.provider",
    "route": "coalesce(nullif(u.route, ''), 'main')",
    "purpose": "coalesce(nullif(u.purpose, ''), 'step')",
    "state": "u.state",
    _TOOL: "tool.name",
}
DIMENSIONS = tuple(_EXPRESSIONS)
"""What usage can be told apart by, beside tags."""

# What a tenant is called: keys of reports are ids until then.
SLUGS = "SELECT tenant, slug FROM qd.tenants WHERE tenant = ANY($1::uuid[])"

_COLUMNS = {
    "input": "u.input",
    "output": "u.output",
    "cache_read": "u.cache_read",
    "cache_write": "u.cache_write",
    "reasoning": "u.reasoning",
    "cost": "u.cost_micro_usd",
    "presumed": "CASE WHEN u.state = 'presumed' THEN u.cost_micro_usd ELSE 0 END",
    "saved_cache": "u.saved_cache",
    "saved_route": "u.saved_route",
    "saved_trim": "u.saved_trim",
    "trimmed_tokens": "u.trimmed_tokens",
}
_COUNTED = {
    "calls": "true",
    "presumed_calls": "u.state = 'presumed'",
    "unpriced_calls": "NOT u.priced",
    "cached_calls": "u.cache_read > 0",
    "routed_calls": "u.saved_route > 0",
    "trimmed_calls": "u.trimmed_tokens > 0",
}
_SIZES = {Sort.COST: "cost", Sort.TOKENS: "input + output", Sort.CALLS: "calls"}

# The groups with their sums; then each group's size over all stretches of time; then the top ones, and the others as
# one. What is `whole` counts each call once, where its tools count it several times.
_REPORT = """
WITH grouped AS (
    SELECT {keys}{sums} FROM qd.usage u {tools} WHERE {narrowed} GROUP BY {numbers}
), sized AS (
    SELECT *, sum({size}) OVER (PARTITION BY {names}) AS size FROM grouped
), placed AS (
    SELECT *, dense_rank() OVER (ORDER BY size DESC, {names}) AS place FROM sized
)
SELECT {kept}bucket, place > {top} AS rest, min(place) AS place, count(DISTINCT place) AS groups, {again}
FROM placed GROUP BY {kept_names}bucket, place > {top} ORDER BY bucket, rest, place
"""

# Each tool of a call with its place among them, and the first of those that are looked at marked.
_TOOLS = """JOIN LATERAL (
    SELECT t.name, t.place, row_number() OVER (ORDER BY t.place) = 1 AS first
    FROM unnest(CASE WHEN cardinality(u.tools) = 0 THEN ARRAY['(none)'] ELSE u.tools END)
        WITH ORDINALITY AS t (name, place) {chosen}
) tool ON true"""


class Narrowing:
    """Conditions and the parameters that they speak of."""

    def __init__(self, reader: Reader, filters: Filters) -> None:
        self.arguments: list[object] = []
        conditions = [f"u.at >= {self.put(filters.since)}", f"u.at < {self.put(filters.until)}"]
        if reader.tenant is not None:
            conditions.insert(0, f"u.tenant = {self.put(reader.tenant)}")
        if reader.agents is not None:
            conditions.append(f"u.agent = ANY({self.put(sorted(reader.agents))}::text[])")
        for name, values in filters.values.items():
            if name == "tenant":
                slugs = self.put(list(values))
                conditions.append(
                    f"u.tenant IN (SELECT t.tenant FROM qd.tenants t WHERE t.slug = ANY({slugs}::text[]))"
                )
            elif name == _TOOL:
                some = self.put(list(values))
                none = f"(cardinality(u.tools) = 0 AND '{NO_TOOL}' = ANY({some}::text[]))"
                conditions.append(f"(u.tools && {some}::text[] OR {none})")
            else:
                conditions.append(f"{_EXPRESSIONS[name]} = ANY({self.put(list(values))}::text[])")
        for tag in dict.fromkeys(name for name, _ in filters.tags):
            wanted = [value for name, value in filters.tags if name == tag]
            conditions.append(f"u.tags ->> {self.put(tag)}::text = ANY({self.put(wanted)}::text[])")
        self.words = " AND ".join(conditions)
        self.tools = filters.values.get(_TOOL, ())

    def put(self, value: object) -> str:
        """A parameter's place for a value."""
        self.arguments.append(value)
        return f"${len(self.arguments)}"

    def by(self, key: str) -> str:
        """What a call is told apart by."""
        if key.startswith(TAG):
            return f"u.tags ->> {self.put(key.removeprefix(TAG))}::text"
        return _EXPRESSIONS[key]

    def tool_join(self, *, wanted: bool) -> str:
        """Each call once for each of its tools, where tools are spoken of."""
        if not wanted and not self.tools:
            return ""
        chosen = f"WHERE t.name = ANY({self.put(list(self.tools))}::text[])" if self.tools else ""
        return _TOOLS.format(chosen=chosen)


async def report(tx: Tx, reader: Reader, question: Question) -> tuple[list[Group], Sums]:
    """The lines of a report, and the sums of all calls that were looked at."""
    narrowing = Narrowing(reader, question.filters)
    tools = narrowing.tool_join(wanted=_TOOL in question.by)
    keys = [f"{narrowing.by(key)} AS k{n}" for n, key in enumerate(question.by)]
    names = [f"k{n}" for n in range(len(keys))]
    keys.append(f"{_bucket(narrowing, question)} AS bucket")
    top = narrowing.put(question.top)
    kept = [f"CASE WHEN place > {top} THEN NULL ELSE {name} END" for name in names]
    sums = _sums(split=bool(tools))
    statement = _REPORT.format(
        keys="".join(f"{key}, " for key in keys),
        sums=", ".join(f"({sum_})::bigint AS {name}" for name, sum_ in sums.items()),
        tools=tools,
        narrowed=narrowing.words,
        numbers=", ".join(str(n) for n in range(1, len(keys) + 1)),
        size=_SIZES[question.sort],
        names=", ".join(names) or "1::int",
        top=top,
        kept="".join(f"{value} AS {name}, " for value, name in zip(kept, names, strict=True)),
        kept_names="".join(f"{value}, " for value in kept),
        again=", ".join(f"sum({name})::bigint AS {name}" for name in sums),
    )
    rows = await tx.fetch(statement, *narrowing.arguments)
    slugs = await _slugs(tx, rows, question)
    return [_group(row, question, slugs) for row in rows], _total(rows)


async def slugs_of(tx: Tx, tenants: Sequence[UUID]) -> dict[str, str]:
    """Tenants' names by their ids as texts."""
    return {str(row["tenant"]): row["slug"] for row in await tx.fetch(SLUGS, tenants)} if tenants else {}


def _bucket(narrowing: Narrowing, question: Question) -> str:
    if question.every is None:
        return "NULL::timestamptz"
    return f"date_trunc({narrowing.put(str(question.every))}::text, u.at, {narrowing.put(question.zone)}::text)"


def _sums(*, split: bool) -> dict[str, str]:
    """What is added up: calls, or the shares of calls that fall to each of their tools."""
    first = " AND tool.first" if split else ""
    sums = {name: f"sum({_share(column) if split else column})" for name, column in _COLUMNS.items()}
    sums |= {name: f"count(*) FILTER (WHERE {counted})" for name, counted in _COUNTED.items()}
    return sums | {f"whole_{name}": f"count(*) FILTER (WHERE {counted}{first})" for name, counted in _COUNTED.items()}


def _share(column: str) -> str:
    parts = "greatest(cardinality(u.tools), 1)"
    # What is saved may be negative, and division rounds towards zero.
    return f"sign({column})::bigint * ((abs({column}) + tool.place - 1) / {parts})"


def _total(rows: Sequence[Row]) -> Sums:
    """Shares of tools add up to the whole; a call that has several counts once."""
    names = {name: f"whole_{name}" if name in _COUNTED else name for name in SUMMED}
    return Sums(**{name: sum(row[column] for row in rows) for name, column in names.items()})


async def _slugs(tx: Tx, rows: Sequence[Row], question: Question) -> dict[str, str]:
    if "tenant" not in question.by:
        return {}
    place = question.by.index("tenant")
    return await slugs_of(tx, sorted({UUID(row[f"k{place}"]) for row in rows if row[f"k{place}"]}))


def _group(row: Row, question: Question, slugs: dict[str, str]) -> Group:
    found: list[str | None] = [row[f"k{n}"] for n in range(len(question.by))]
    keys = tuple(
        slugs.get(value, value) if key == "tenant" and value else value
        for key, value in zip(question.by, found, strict=True)
    )
    at: datetime | None = row["bucket"]
    return Group(at, keys, row["rest"], row["groups"], Sums(**{name: row[name] for name in SUMMED}))
