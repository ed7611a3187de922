"""How a tenant's guardrails do, as a deployment measures it."""

from collections.abc import Mapping
from datetime import datetime

from quarterdeck.sdk.records import Record


class JudgementCount(Record, frozen=True, kw_only=True):
    """Recorded judgements of one kind; an empty `rule` = nothing was found."""

    edge: str
    verdict: str
    rule: str = ""
    times: int = 0


class FindingCount(Record, frozen=True, kw_only=True):
    """What recorded judgements found."""

    edge: str
    check: str
    what: str
    times: int = 0


class Suspect(Record, frozen=True, kw_only=True):
    """A run whose input scores high."""

    run_id: str
    agent: str = ""
    score: float = 0.0
    leading: str = ""


class InputFigures(Record, frozen=True, kw_only=True):
    """What the detector says of recent inputs."""

    texts: int = 0
    threshold: float = 0.0
    flagged: int = 0
    share: float = 0.0
    classes: Mapping[str, int] = {}
    highest: tuple[Suspect, ...] = ()


class Calibration(Record, frozen=True, kw_only=True):
    """The threshold that flags at most a share of the traffic, and the lines of agent.yaml that use it."""

    false_positives: float = 0.0
    threshold: float | None = None
    agent_yaml: str = ""


class Measurement(Record, frozen=True, kw_only=True):
    """A tenant's traffic beside its guardrails."""

    since: datetime | None = None
    judgements: tuple[JudgementCount, ...] = ()
    findings: tuple[FindingCount, ...] = ()
    inputs: InputFigures = InputFigures()
    calibration: Calibration = Calibration()
