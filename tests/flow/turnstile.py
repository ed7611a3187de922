"""A turnstile in the database: whoever wants to write one kind of event of one run stands still inside its transaction.

So a test can kill a process exactly between two commits, instead of hoping to hit the moment.
"""

import asyncio
import threading
from collections.abc import Coroutine, Iterator
from contextlib import contextmanager
from typing import Any, TypeVar

from quarterdeck.db import driver
from tests.flow.stage import until

T = TypeVar("T")

BUILD = """
CREATE TABLE IF NOT EXISTS qd.turnstile (run uuid, kind text);
GRANT SELECT ON qd.turnstile TO qd_app, qd_system;
CREATE OR REPLACE FUNCTION qd.stand_still() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF EXISTS (SELECT 1 FROM qd.turnstile t WHERE t.run = NEW.run AND t.kind = NEW.kind) THEN
        PERFORM pg_advisory_xact_lock_shared(815);
    END IF;
    RETURN NEW;
END $$;
CREATE OR REPLACE TRIGGER stand_still BEFORE INSERT ON qd.run_events FOR EACH ROW EXECUTE FUNCTION qd.stand_still();
"""
TEAR_DOWN = "DROP TRIGGER stand_still ON qd.run_events; DROP FUNCTION qd.stand_still; DROP TABLE qd.turnstile"
STANDING = "SELECT count(*) FROM pg_locks WHERE locktype = 'advisory' AND objid = 815 AND NOT granted"


class Turnstile:
    """Holds one kind of event of one run back while a test wants it to."""

    def __init__(self, url: str) -> None:
        self._url = url
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever, daemon=True)
        self._thread.start()
        self._connection: Any = self._wait(driver.connect(url))
        self._run(BUILD)

    @contextmanager
    def before(self, run: str, kind: str) -> Iterator["Turnstile"]:
        """While the block lasts nobody gets past the writing of this event; what stood there then goes on."""
        self._run("DELETE FROM qd.turnstile")
        self._wait(self._connection.execute("INSERT INTO qd.turnstile VALUES ($1, $2)", run, kind))
        self._run("SELECT pg_advisory_lock(815)")
        try:
            yield self
        finally:
            self._run("DELETE FROM qd.turnstile")
            self._run("SELECT pg_advisory_unlock(815)")

    def await_somebody(self) -> None:
        """Wait until somebody stands there."""
        until(lambda: self._wait(self._connection.fetchval(STANDING)), "somebody wants to write the event")

    def close(self) -> None:
        """Take it away."""
        self._run(TEAR_DOWN)
        self._wait(self._connection.close())
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join()
        self._loop.close()

    def _run(self, statements: str) -> None:
        self._wait(self._connection.execute(statements))

    def _wait(self, work: Coroutine[Any, Any, T]) -> T:
        return asyncio.run_coroutine_threadsafe(work, self._loop).result(30)
