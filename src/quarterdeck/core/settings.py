"""Settings come from `QUARTERDECK_*` variables and from nowhere else, so that every process of a deployment agrees."""

import hashlib
import hmac
from datetime import timedelta
from pathlib import Path
from typing import Literal

from pydantic import Field, SecretStr
from pydantic_settings import BaseSettings, SettingsConfigDict

from quarterdeck.core.errors import Misconfigured

SHORTEST_SECRET = 16
"""Characters of the master secret, at least."""


class Settings(BaseSettings):
    """Everything that can be set. Times are seconds, sizes bytes, unless the name says otherwise."""

    model_config = SettingsConfigDict(env_prefix="QUARTERDECK_", extra="ignore", frozen=True)

    environment: Literal["dev", "staging", "production"] = Field(
        default="dev", description="What this deployment is for; the console shows it."
    )
    secret_key: SecretStr = Field(
        default=SecretStr(""), description="Master secret: keys, sessions and sealed values derive from it."
    )
    vault_key: SecretStr = Field(
        default=SecretStr(""), description="Master secret of the vault alone; empty = derived from secret_key."
    )
    vault_keys_before: SecretStr = Field(
        default=SecretStr(""),
        description="Its master secrets before, space-separated, until all is re-wrapped.",
    )
    vault_folder: Path | None = Field(
        default=None, description="Folder of `secret://file/NAME`: a file a secret, readable by no others."
    )
    vault_env_tenants: str = Field(
        default="", description="Tenants that may use `secret://env/NAME`, comma-separated slugs; * = all."
    )
    vault_file_tenants: str = Field(default="", description="The same for `secret://file/NAME`.")
    data_dir: Path = Field(default=Path(".quarterdeck"), description="Embedded database, caches and tool hosts.")

    database_url: str = Field(default="", description="Owner's URL: migrations; the other two derive from it.")
    app_url: str = Field(default="", description="URL of role qd_app; by default derived from database_url.")
    system_url: str = Field(default="", description="URL of role qd_system; by default derived from database_url.")
    listen_url: str = Field(default="", description="Direct URL for LISTEN where the others go through PgBouncer.")
    pool_size: int = Field(
        default=12, ge=2, le=200, description="Connections of a process as qd_app; half as many more as qd_system."
    )

    host: str = Field(default="127.0.0.1", description="Address that the api listens on.")
    port: int = Field(default=7410, ge=0, le=65535, description="Port that the api listens on; 0 = a free one.")
    public_url: str = Field(
        default="", description="Where browsers reach the api, when a proxy stands in front: https://deck.example.com"
    )
    metrics_token: SecretStr = Field(
        default=SecretStr(""), description="Bearer token for /metrics, besides deployment admins' keys."
    )
    max_body: int = Field(default=4 * 1024 * 1024, ge=1024, description="Bytes of a request; more gets 413.")
    queue_limit: int = Field(default=10_000, ge=1, description="Queued runs of one tenant before submits get 429.")

    worker_capacity: int = Field(default=100, ge=1, description="Runs that one worker executes at the same time.")
    lease: float = Field(default=10.0, ge=1.0, description="Time after which a silent worker is taken for dead.")
    drain_grace: float = Field(
        default=25.0, ge=0.0, description="Time that a worker has to finish steps in hand when it is told to end."
    )
    max_attempts: int = Field(default=5, ge=1, description="Claims of one run before it is taken for poison.")
    concurrency: int = Field(default=0, ge=0, description="Runs executing at the same time everywhere; 0 = capacity.")
    tenant_concurrency: int = Field(default=0, ge=0, description="The same for one tenant; 0 = no limit.")
    user_concurrency: int = Field(default=0, ge=0, description="The same for one user; 0 = no limit.")
    agent_concurrency: int = Field(default=0, ge=0, description="The same for one agent; 0 = no limit.")

    record: str = Field(default="", description="Folder into which workers write conversations with real models (dev).")

    tool_host_idle: float = Field(default=300.0, ge=1.0, description="Time without calls after which a host is ended.")
    tool_host_memory: int = Field(
        default=512 * 1024 * 1024,
        ge=64 * 1024 * 1024,
        description="Memory of a host and all it starts; above it is replaced, at twice as much ended at once.",
    )
    tool_host_cpu: float = Field(
        default=3600.0,
        ge=1.0,
        description="Processor time after which a host is replaced; at twice as much it is ended.",
    )
    tool_host_uid: int = Field(
        default=61200, ge=0, description="First of 4,000 user ids for tool hosts where started as root; 0 = root's own."
    )
    tool_sandbox: Literal["auto", "require", "off"] = Field(
        default="auto", description="Tool hosts in a sandbox where there can be one; require = never without; off."
    )
    tool_host_scratch: int = Field(
        default=256 * 1024 * 1024, ge=1024 * 1024, description="Room in a sandboxed host's scratch folder, in memory."
    )
    tool_host_reads: str = Field(
        default="", description="Folders that every sandboxed host may read besides, comma-separated."
    )
    tool_host_writes: str | None = Field(
        default=None,
        description="Folders that every sandboxed host may write besides, comma-separated; unset = none, "
        "and /var/tmp under `qd dev`.",
    )
    allow_private_targets: bool = Field(default=False, description="Let outbound calls reach private addresses (dev).")
    allowed_targets: str = Field(
        default="", description="Inner host:port pairs that outbound calls may reach all the same, comma-separated."
    )

    audit_days: int = Field(
        default=0, ge=0, description="Days after which rows of the audit are pruned, behind a signed floor; 0 = never."
    )

    budget_time_zone: str = Field(
        default="UTC", description="Time zone in which days and months of budgets begin: Europe/Berlin."
    )
    budget_slots: int = Field(
        default=16, ge=2, le=256, description="Rows among which a budget is parted that many runs spend from at once."
    )

    log_level: str = Field(default="info", description="debug, info, warning or error.")
    log_json: bool = Field(default=True, description="One JSON object a line; false is for people.")
    otlp_endpoint: str = Field(default="", description="OTLP/HTTP base URL; empty = no export.")
    otlp_headers: SecretStr = Field(
        default=SecretStr(""), description="Headers for the collector: name=value, comma-separated."
    )
    otlp_content: bool = Field(default=False, description="Put prompts, arguments and results into exported spans.")

    def derive(self, purpose: str, secret: str | None = None) -> bytes:
        """A 32-byte key for one purpose, derived from the master secret (HMAC-SHA256, one block of HKDF-Expand).

        `secret` is another one to derive it from: the vault may have its own.
        Raises Misconfigured when there is no secret worth the name: nothing may be sealed or proven with a guess.
        """
        master = (self.secret_key.get_secret_value() if secret is None else secret).encode()
        if len(master) < SHORTEST_SECRET:
            name = "QUARTERDECK_SECRET_KEY" if secret is None else "QUARTERDECK_VAULT_KEY"
            raise Misconfigured(f"Set {name} to at least {SHORTEST_SECRET} random characters.")
        return hmac.new(master, purpose.encode() + b"\x01", hashlib.sha256).digest()

    @property
    def lease_time(self) -> timedelta:
        """The lease as a duration."""
        return timedelta(seconds=self.lease)
