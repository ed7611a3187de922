import pytest

from quarterdeck.spec.lock import lock_findings

HASH = f"--hash=sha256:{'a' * 64}"
FIX = "write it with `pip-compile --generate-hashes` or `uv pip compile --generate-hashes`"
PLACES = "is not accepted: where packages come from is the deployment's; remove the line"

GOOD = f"""\
# made by a tool
annotated-types==0.8.0 \\
    {HASH} \\
    --hash=sha256:{"b" * 64}
    # via pydantic
pydantic[email]==2.14.3 ; python_version >= "3.11" {HASH}
"""

BAD = {
    "no hash": ("a==1", [f"lock:1:1: `a==1` has no hash; {FIX}"]),
    "a range": (f"\na>=1 {HASH}", [f"lock:2:1: `a>=1` is not one exact version; {FIX}"]),
    "a wildcard": (f"a==1.* {HASH}", [f"lock:1:1: `a==1.*` is not one exact version; {FIX}"]),
    "a weak hash": (
        "a==1 --hash=md5:abc",
        [f"lock:1:1: `a==1` has a hash that is no `sha256:` with 64 digits; {FIX}"],
    ),
    "one hash of two too short": (
        f"a==1 {HASH} --hash=sha256:abc",
        [f"lock:1:1: `a==1` has a hash that is no `sha256:` with 64 digits; {FIX}"],
    ),
    "an address": (
        f"a @ https://example.com/a.whl {HASH}",
        [
            (
                "lock:1:1: `a @ https://example.com/a.whl` comes from an address of its own; "
                "lock a published version with `==`"
            )
        ],
    ),
    "another index": ("--extra-index-url https://example.com", [f"lock:1:1: `--extra-index-url` {PLACES}"]),
    "an editable": ("-e .", [f"lock:1:1: `-e` {PLACES}"]),
    "another file": ("# x\n-r other.txt", [f"lock:2:1: `-r` {PLACES}"]),
    "a continued line": (f"a \\\n >=1 \\\n{HASH}", [f"lock:1:1: `a >=1` is not one exact version; {FIX}"]),
    "too many": (f"a==1 {HASH}\n" * 501, ["lock: it locks 501 packages; keep it to 500"]),
}


def test_exact_hashed_packages_are_accepted():
    assert list(lock_findings(GOOD, "lock")) == []


@pytest.mark.parametrize(("text", "said"), BAD.values(), ids=BAD.keys())
def test_whatever_is_not_exact_and_hashed_is_refused(text: str, said: list[str]):
    assert [str(finding) for finding in lock_findings(text, "lock")] == said
