"""The proof of a run as the API shows it."""

from pydantic import BaseModel, Field

from quarterdeck.core.json import Json
from quarterdeck.runs.crossings import Crossing, Gap, Proof
from quarterdeck.runs.demands import Demands
from quarterdeck.runs.records import Run


class CrossingRecord(BaseModel):
    """One edge and the decision that stands before it."""

    seq: int = Field(description="Where in the log.")
    edge: str = Field(description="input, model, tool, approval, result, child, summary, escalation or output.")
    step: int
    name: str = Field(description="The model or the tool.")
    verdict: str = Field(description="What was decided; of results and summaries the trust that they are shown under.")
    rule: str = Field(description="What decided it; empty where nothing was found.")
    reason: str
    checks: list[str] = Field(description="The checks that were made, in order.")
    missing: list[str] = Field(description="Those that had to be made and were not.")
    policies: list[str]
    approved_by: list[str]
    effective: str = Field(description="The digest of what was in force.")
    call: str
    child: str | None = Field(description="The run that carried the call out, with a proof of its own.")


class GapRecord(BaseModel):
    """Something that stands in the log without what had to come before it."""

    seq: int
    edge: str
    what: str


class ProofRecord(BaseModel):
    """What the log of a run shows: every edge with its decision, and the edges that have none."""

    run_id: str
    release: str
    behaviour: int
    proven: bool
    ended: bool = Field(description="Whether the run has ended; one that goes on is proven as far as it has come.")
    events: int
    demanded: dict[str, list[str]] = Field(description="The checks that this release and version demand, by edge.")
    edges: list[CrossingRecord]
    gaps: list[GapRecord]
    children: list[str]


def proof_json(run: Run, demands: Demands, proof: Proof) -> dict[str, Json]:
    """The record of a proof."""
    demanded: dict[str, Json] = {
        "input": list(demands.input),
        "model": list(demands.model),
        "tool": list(demands.tool),
        "output": list(demands.output),
    }
    return {
        "run_id": str(run.id),
        "release": run.release,
        "behaviour": run.behaviour,
        "proven": proof.proven,
        "ended": proof.ended,
        "events": proof.events,
        "demanded": demanded,
        "edges": [_crossing(edge) for edge in proof.edges],
        "gaps": [_gap(gap) for gap in proof.gaps],
        "children": list(dict.fromkeys(edge.child for edge in proof.edges if edge.child)),
    }


def _crossing(edge: Crossing) -> dict[str, Json]:
    return {
        "seq": edge.seq,
        "edge": edge.edge,
        "step": edge.step,
        "name": edge.name,
        "verdict": edge.verdict,
        "rule": edge.rule,
        "reason": edge.reason,
        "checks": list(edge.checks),
        "missing": list(edge.missing),
        "policies": list(edge.policies),
        "approved_by": list(edge.by),
        "effective": edge.effective,
        "call": edge.call,
        "child": edge.child or None,
    }


def _gap(gap: Gap) -> dict[str, Json]:
    return {"seq": gap.seq, "edge": gap.edge, "what": gap.what}
