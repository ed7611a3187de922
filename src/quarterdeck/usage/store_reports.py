"""SQL of reports. What is asked for differs, so statements are put together: from the fixed pieces here alone, with
everything that a person said as a parameter.

Where a report speaks of tools, the cost of a call is split evenly over the tools whose results it was the first to
read, to the last micro-USD: the n-th of k gets (cost + n - 1) / k, rounded down, and these add up to the cost.
"""

from collections.abc import Sequence
from datetime import datetime
from typing import TypeAlias
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
Keys: TypeAlias = tuple[str | None, ...]
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
_SIZES = {Sort.COST: "sum({cost})", Sort.TOKENS: "sum({input}) + sum({output})", Sort.CALLS: "count(*)"}

# The largest groups over the whole time, and how many groups there are.
_LARGEST = """
SELECT {keys}, count(*) OVER () AS groups FROM qd.usage u {tools} WHERE {narrowed}
GROUP BY {numbers} ORDER BY {size} DESC, {numbers} LIMIT {top}
"""

# What was used by each of the largest groups, and by all others as one. That they are known beforehand keeps the
# groups few that are told apart in each stretch of time. What is `whole` counts each call once, where its tools count
# it several times.
_REPORT = """
SELECT {place} AS place, {bucket} AS bucket, {sums} FROM qd.usage u {tools} {best} WHERE {narrowed} GROUP BY 1, 2
ORDER BY bucket, place
"""

# The largest groups with their places; an absent key is equal to an absent one.
_BEST = "LEFT JOIN unnest({given}) WITH ORDINALITY AS best ({names}, place) ON {alike}"
_ALIKE = "coalesce({key}, '') = coalesce(best.{name}, '') AND ({key} IS NULL) = (best.{name} IS NULL)"

# Each tool of a call with its place among them.
_EACH = "unnest(CASE WHEN cardinality(u.tools) = 0 THEN ARRAY['(none)'] ELSE u.tools END) WITH ORDINALITY"
_TOOLS = f"CROSS JOIN LATERAL {_EACH} AS tool (name, place)"

# The same of those that are looked at, numbered.
_SOME_TOOLS = f"""JOIN LATERAL (
    SELECT t.name, t.place, row_number() OVER (ORDER BY t.place) AS nth
    FROM {_EACH} AS t (name, place) WHERE t.name = ANY({{chosen}}::text[])
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
        return _SOME_TOOLS.format(chosen=self.put(list(self.tools))) if self.tools else _TOOLS


async def report(tx: Tx, reader: Reader, question: Question) -> tuple[list[Group], Sums]:
    """The lines of a report, and the sums of all calls that were looked at."""
    largest, count = await _largest(tx, reader, question)
    narrowing = Narrowing(reader, question.filters)
    tools = narrowing.tool_join(wanted=_TOOL in question.by)
    sums = _sums(split=bool(tools), first="tool.nth = 1" if narrowing.tools else "tool.place = 1")
    statement = _REPORT.format(
        place="best.place" if largest else "NULL::bigint",
        bucket=_bucket(narrowing, question),
        sums=", ".join(f"({sum_})::bigint AS {name}" for name, sum_ in sums.items()),
        tools=tools,
        best=_best(narrowing, question, largest),
        narrowed=narrowing.words,
    )
    rows = await tx.fetch(statement, *narrowing.arguments)
    keys = await _named(tx, question, largest)
    behind = count - len(largest)
    return [_group(row, question, keys, behind) for row in rows], _total(rows, split=bool(tools))


async def _largest(tx: Tx, reader: Reader, question: Question) -> tuple[list[Keys], int]:
    """The keys of the largest groups, and how many groups there are in all."""
    if not question.by:
        return [], 0
    narrowing = Narrowing(reader, question.filters)
    tools = narrowing.tool_join(wanted=_TOOL in question.by)
    columns = {name: _share(column) if tools else column for name, column in _COLUMNS.items()}
    names = [f"k{n}" for n in range(len(question.by))]
    statement = _LARGEST.format(
        keys=", ".join(f"{narrowing.by(key)} AS {name}" for key, name in zip(question.by, names, strict=True)),
        tools=tools,
        narrowed=narrowing.words,
        numbers=", ".join(names),
        size=_SIZES[question.sort].format(**columns),
        top=narrowing.put(question.top),
    )
    rows = await tx.fetch(statement, *narrowing.arguments)
    return [tuple(row[name] for name in names) for row in rows], rows[0]["groups"] if rows else 0


def _best(narrowing: Narrowing, question: Question, largest: Sequence[Keys]) -> str:
    if not largest:
        return ""
    names = [f"k{n}" for n in range(len(question.by))]
    given = [narrowing.put([keys[n] for keys in largest]) for n in range(len(names))]
    alike = [_ALIKE.format(key=narrowing.by(key), name=name) for key, name in zip(question.by, names, strict=True)]
    return _BEST.format(
        given=", ".join(f"{place}::text[]" for place in given), names=", ".join(names), alike=" AND ".join(alike)
    )


async def slugs_of(tx: Tx, tenants: Sequence[UUID]) -> dict[str, str]:
    """Tenants' names by their ids as texts."""
    return {str(row["tenant"]): row["slug"] for row in await tx.fetch(SLUGS, tenants)} if tenants else {}


