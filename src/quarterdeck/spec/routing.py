"""What an author says about models: the exact one, and routes that give steps of a kind to another."""

from collections.abc import Iterator
from typing import Annotated, ClassVar, Protocol

from pydantic import Field, JsonValue

from quarterdeck.core.text import shorten
from quarterdeck.spec import pins, values
from quarterdeck.spec.document import Document, Path
from quarterdeck.spec.findings import Finding, did_you_mean
from quarterdeck.spec.pins import KindOf
from quarterdeck.spec.section import Section

MAIN = "main"
"""The route of the model that stands at the top."""
_BESIDE = "it stands beside `model`, at the top of the file"


class ModelSection(Section):
    """The exact model, over which connection, and the settings that are sent along."""

    provider: Annotated[str, Field(pattern=values.NAME)] = Field(
        description="Name of a provider connection of the deployment.", examples=["openai"]
    )
    id: Annotated[str, Field(min_length=1, max_length=200)] = Field(
        description="An exact model id. Aliases that float, such as `gpt-4o`, are refused.",
        examples=["gpt-4.1-mini-2025-04-14"],
    )
    temperature: values.Temperature | None = Field(default=None, description="0 to 2; left out = the model's own.")
    top_p: values.Probability | None = Field(default=None, description="Above 0, up to 1; left out = the model's own.")
    max_output_tokens: values.OutputTokens = Field(default=4096, description="Most tokens of one answer.")
    timeout: values.Seconds = Field(default=120.0, description="Seconds that one answer may take.")
    parallel_tool_calls: bool = Field(default=True, description="May the model ask for several tools at once?")
    extra: dict[str, JsonValue] | None = Field(
        default=None, description="Further settings in the provider's own words, passed on as they are."
    )

    INSTEAD: ClassVar[dict[str, str]] = {
        "fallback": f"name routes under `fallbacks: [backup]`; {_BESIDE}",
        "fallbacks": _BESIDE,
        "route": f"give steps to other models under `routes`; {_BESIDE}",
        "routes": _BESIDE,
        "cheaper": _BESIDE,
    }


class WhenSection(Section):
    """Which steps a route takes: those that fit all of these."""

    tasks: (
        Annotated[
            list[Annotated[str, Field(min_length=1, max_length=200)]], Field(min_length=1, max_length=values.MOST_MARKS)
        ]
        | None
    ) = Field(default=None, description="Runs whose tag `task` is one of these.", examples=[["faq"]])
    purposes: (
        Annotated[list[Annotated[values.Purpose, Field(strict=False)]], Field(min_length=1, max_length=4)] | None
    ) = Field(
        default=None,
        description="What the model is asked for: a `step` of the conversation, the `closing` answer, a `summary`, a "
        "`judge`ment. Left out = a step.",
        examples=[["summary", "closing"]],
    )
    input_under: values.Tokens | None = Field(
        default=None, description="Fewer input tokens than this, as estimated.", examples=[2000]
    )
    first_steps: values.Steps | None = Field(default=None, description="One of so many first steps of a run.")
    without_tools: bool = Field(default=False, description="Only where the model is offered no tools.")


class RouteSection(Section):
    """A named model. With `when` it takes steps by itself; without, it is there for `fallbacks` or `cheaper`."""

    model: ModelSection = Field(
        description="The exact model.", examples=["{provider: openai, id: gpt-4.1-mini-2025-04-14}"]
    )
    when: WhenSection | None = Field(
        default=None, description="Which steps it takes.", examples=["{tasks: [faq], input_under: 2000}"]
    )


class Routed(Protocol):
    """The part of `agent.yaml` that is about models."""

    @property
    def model(self) -> ModelSection:
        """The model at the top."""
        ...

    @property
    def routes(self) -> dict[str, RouteSection]:
        """Further models by name."""
        ...

    @property
    def fallbacks(self) -> list[str]:
        """Routes that take over."""
        ...

    @property
    def cheaper(self) -> str | None:
        """The route that saves."""
        ...


def routing_findings(document: Document, agent: Routed, kind_of: KindOf) -> Iterator[Finding]:
    """What is wrong with the model and the routes, in order."""
    yield from pin_findings(document, ("model",), agent.model, kind_of)
    for name, route in agent.routes.items():
        yield from pin_findings(document, ("routes", name, "model"), route.model, kind_of)
        yield from _route_findings(document, agent, name, route)
    named: dict[str, int] = {}
    for at, name in enumerate(agent.fallbacks):
        path = ("fallbacks", at)
        yield from _name_findings(document, agent, path, name)
        if name in named:
            yield Finding(document.place(path), f"`{name}` is there twice", "name it once")
        named[name] = at
    if agent.cheaper is not None:
        yield from _name_findings(document, agent, ("cheaper",), agent.cheaper)


def pin_findings(document: Document, path: Path, model: ModelSection, kind_of: KindOf) -> Iterator[Finding]:
    """What is wrong with an exact model that stands at a path."""
    refusal = pins.refusal(kind_of(model.provider), model.id)
    if refusal is not None:
        problem, _, fix = refusal.rstrip(".").partition(": ")
        yield Finding(document.place((*path, "id")), problem, fix or "pin an exact id")
    for setting in sorted(set(model.extra or {}) - pins.SETTINGS):
        place = document.key((*path, "extra", setting))
        problem = f"`{shorten(setting, 60)}` is no model setting that may be sent along"
        yield Finding(place, problem, did_you_mean(setting, sorted(pins.SETTINGS)))


def _route_findings(document: Document, agent: Routed, name: str, route: RouteSection) -> Iterator[Finding]:
    place = document.key(("routes", name))
    if name == MAIN:
        yield Finding(place, "`main` is the route of the `model` at the top", "give this one another name")
    if route.when is not None and route.when == WhenSection():
        fix = "say which steps it takes, such as `{tasks: [faq]}`, or leave `when` out"
        yield Finding(document.key(("routes", name, "when")), f"`routes.{name}.when` has no condition", fix)
    named = {*agent.fallbacks, *([agent.cheaper] if agent.cheaper is not None else [])}
    if route.when is None and name not in named and named <= set(agent.routes):
        fix = "give it a `when`, or name it under `fallbacks` or `cheaper`"
        yield Finding(place, f"nothing leads to the route `{name}`", fix, warning=True)
    first = next((one for one, other in agent.routes.items() if other.when == route.when), name)
    if first != name and route.when is not None:
        problem = f"the route `{name}` takes the same steps as `{first}`, which comes first"
        yield Finding(place, problem, "let their conditions differ, or remove one", warning=True)


def _name_findings(document: Document, agent: Routed, path: Path, name: str) -> Iterator[Finding]:
    place = document.place(path)
    if name == MAIN:
        yield Finding(place, "`main` is the `model` at the top, which is asked anyway", "name another route")
    elif name not in agent.routes:
        fix = (
            did_you_mean(name, list(agent.routes)) if agent.routes else f"add it: `routes: {{{name}: {{model: ...}}}}`"
        )
        yield Finding(place, f"there is no route `{shorten(name, 60)}`", fix)
