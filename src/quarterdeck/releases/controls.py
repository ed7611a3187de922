"""What an author declares of a tool's control, as the manifest holds it, and whether it fits the tool's arguments."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field

from quarterdeck.core.json import Json, JsonObject
from quarterdeck.policies.fitting import steps
from quarterdeck.policies.shapes import shape_of
from quarterdeck.releases.manifest import Tool
from quarterdeck.spec import values
from quarterdeck.spec.control import PolicySections, RateSection
from quarterdeck.spec.findings import did_you_mean

_DANGEROUS = frozenset(values.Effect) - {values.Effect.READ, values.Effect.WRITE}


@dataclass(frozen=True, slots=True)
class Controls:
    """The control of one tool, in the manifest's words."""

    destinations: tuple[str, ...] = ()
    payload: tuple[str, ...] = ()
    autonomy: values.Autonomy = values.Autonomy.ASK_WHEN_RISKY
    rates: tuple[JsonObject, ...] = ()
    concurrency: int = 0
    secrets: tuple[str, ...] = ()
    scan: tuple[values.Scan, ...] = ()
    asking: JsonObject = field(default_factory=dict[str, Json])
    scope: JsonObject | None = None
    affects: JsonObject | None = None
    cache: int = 0


@dataclass(frozen=True, slots=True)
class Flaw:
    """What in a tool's declarations does not fit: where among them, what, and the fix. A doubt hinders nothing."""

    where: tuple[str | int, ...]
    problem: str
    fix: str
    doubt: bool = False


def controls_of(
    said: PolicySections,
    destinations: Sequence[str] = (),
    payload: Sequence[str] = (),
    *,
    cache: str | None = None,
) -> Controls:
    """What `agent.yaml` says of a tool; of destinations and payload what the author's code says, where it is silent."""
    return Controls(
        destinations=tuple(said.destinations if said.destinations is not None else destinations),
        payload=tuple(said.payload if said.payload is not None else payload),
        autonomy=said.autonomy or values.Autonomy.ASK_WHEN_RISKY,
        rates=tuple(_rate(rate) for rate in said.rates or ()),
        concurrency=said.concurrency or 0,
        secrets=tuple(sorted(set(said.secrets or ()))),
        scan=tuple(sorted(set(said.scan or ()))),
        asking=_asking(said),
        scope={name: bound.model_dump(mode="json", exclude_none=True) for name, bound in said.scope.items()}
        if said.scope
        else None,
        affects=said.affects.model_dump(mode="json", exclude_none=True) if said.affects else None,
        cache=values.seconds_of(cache) if cache is not None else 0,
    )


def controls_in(tool: Tool) -> Controls:
    """What a manifest says of a tool."""
    return Controls(
        destinations=tuple(tool.destinations),
        payload=tuple(tool.payload),
        autonomy=tool.autonomy,
        scope=None if tool.scope is None else {name: one.model_dump(mode="json") for name, one in tool.scope.items()},
        affects=None if tool.affects is None else tool.affects.model_dump(mode="json"),
    )


def _rate(rate: RateSection) -> JsonObject:
    return {"calls": rate.calls, "seconds": values.seconds_of(rate.every), "per": str(rate.per)}


def _asking(said: PolicySections) -> JsonObject:
    if said.approval is None:
        return {}
    return {
        "roles": sorted(set(said.approval.roles)),
        "people": said.approval.people,
        "expires_in": float(values.seconds_of(said.approval.expires)),
        "summary": said.approval.summary,
    }


def flaws(parameters: JsonObject, effect: values.Effect, controls: Controls) -> Iterator[Flaw]:
    """What of a tool's control does not fit its arguments. The author's machine and the server both ask this."""
    for mark, paths in (("destinations", controls.destinations), ("payload", controls.payload)):
        for at, path in enumerate(paths):
            problem = _path_problem(parameters, path)
            if problem is not None:
                yield Flaw((mark, at), *problem)
    for at, path in enumerate(controls.payload):
        if path in controls.destinations:
            yield Flaw(("payload", at), f"`{path}` is a destination too", "name it once")
    yield from _scope_flaws(parameters, controls.scope or {})
    yield from _affects_flaws(parameters, controls.affects)
    seconds = controls.asking.get("expires_in")
    if isinstance(seconds, float) and not 60 <= seconds <= values.LONGEST_EXPIRY:
        yield Flaw(("approval", "expires"), f"a question can't stand for {seconds:,.0f} seconds", "write `1m` to `30d`")
    for at, rate in enumerate(controls.rates):
        if not isinstance(rate["seconds"], int) or rate["seconds"] > values.LONGEST_RATE:
            yield Flaw(("rates", at, "every"), "this is longer than a year", "write `365d` at most")
    if controls.autonomy is values.Autonomy.FREE and effect in _DANGEROUS and not controls.destinations:
        problem = f"it is free to do what is dangerous ({effect}), and nothing says where that goes"
        yield Flaw(("autonomy",), problem, "mark its `destinations`", doubt=True)


def _path_problem(parameters: JsonObject, path: str) -> tuple[str, str] | None:
    """Why a path leads to no argument. Within what is not described it is believed."""
    properties = parameters.get("properties")
    names = list(properties) if isinstance(properties, Mapping) else []
    first, *rest = steps(path)
    if first not in names:
        return f"there is no argument `{first}`", did_you_mean(first, names[:20])
    member = shape_of(parameters).members.get(first)
    found = member.shape if member is not None else None
    for step in rest:
        if found is None:
            return None
        if found.item is not None and step != "[]":
            return f"`{path}` goes through a list", "write `[]` behind the list's name: `items[].account`"
        if step == "[]" and found.item is None:
            return f"`{path}` takes for a list what is none", "leave `[]` out"
        if step != "[]" and step not in found.members:
            return f"there is no `{step}` in `{path}`", did_you_mean(step, list(found.members)[:20])
        found = found.item if step == "[]" else found.members[step].shape
    return None


def _scope_flaws(parameters: JsonObject, scope: JsonObject) -> Iterator[Flaw]:
    for name, bound in scope.items():
        problem = _path_problem(parameters, name)
        if len(steps(name)) > 1:
            problem = f"`{name}` is not at the top of the arguments", "bind an argument as a whole"
        if problem is not None:
            yield Flaw(("scope", name), *problem)
        given = list(bound) if isinstance(bound, Mapping) else []
        if len(given) != 1:
            has = "has " + (" and ".join(f"`{one}`" for one in sorted(given)) if given else "none of them")
            problem = f"it needs exactly one of `claim`, `value`, `values` and `of`; it {has}"
            yield Flaw(("scope", name), problem, "write `{claim: org}`")


def _affects_flaws(parameters: JsonObject, affects: JsonObject | None) -> Iterator[Flaw]:
    if affects is None:
        return
    argument = affects.get("argument")
    if isinstance(argument, str):
        problem = _path_problem(parameters, argument)
        if len(steps(argument)) > 1:
            problem = f"`{argument}` is not at the top of the arguments", "name an argument as a whole"
        if problem is not None:
            yield Flaw(("affects", "argument"), *problem)
    if ("argument" in affects) == ("result" in affects):
        yield Flaw(("affects",), "it needs exactly one of `argument` and `result`", "say where the count stands")
    if "per_call" not in affects and "per_run" not in affects:
        yield Flaw(("affects",), "it has neither `per_call` nor `per_run`", "write `{argument: ids, per_call: 20}`")
    if "per_call" in affects and "result" in affects:
        problem = "what the result says is known when the call was made: it can't be capped per call"
        yield Flaw(("affects", "per_call"), problem, "use `per_run`, or an `argument`")
