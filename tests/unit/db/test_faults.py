"""Which faults of the driver are the database's state, and which are somebody's bug."""

import asyncpg
import pytest

from quarterdeck.core.errors import Unavailable
from quarterdeck.db import faults
from quarterdeck.db.faults import explain
from quarterdeck.db.scram import verifier


@pytest.mark.parametrize(
    ("fault", "error"),
    [
        (asyncpg.DeadlockDetectedError("x"), faults.Contended),
        (asyncpg.SerializationError("x"), faults.Contended),
        (asyncpg.InvalidCachedStatementError("x"), faults.Contended),
        (asyncpg.ConnectionDoesNotExistError("x"), faults.DatabaseAway),
        (asyncpg.AdminShutdownError("x"), faults.DatabaseAway),
        (asyncpg.CannotConnectNowError("x"), faults.DatabaseAway),
        (asyncpg.IdleInTransactionSessionTimeoutError("x"), faults.DatabaseAway),
        (asyncpg.InternalClientError("x"), faults.DatabaseAway),
        (asyncpg.OutdatedSchemaCacheError("x"), faults.Contended),
        (asyncpg.DiskFullError("x"), faults.DatabaseFull),
        (asyncpg.TooManyConnectionsError("x"), faults.DatabaseBusy),
        (asyncpg.QueryCanceledError("x"), faults.StatementTooSlow),
        (asyncpg.InvalidPasswordError("x"), faults.LoginRefused),
        (asyncpg.InvalidCatalogNameError("x"), faults.NoSuchDatabase),
    ],
)
def test_states_of_the_database_are_told_in_our_words(fault, error):
    explained = explain(fault)
    assert explained is not None
    assert type(explained) is error
    assert explained.facts == {"reason": "x"}


@pytest.mark.parametrize(
    "fault", [asyncpg.UniqueViolationError("x"), asyncpg.PostgresSyntaxError("x"), ValueError("x")]
)
def test_bugs_and_constraints_stay_what_they_are(fault):
    assert explain(fault, closed=True) is None


@pytest.mark.parametrize("fault", [ConnectionResetError("x"), TimeoutError(), asyncpg.InterfaceError("closed")])
def test_a_broken_wire_counts_only_when_the_connection_is_gone(fault):
    assert explain(fault) is None
    assert isinstance(explain(fault, closed=True), faults.DatabaseAway)


def test_what_a_user_may_try_again_is_unavailable():
    for error in (
        faults.DatabaseAway,
        faults.CommitUnknown,
        faults.DatabaseBusy,
        faults.Contended,
        faults.DatabaseFull,
    ):
        assert issubclass(error, Unavailable)
        assert error.title()[0].isupper()


def test_a_verifier_is_repeatable_and_holds_no_password():
    first = verifier("secret-of-the-role")
    assert first == verifier("secret-of-the-role")
    assert first != verifier("secret-of-another")
    assert first.startswith("SCRAM-SHA-256$4096:")
    assert "secret" not in first
