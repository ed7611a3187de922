"""A circuit opens when a tool fails, lets one probe through, and closes when that comes back well."""

from datetime import timedelta

from hypothesis import given
from hypothesis import strategies as st
from hypothesis.stateful import Bundle, RuleBasedStateMachine, initialize, invariant, rule

from quarterdeck.core.clock import FakeClock
from quarterdeck.core.ids import TenantId, uuid7
from quarterdeck.rates import circuit as rules
from quarterdeck.rates.circuit import FAILURES, Circuit, Outcome, Pass, Phase, Wait
from quarterdeck.rates.circuits import Circuits

NEW = Circuit()


def failed(times: int, circuit: Circuit = NEW, now: float = 0.0) -> Circuit:
    for _ in range(times):
        circuit, leave = rules.ask(circuit, now)
        assert isinstance(leave, Pass)
        circuit = rules.tell(circuit, leave, Outcome.FAILED, now)
    return circuit


def test_failures_in_a_row_open_it_and_one_success_between_them_does_not():
    shaky = failed(FAILURES - 1)
    assert shaky.phase is Phase.CLOSED
    well = rules.tell(shaky, Pass(shaky.era), Outcome.WELL, 0.0)
    assert failed(FAILURES - 1, well).phase is Phase.CLOSED
    assert failed(1, shaky).phase is Phase.OPEN


def test_while_it_is_open_nobody_passes_and_everybody_is_told_how_long():
    opened = failed(FAILURES)
    assert rules.ask(opened, 0.5) == (opened, Wait(1.5))


def test_one_probe_passes_when_the_pause_is_over_and_the_others_wait_for_it():
    opened = failed(FAILURES)
    probing, leave = rules.ask(opened, 2.0)
    assert isinstance(leave, Pass)
    assert leave.probe
    assert rules.ask(probing, 2.0) == (probing, Wait(rules.ASK_AGAIN))
    assert rules.tell(probing, leave, Outcome.WELL, 3.0).is_well


def test_each_failing_probe_doubles_the_pause_up_to_the_longest():
    circuit, now, pauses = failed(FAILURES), 0.0, []
    for _ in range(9):
        pauses.append(circuit.until - now)
        now = circuit.until
        circuit = failed(1, circuit, now)
    assert pauses == [2, 4, 8, 16, 32, 64, 120, 120, 120]


def test_what_the_tool_says_of_when_to_come_back_is_taken_at_its_word():
    told = rules.tell(Circuit(), Pass(0), Outcome.THROTTLED, 10.0, retry_after=30.0)
    assert rules.wait(told, 10.0) == 30.0
    endless = rules.tell(Circuit(), Pass(0), Outcome.THROTTLED, 10.0, retry_after=1e9)
    assert rules.wait(endless, 10.0) == rules.LONGEST_WORD
    silent = rules.tell(Circuit(), Pass(0), Outcome.THROTTLED, 10.0)
    assert (silent.phase, silent.failures) == (Phase.CLOSED, 1)


def test_calls_that_were_sent_before_it_opened_neither_close_it_nor_keep_it_open():
    opened = failed(FAILURES)
    probing, leave = rules.ask(opened, 5.0)
    for late in Outcome:
        assert rules.tell(opened, Pass(0), late, 1.0, retry_after=99.0) == opened
        assert rules.tell(probing, Pass(0), late, 6.0, retry_after=99.0) == probing
    assert isinstance(leave, Pass)


def test_a_probe_that_never_got_there_is_sent_again_at_once():
    probing, leave = rules.ask(failed(FAILURES), 2.0)
    assert isinstance(leave, Pass)
    returned = rules.tell(probing, leave, Outcome.NO_WORD, 2.5)
    assert returned.phase is Phase.OPEN
    _, again = rules.ask(returned, 2.5)
    assert isinstance(again, Pass)


def test_a_probe_that_nobody_heard_of_again_does_not_keep_everybody_out_for_ever():
    probing, lost = rules.ask(failed(FAILURES), 2.0)
    second, leave = rules.ask(probing, 2.0 + rules.PROBE_TIME)
    assert isinstance(leave, Pass)
    assert isinstance(lost, Pass)
    assert leave.probe
    # And if it comes back after all, it speaks for a time that is over.
    assert rules.tell(second, lost, Outcome.FAILED, 200.0) == second


