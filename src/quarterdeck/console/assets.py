"""The console's built files, read once: what each is sent as, and the policy under which a browser runs them."""

import base64
import gzip
import hashlib
import re
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from functools import cached_property
from pathlib import Path

BUILT = Path(__file__).with_name("assets")
"""Where the build puts them; in a wheel they are part of the package."""

_TYPES: Mapping[str, str] = {
    ".html": "text/html; charset=utf-8",
    ".js": "text/javascript; charset=utf-8",
    ".css": "text/css; charset=utf-8",
    ".svg": "image/svg+xml",
    ".woff2": "font/woff2",
    ".json": "application/json",
    ".txt": "text/plain; charset=utf-8",
}
_COMPRESSED = frozenset({".woff2"})
_WORTH_COMPRESSING = 1024
_ENVIRONMENT = b'<meta name="environment" content="" />'
_INLINE = re.compile(rb"<(script|style)(?![^>]*\bsrc=)[^>]*>(.*?)</\1>", re.DOTALL)


@dataclass(frozen=True)
class Asset:
    """One file as it is sent. Not slotted, because its compressed form is made once, when first asked for."""

    path: str
    body: bytes
    media_type: str
    etag: str = field(init=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, "etag", f'"{hashlib.sha256(self.body).hexdigest()[:32]}"')

    @property
    def immutable(self) -> bool:
        """Whether its name holds a digest of its content, so that it may be kept for ever."""
        return self.path.startswith("assets/")

    @property
    def compressible(self) -> bool:
        """Whether sending it compressed is worth it."""
        return len(self.body) >= _WORTH_COMPRESSING and Path(self.path).suffix not in _COMPRESSED

    @cached_property
    def compressed(self) -> bytes:
        """The same in gzip, the same bytes in every process."""
        return gzip.compress(self.body, compresslevel=6, mtime=0)


@dataclass(frozen=True, slots=True)
class Console:
    """A whole build: its page, its other files by path, and the policy that the page is sent with."""

    index: Asset
    files: Mapping[str, Asset]
    policy: str


def load(environment: str, folder: Path = BUILT) -> Console | None:
    """The build in a folder, told which environment it shows; None where there is none."""
    if not (folder / "index.html").is_file():
        return None
    files = {asset.path: asset for asset in (_asset(folder, file) for file in sorted(folder.rglob("*"))) if asset}
    index = files.pop("index.html")
    told = index.body.replace(_ENVIRONMENT, b'<meta name="environment" content="%s" />' % environment.encode())
    return Console(replace(index, body=told), files, policy_of(told))


def _asset(folder: Path, file: Path) -> Asset | None:
    media_type = _TYPES.get(file.suffix)
    if media_type is None or not file.is_file():
        return None
    return Asset(file.relative_to(folder).as_posix(), file.read_bytes(), media_type)


def policy_of(page: bytes) -> str:
    """The content security policy of a page: our own files, and by its hash what stands in the page itself.

    No other origin, no eval, no inline style or script that this build did not put there, and no way to turn a string
    into markup: a model's words stay words even where the console has a fault.
    """
    hashes: dict[str, list[str]] = {"script": [], "style": []}
    for found in _INLINE.finditer(page):
        digest = base64.b64encode(hashlib.sha256(found[2]).digest()).decode()
        hashes[found[1].decode()].append(f"'sha256-{digest}'")
    return "; ".join(
        [
            "default-src 'none'",
            " ".join(["script-src", "'self'", *hashes["script"]]),
            " ".join(["style-src", "'self'", *hashes["style"]]),
            "connect-src 'self'",
            "img-src 'self'",
            "font-src 'self'",
            "base-uri 'none'",
            "form-action 'self'",
            "frame-ancestors 'none'",
            "require-trusted-types-for 'script'",
            "trusted-types 'none'",
        ]
    )
