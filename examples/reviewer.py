"""The person in the demo who answers what the support desk asks: a script, with the judgement of somebody careful.

It has a key with the role `reviewer` and nothing else, and answers over the API as the console does. What it looks at
is what people should look at: where the destination came from first, then what it is for.
"""

from collections.abc import Collection
from dataclasses import dataclass

from quarterdeck.sdk import Quarterdeck
from quarterdeck.sdk.approvals import Approval
from quarterdeck.sdk.errors import Conflict

CLEAN = {"author", "user", "reviewer", "trusted", "endorsed"}


@dataclass(frozen=True, slots=True)
class Answer:
    """A verdict and the reason that is kept with it; the agent is told the reason of a denial."""

    approved: bool
    why: str


@dataclass(frozen=True, slots=True)
class Answered:
    """A question and what was said to it."""

    asked: Approval
    answer: Answer


def judge(asked: Approval) -> Answer:
    """What this reviewer says to a question."""
    origin = asked.origins.get("number", "model")
    if origin not in CLEAN:
        return Answer(approved=False, why=f"the customer never named order {asked.arguments.get('number')}")
    if "scratch" in str(asked.arguments.get("reason")):
        return Answer(approved=False, why="not for a scratch; offer a tenth of the price, or taking it back for free")
    return Answer(approved=True, why="return window open, the leak is known of this machine")


def answer_all(deck: Quarterdeck, runs: Collection[str]) -> list[Answered]:
    """Answer what these runs ask in the inbox of this key's tenant. Where somebody else was quicker, theirs counts."""
    said: list[Answered] = []
    for asked in deck.approvals.list(state="pending"):
        if asked.run_id not in runs:
            continue
        answer = judge(asked)
        try:
            if answer.approved:
                deck.approvals.approve(asked.approval_id, asked.digest, why=answer.why)
            else:
                deck.approvals.deny(asked.approval_id, answer.why)
        except Conflict:
            continue
        said.append(Answered(asked, answer))
    return said