@given(st.lists(st.tuples(st.sampled_from(Outcome), st.integers(0, 200), st.integers(0, 5000)), max_size=60))
def test_no_wait_is_longer_than_the_tools_word_or_our_longest_pause(history):
    circuit, now = Circuit(), 0
    for outcome, later, word in history:
        now += later
        circuit, leave = rules.ask(circuit, now)
        if isinstance(leave, Pass):
            circuit = rules.tell(circuit, leave, outcome, now, retry_after=word)
        assert rules.wait(circuit, now) <= rules.LONGEST_WORD
        # However it stands, nobody is kept out for ever: with its time over, the next to ask gets through.
        _, after = rules.ask(circuit, max(now, circuit.until))
        assert isinstance(after, Pass)


class OneTool(RuleBasedStateMachine):
    """Many calls of one tool, ending in any order, over a registry."""

    passes = Bundle("passes")

    @initialize()
    def begin(self) -> None:
        self.clock = FakeClock()
        self.circuits = Circuits(self.clock, lambda: 1.0)
        self.key = (TenantId(uuid7()), "shop", "refund")
        self.probes: set[Pass] = set()

    @rule(target=passes)
    def ask(self):
        before = self.circuits.standing().get(self.key, Circuit())
        answer = self.circuits.ask(self.key)
        if isinstance(answer, Wait):
            assert answer.seconds > 0
            assert before.phase is not Phase.CLOSED
            return Pass(-1)
        if answer.probe:
            assert answer not in self.probes  # no two probes are the same leave
            self.probes.add(answer)
        else:
            assert before.phase is Phase.CLOSED
        return answer

    @rule(leave=passes, outcome=st.sampled_from(Outcome), word=st.sampled_from([0.0, 1.0, 30.0]))
    def tell(self, leave: Pass, outcome: Outcome, word: float) -> None:
        if leave.era >= 0:
            self.circuits.tell(self.key, leave, outcome, word)

    @rule(seconds=st.sampled_from([0.1, 1.0, 10.0, 100.0, 4000.0]))
    def let_time_pass(self, seconds: float) -> None:
        self.clock.advance(timedelta(seconds=seconds))

    @invariant()
    def one_waits_no_longer_than_it_says(self) -> None:
        if not hasattr(self, "circuits"):
            return
        known = self.circuits.standing().get(self.key)
        assert (self.circuits.wait(self.key) == 0.0) == (
            known is None or known.phase is Phase.CLOSED or known.until <= self.clock.boot()
        )


TestOneTool = OneTool.TestCase


def test_tools_and_tenants_have_circuits_of_their_own():
    circuits = Circuits(FakeClock(), lambda: 1.0)
    ours, theirs = (TenantId(uuid7()), "shop", "refund"), (TenantId(uuid7()), "shop", "refund")
    for _ in range(FAILURES):
        leave = circuits.ask(ours)
        assert isinstance(leave, Pass)
        circuits.tell(ours, leave, Outcome.FAILED)
    assert circuits.wait(ours) == 2.0
    assert circuits.wait(theirs) == 0.0
    assert circuits.wait((ours[0], "shop", "search")) == 0.0
    assert list(circuits.standing()) == [ours]


def test_a_late_outcome_from_before_it_opened_is_not_taken_for_news_once_it_is_closed_again():
    clock = FakeClock()
    circuits = Circuits(clock, lambda: 1.0)
    key = (TenantId(uuid7()), "shop", "refund")
    early = circuits.ask(key)
    assert isinstance(early, Pass)
    for _ in range(FAILURES):
        leave = circuits.ask(key)
        assert isinstance(leave, Pass)
        circuits.tell(key, leave, Outcome.FAILED)
    clock.advance(timedelta(seconds=3))
    probe = circuits.ask(key)
    assert isinstance(probe, Pass)
    circuits.tell(key, probe, Outcome.WELL)
    assert not circuits.standing()
    circuits.tell(key, early, Outcome.THROTTLED, 1000.0)
    assert circuits.wait(key) == 0.0
