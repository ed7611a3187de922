"""How many examples property tests try: a few at each `make test`, many where `QUARTERDECK_TEST_EFFORT=thorough`.

Every run tries others, so that many runs see many; what a test sets itself (`max_examples`) holds at any effort.
"""

import os

from hypothesis import settings

settings.register_profile("quick", max_examples=40, deadline=None)
settings.register_profile("thorough", max_examples=1_000, deadline=None)


def chosen() -> None:
    """Take the effort that the environment asks for."""
    settings.load_profile(os.environ.get("QUARTERDECK_TEST_EFFORT", "quick"))
