"""The proof of a run, told: edge by edge, then what is missing, then the verdict."""

from quarterdeck.cli.screen import Screen, harmless
from quarterdeck.sdk.records import Crossing, RunProof

_STYLES = {"deny": "yellow", "ask": "yellow", "untrusted": "dim"}


def told(proof: RunProof, screen: Screen) -> None:
    """Print a proof: a line an edge, a line a gap, one line of what they come to."""
    for edge in proof.edges:
        screen.line(_line(edge), "red" if edge.missing else _STYLES.get(edge.verdict, ""))
    for gap in proof.gaps:
        screen.line(f"{gap.seq:>5}  {gap.edge:<10} {harmless(gap.what)}", "red")
    far = "" if proof.ended else ", as far as it has come"
    if proof.proven:
        counted = f"{len(proof.edges)} edges in {proof.events} events, each with its decision{far}"
        screen.line(f"proven: {counted}", "green")
    else:
        screen.line(f"not proven: {len(proof.gaps)} {'gap' if len(proof.gaps) == 1 else 'gaps'}{far}", "red")
    for child in proof.children:
        screen.line(f"another run carried a call out: qd run prove {child}", "dim")


def _line(edge: Crossing) -> str:
    rule = f" by {edge.rule}" if edge.rule and edge.rule != "default" else ""
    made = ", ".join(edge.checks) or "nothing was demanded"
    force = f"  in force {edge.effective[:12]}" if edge.effective else ""
    who = f"  {', '.join(edge.approved_by)}" if edge.approved_by else ""
    return harmless(f"{edge.seq:>5}  {edge.edge:<10} {edge.name:<24} {edge.verdict}{rule}  [{made}]{who}{force}")
