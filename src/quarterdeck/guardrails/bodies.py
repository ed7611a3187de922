"""What `/v1/guardrails/measure` is asked and answers."""

from datetime import datetime
from uuid import UUID

from pydantic import AwareDatetime, BaseModel, Field

from quarterdeck.guardrails.inputs import THRESHOLD
from quarterdeck.spec import values


class MeasureQuery(BaseModel):
    """Which traffic is looked at, and what it is held against."""

    agent: str | None = Field(default=None, pattern=values.NAME, description="One agent's runs; all by default.")
    since: AwareDatetime | None = Field(default=None, description="Runs submitted since then; seven days by default.")
    limit: int = Field(default=200, ge=1, le=1000, description="At most so many of the newest runs.")
    threshold: float = Field(default=THRESHOLD, ge=0, le=1, description="The score from which on an input counts.")
    false_positives: float = Field(
        default=0.01, ge=0, le=1, description="The share of inputs that the calibrated threshold may flag."
    )


class JudgementCount(BaseModel):
    """Recorded judgements of one kind."""

    edge: str = Field(description="`input` or `output`.")
    verdict: str
    rule: str = Field(description="The rule that decided; empty = nothing was found.")
    times: int


class FindingCount(BaseModel):
    """What recorded judgements found. Never the thing itself."""

    edge: str
    check: str
    what: str
    times: int


class SuspectRecord(BaseModel):
    """A run whose input scores high; what was said stands in the run."""

    run_id: UUID
    agent: str
    score: float
    leading: str = Field(description="The class that says most.")


class InputFigures(BaseModel):
    """What the detector of this version says of recent inputs, whatever was judged then."""

    texts: int
    threshold: float
    flagged: int
    share: float
    classes: dict[str, int]
    highest: list[SuspectRecord]


class Calibration(BaseModel):
    """The threshold that flags at most the wanted share, if all of the traffic is honest."""

    false_positives: float
    threshold: float | None = Field(
        description="Above 1 where even the surest findings are too many; null where there was no traffic."
    )
    agent_yaml: str


class Measurement(BaseModel):
    """A tenant's traffic beside its guardrails."""

    since: datetime
    judgements: list[JudgementCount]
    findings: list[FindingCount]
    inputs: InputFigures
    calibration: Calibration
