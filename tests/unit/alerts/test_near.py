"""Which runs are near their end, and what is to blame."""

from quarterdeck.alerts.near import Called, Cause, Step, Use, blame, nearest


def steps(*costs: int, inputs: tuple[int, ...] = ()) -> list[Step]:
    return [Step(n, inputs[n] if inputs else 1_000, 100, cost) for n, cost in enumerate(costs)]


def calls(*tools: str, same: bool = False) -> list[Called]:
    return [Called(tool, "x" if same else str(n)) for n, tool in enumerate(tools)]


def test_limits_are_near_from_four_fifths_on_and_the_nearest_comes_first():
    uses = [Use("steps", 8, 10), Use("tokens", 79, 100), Use("budget", 99, 100)]
    assert [use.limit for use in nearest(uses)] == ["budget", "steps"]


def test_a_limit_of_nothing_is_near():
    assert [use.limit for use in nearest([Use("budget", 0, 0)])] == ["budget"]


def test_the_same_call_again_and_again_is_a_loop():
    found = blame(steps(10, 10, 10), [*calls("a"), *calls("search", "search", "search", same=True)])
    assert (found.cause, found.tool) == (Cause.LOOPING_TOOL, "search")
    assert found.words == "`search` was called 3 times with the same arguments among the last 4 calls."


def test_a_tool_that_keeps_failing_is_blamed_before_its_cost():
    failed = [Called("pay", str(n), failed=True) for n in range(3)]
    assert blame(steps(1, 1, 100), failed).cause is Cause.FAILING_TOOL


def test_one_dear_step_is_blamed_when_it_is_dear_beside_the_others():
    found = blame(steps(100_000, 100_000, 400_000), [])
    assert found.cause is Cause.DEAR_STEP
    assert found.words == "The last step cost $0.4000, 67 % of these steps."
    assert blame(steps(100, 100), []).cause is Cause.MANY_STEPS


def test_a_conversation_that_grew_is_blamed():
    found = blame(steps(100, 110, 120, 130, inputs=(1_000, 2_000, 3_500, 5_000)), [])
    assert found.cause is Cause.GROWING_CONTEXT
    assert "from 1,000 to 5,000 tokens in 4 steps" in found.words


def test_a_tool_that_makes_up_most_calls_is_named():
    assert blame([], calls("look", "look", "look", "other", "look", "look")).tool == "look"


def test_where_nothing_stands_out_that_is_said():
    assert blame([], []).cause is Cause.MANY_STEPS
