"""What proofs demand is what the gates check: neither forgets what the other knows."""

from quarterdeck.context.view import READ_RESULT
from quarterdeck.gates import again, checks, model
from quarterdeck.gates.rules import names
from quarterdeck.releases.records import BEHAVIOUR_VERSION, EXECUTED
from quarterdeck.runs import demands


def test_a_proof_demands_every_check_of_this_version_in_its_order():
    assert names(checks.CHECKS) == demands.TOOL[BEHAVIOUR_VERSION]
    # The budget is asked, and paid from, in the transaction that writes the question down.
    assert (*names(model.CHECKS), "budget") == demands.MODEL[BEHAVIOUR_VERSION]
    assert names(again.CHECKS) == demands.READING
    assert demands.READ_RESULT == READ_RESULT


def test_nothing_that_was_demanded_of_older_behaviours_is_forgotten():
    assert set(EXECUTED) <= set(demands.TOOL) == set(demands.MODEL)
    for behaviour in EXECUTED:
        assert set(demands.TOOL[behaviour]) <= set(demands.TOOL[BEHAVIOUR_VERSION])
        assert set(demands.MODEL[behaviour]) <= set(demands.MODEL[BEHAVIOUR_VERSION])
