"""Which deployment a command speaks to, and with which key: variables first, else the `dev` of this folder."""

import os
from pathlib import Path
from typing import TYPE_CHECKING

from quarterdeck.cli.local import find_folder, recall
from quarterdeck.core.errors import Misconfigured

if TYPE_CHECKING:
    from quarterdeck.sdk import Quarterdeck

DEFAULT_URL = "http://127.0.0.1:7410"


class NoDeployment(Misconfigured):
    """No deployment is known here: set QUARTERDECK_URL and QUARTERDECK_KEY, or run `qd dev` in this folder."""

    code = "cli.no_deployment"


def deck(*, admin: bool = False, tenant: str = "") -> "Quarterdeck":
    """A client for this command. Raises NoDeployment.

    `admin` asks for the rights of the deployment's admin, which `dev` keeps beside the tenant's key. `tenant` names
    the tenant to act in, which only an admin may choose. A key that was set by hand is used for everything.
    """
    from quarterdeck.sdk import Quarterdeck

    url, key = os.environ.get("QUARTERDECK_URL", ""), os.environ.get("QUARTERDECK_KEY", "")
    wanted = tenant or os.environ.get("QUARTERDECK_TENANT", "")
    if key:
        known = None if url else recall(find_folder(Path.cwd(), os.environ.get("QUARTERDECK_DATA_DIR", "")))
        return Quarterdeck(url or (known.url if known else DEFAULT_URL), key, tenant=wanted)
    known = recall(find_folder(Path.cwd(), os.environ.get("QUARTERDECK_DATA_DIR", "")))
    if known is None or (url and url.rstrip("/") != known.url):
        raise NoDeployment(
            f"There is no key for {url}: set QUARTERDECK_KEY." if url else None, **({"url": url} if url else {})
        )
    if admin or wanted not in {"", known.tenant}:
        return Quarterdeck(known.url, known.admin_key, tenant=wanted or known.tenant)
    return Quarterdeck(known.url, known.key, tenant="")
