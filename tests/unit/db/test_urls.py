"""One URL and one secret make the URLs of all roles."""

import pytest
from pydantic import SecretStr

from quarterdeck.core.settings import Settings
from quarterdeck.db.faults import BadUrl, SecretMissing
from quarterdeck.db.urls import as_role, password_of, redacted, urls_of, with_database

OWNER = "postgresql://postgres:p%40ss@db.example:6432/qd?sslmode=require"


def settings(**changes) -> Settings:
    return Settings.model_validate({"database_url": OWNER, "secret_key": "0123456789abcdef", **changes})


def test_the_roles_urls_follow_from_the_owners():
    made = settings()
    urls = urls_of(made)
    password = made.derive("db.app").hex()
    assert urls.owner == OWNER
    assert urls.app == f"postgresql://qd_app:{password}@db.example:6432/qd?sslmode=require"
    assert urls.system.startswith("postgresql://qd_system:")
    assert urls.listen == urls.app


def test_the_two_roles_have_different_passwords_and_another_secret_gives_others():
    first, other = settings(), settings(secret_key="fedcba9876543210")
    assert len({password_of(s, role) for s in (first, other) for role in ("qd_app", "qd_system")}) == 4


def test_given_urls_are_taken_as_they_are_and_need_no_secret():
    urls = urls_of(
        Settings(
            database_url=OWNER,
            app_url="postgresql://a:b@pooler/qd",
            system_url="postgresql://c:d@pooler/qd",
            listen_url="postgresql://e:f@db/qd",
        )
    )
    assert (urls.app, urls.system, urls.listen) == (
        "postgresql://a:b@pooler/qd",
        "postgresql://c:d@pooler/qd",
        "postgresql://e:f@db/qd",
    )


def test_a_listen_url_without_a_user_is_for_qd_app():
    assert urls_of(settings(listen_url="postgresql://direct:5432/qd")).listen.startswith("postgresql://qd_app:")


def test_the_embedded_servers_url_stands_in_for_the_setting():
    urls = urls_of(settings(database_url=""), owner="postgresql://postgres:x@127.0.0.1:4/postgres")
    assert urls.app.endswith("@127.0.0.1:4/postgres")


@pytest.mark.parametrize("secret", ["", "short"])
def test_no_password_is_derived_from_a_missing_or_short_secret(secret):
    with pytest.raises(SecretMissing):
        urls_of(Settings(database_url=OWNER, secret_key=SecretStr(secret)))


@pytest.mark.parametrize("url", ["", "mysql://x/y", "postgresql://h:port/x", "db.example:5432/qd"])
def test_a_url_that_is_none_is_refused(url):
    with pytest.raises(BadUrl):
        as_role(url, "qd_app", "x")


def test_ipv6_hosts_and_odd_passwords_survive():
    assert as_role("postgresql://u@[::1]:5/x", "qd_app", "a/b@c") == "postgresql://qd_app:a%2Fb%40c@[::1]:5/x"
    assert with_database("postgresql://u:p@[::1]:5/x?a=b", "y/z") == "postgresql://u:p@[::1]:5/y%2Fz?a=b"


def test_a_url_in_a_log_shows_no_password():
    assert redacted(OWNER) == "postgresql://postgres@db.example:6432/qd"
    assert redacted("postgresql://h/x?password=secret") == "postgresql://h/x"
