"""How many tokens a question will take, more or less, learned from those before it."""

from quarterdeck.gates.sizes import Sizes
from tests.fakes.asking import asked, user


def test_a_longer_question_is_thought_to_take_more():
    sizes = Sizes()
    assert sizes.estimate(asked(user("x" * 8000))) > sizes.estimate(asked(user("x"))) + 1500


def test_estimates_come_to_what_is_used():
    sizes, request = Sizes(), asked(user("hello " * 100))
    for _ in range(30):
        sizes.learn(request, 90.0)
    assert 85 <= sizes.estimate(request) <= 95


def test_each_model_is_learned_by_itself():
    sizes, request = Sizes(), asked(user("hello"))
    other = asked(user("hello"), model="scripted-2")
    before = sizes.estimate(other)
    sizes.learn(request, 20_000.0)
    assert sizes.estimate(other) == before