def _bucket(narrowing: Narrowing, question: Question) -> str:
    if question.every is None:
        return "NULL::timestamptz"
    return f"date_trunc({narrowing.put(str(question.every))}::text, u.at, {narrowing.put(question.zone)}::text)"


def _sums(*, split: bool, first: str) -> dict[str, str]:
    """What is added up: calls, or the shares of calls that fall to each of their tools."""
    sums = {name: f"sum({_share(column) if split else column})" for name, column in _COLUMNS.items()}
    sums |= {name: f"count(*) FILTER (WHERE {counted})" for name, counted in _COUNTED.items()}
    if split:
        sums |= {f"whole_{name}": f"count(*) FILTER (WHERE {each} AND {first})" for name, each in _COUNTED.items()}
    return sums


def _share(column: str) -> str:
    parts = "greatest(cardinality(u.tools), 1)"
    if column != _COLUMNS["saved_cache"]:
        return f"({column} + tool.place - 1) / {parts}"
    # This may be negative, and division rounds towards zero.
    return (
        f"CASE WHEN {column} < 0 THEN -((tool.place - 1 - {column}) / {parts})"
        f" ELSE ({column} + tool.place - 1) / {parts} END"
    )


def _total(rows: Sequence[Row], *, split: bool) -> Sums:
    """Shares of tools add up to the whole; a call that has several counts once."""
    names = {name: f"whole_{name}" if split and name in _COUNTED else name for name in SUMMED}
    return Sums(**{name: sum(row[column] for row in rows) for name, column in names.items()})


async def _named(tx: Tx, question: Question, largest: Sequence[Keys]) -> list[Keys]:
    """The same keys with tenants by their slugs."""
    if "tenant" not in question.by:
        return list(largest)
    at = question.by.index("tenant")
    slugs = await slugs_of(tx, sorted({UUID(keys[at]) for keys in largest}))
    return [(*keys[:at], slugs.get(str(keys[at]), keys[at]), *keys[at + 1 :]) for keys in largest]


def _group(row: Row, question: Question, keys: Sequence[Keys], behind: int) -> Group:
    at: datetime | None = row["bucket"]
    place: int | None = row["place"]
    sums = Sums(**{name: row[name] for name in SUMMED})
    if place is None:
        rest = bool(question.by)
        return Group(at=at, keys=(None,) * len(question.by), rest=rest, groups=behind if rest else 1, sums=sums)
    return Group(at=at, keys=keys[place - 1], rest=False, groups=1, sums=sums)
