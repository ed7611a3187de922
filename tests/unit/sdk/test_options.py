"""How a client finds its deployment."""

import ssl

import pytest

from quarterdeck.sdk import Quarterdeck
from quarterdeck.sdk.errors import NotConfigured
from quarterdeck.sdk.options import options, trust


@pytest.mark.parametrize("url", ["", "deck.test", "ftp://deck.test", "http://"])
def test_an_address_that_is_none_is_refused_with_the_way_out(url: str):
    with pytest.raises(NotConfigured, match="QUARTERDECK_URL"):
        options(url, "k", None, "")


def test_variables_stand_in_for_arguments(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setenv("QUARTERDECK_URL", "http://deck.test/")
    monkeypatch.setenv("QUARTERDECK_KEY", "qd_a_b")
    found = options(None, None, None, "")
    assert (found.base_url, found.key) == ("http://deck.test", "qd_a_b")
    assert options("http://other.test", "", None, "").key == ""


def test_a_key_with_a_line_end_in_it_is_refused_before_it_breaks_a_header():
    with pytest.raises(NotConfigured, match="QUARTERDECK_KEY"):
        options("http://deck.test", "qd_a_b\n", None, "")


def test_a_key_is_not_shown_when_options_are():
    assert "secret" not in repr(options("http://deck.test", "secret", None, ""))


def test_plain_http_trusts_no_certificate_at_all():
    assert trust("http://deck.test").cert_store_stats()["x509_ca"] == 0
    assert trust("http://deck.test").verify_mode is ssl.CERT_REQUIRED
    assert trust("https://deck.test").verify_mode is ssl.CERT_REQUIRED


def test_closing_twice_does_no_harm():
    client = Quarterdeck("http://deck.test", "k")
    client.close()
    client.close()
