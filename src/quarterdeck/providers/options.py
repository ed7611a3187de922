"""What can be set for each kind of connection beyond its address and key. Unknown names are refused, not ignored."""

from collections.abc import Mapping
from typing import Annotated, Literal, TypeAlias, cast

import msgspec

from quarterdeck.core.json import Json
from quarterdeck.providers.records import BadConnection, Kind

Seconds: TypeAlias = Annotated[float, msgspec.Meta(gt=0, le=3600)]


Usd: TypeAlias = Annotated[float, msgspec.Meta(ge=0, le=1_000_000)]


class OwnPrice(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """What one model costs, in USD per million tokens. What is not said of cached tokens costs as other input does."""

    input: Usd
    output: Usd
    cache_read: Usd | None = None
    cache_write: Usd | None = None


class PricedOptions(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Of every connection."""

    prices: dict[str, OwnPrice] = {}
    """Own prices by model id, before those of the public list; `*` = every other model."""
    allow_unpriced: bool = False
    """Whether models without a known price may be asked where money is limited: their calls count as free."""


class WireOptions(PricedOptions, frozen=True, forbid_unknown_fields=True):
    """Of connections that speak a wire."""

    api: Literal["chat", "responses"] | None = None
    """OpenAI's two interfaces; by default `responses` at OpenAI itself and `chat` everywhere else."""
    organization: str | None = None
    project: str | None = None
    connect_timeout: Seconds = 10.0
    idle_timeout: Seconds = 60.0
    """Silence in a stream after which a try is given up."""
    max_concurrency: Annotated[int, msgspec.Meta(ge=1, le=10_000)] = 64
    """Calls that one worker has under way at the same time; fewer while the provider says that it is too much."""
    rpm_limit: Annotated[int, msgspec.Meta(ge=1)] | None = None
    """Requests a minute that all workers together send at most; fewer while the provider allows less."""
    tpm_limit: Annotated[int, msgspec.Meta(ge=1)] | None = None
    """The same for tokens, those of the answers included."""
    limits_by: Literal["key", "model"] | None = None
    """Whether limits hold for the key or for each model with it; by default `model` at OpenAI, Anthropic and Google,
    who count by model, and `key` everywhere else."""
    record: str | None = None
    """Folder on the worker's machine into which every conversation is recorded as a cassette."""


class RecordedOptions(PricedOptions, frozen=True, forbid_unknown_fields=True):
    """Of connections that replay cassettes."""

    mode: Literal["strict", "lenient"] = "strict"
    folder: str | None = None
    speed: Annotated[float, msgspec.Meta(ge=0, le=1000)] = 0.0


class ScriptedOptions(PricedOptions, frozen=True, forbid_unknown_fields=True):
    """Of connections that answer by a script, for tests and benches. The script's own form is the model's affair."""

    script: msgspec.Raw = msgspec.Raw(b"{}")
    latency_ms: Annotated[float, msgspec.Meta(ge=0, le=600_000)] = 0.0


Options: TypeAlias = WireOptions | RecordedOptions | ScriptedOptions

_FORMS: Mapping[Kind, type[Options]] = {Kind.RECORDED: RecordedOptions, Kind.SCRIPTED: ScriptedOptions}


def read_options(kind: Kind, options: Mapping[str, Json]) -> Options:
    """The options of a connection. Raises BadConnection, which names the option and what it may be."""
    form = _FORMS.get(kind, WireOptions)
    try:
        return msgspec.json.decode(msgspec.json.encode(options), type=form)
    except msgspec.ValidationError as fault:
        raise BadConnection(f"options of a connection of kind {kind}: {fault}", options=list(options)) from None


def wire_options(kind: Kind, options: Mapping[str, Json]) -> WireOptions:
    """The options of a connection that speaks a wire."""
    return cast("WireOptions", read_options(kind, options))


def limits_by_model(kind: Kind, options: WireOptions) -> bool:
    """Whether each model has limits of its own, rather than all together."""
    if options.limits_by is not None:
        return options.limits_by == "model"
    return kind in {Kind.OPENAI, Kind.ANTHROPIC, Kind.GOOGLE}
