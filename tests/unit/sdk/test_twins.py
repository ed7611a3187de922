"""The client without asyncio is the one with it, written again by a script."""

import inspect

from quarterdeck.sdk import AsyncQuarterdeck, Quarterdeck
from scripts import sdk


def test_the_plain_client_is_what_the_script_writes(capsys):
    assert sdk.main(["--check"]) == 0, capsys.readouterr().out


def test_both_clients_offer_the_same():
    a = AsyncQuarterdeck("http://deck.test", "k")
    b = Quarterdeck("http://deck.test", "k")
    nouns = [name for name, found in vars(a).items() if not name.startswith("_") and hasattr(found, "_transport")]
    assert len(nouns) > 15
    for name in nouns:
        asynchronous, plain = getattr(a, name), getattr(b, name)
        verbs = {verb for verb in dir(asynchronous) if not verb.startswith("_")}
        assert verbs == {verb for verb in dir(plain) if not verb.startswith("_")}
        for verb in verbs:
            theirs = inspect.signature(getattr(plain, verb)).parameters
            assert list(inspect.signature(getattr(asynchronous, verb)).parameters) == list(theirs)
