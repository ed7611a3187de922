"""The Python client: `Quarterdeck`, and `AsyncQuarterdeck` for asyncio. It imports nothing of the server.

from quarterdeck.sdk import Quarterdeck

with Quarterdeck() as deck:
    run = deck.runs.submit("desk", "Where is order 1001?")
    for item in deck.runs.stream(run.run_id):
        ...
"""

from quarterdeck.core.signature import SignatureInvalid
from quarterdeck.core.signature import verify as verify_webhook
from quarterdeck.sdk import errors, holdings, records
from quarterdeck.sdk.aio.client import AsyncQuarterdeck
from quarterdeck.sdk.errors import QuarterdeckError
from quarterdeck.sdk.proof import Proof, check_export
from quarterdeck.sdk.records import Delta, Event, Reset, Run
from quarterdeck.sdk.sync.client import Quarterdeck

__all__ = [
    "AsyncQuarterdeck",
    "Delta",
    "Event",
    "Proof",
    "Quarterdeck",
    "QuarterdeckError",
    "Reset",
    "Run",
    "SignatureInvalid",
    "check_export",
    "errors",
    "holdings",
    "records",
    "verify_webhook",
]
