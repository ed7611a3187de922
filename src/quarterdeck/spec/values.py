"""The words and bounds that `agent.yaml` and the manifest share, said once so that the two can't drift apart."""

import re
from enum import StrEnum
from typing import Annotated

from pydantic import Field

NAME = r"^[a-z0-9][a-z0-9-]{0,62}$"
SERVER_NAME = r"^[a-z0-9][a-z0-9_-]{0,62}$"
TOOL_NAME = r"^[A-Za-z0-9_-]{1,64}$"
VARIABLE_NAME = r"^[a-z][a-z0-9_]{0,62}$"
LABEL = r"^[A-Za-z0-9][A-Za-z0-9._-]{0,62}$"
DIGEST = r"^[0-9a-f]{64}$"
ARGUMENT = r"^[^\s.\[\]]{1,100}(\[\])?(\.[^\s.\[\]]{1,100}(\[\])?){0,7}$"
"""An argument by its path: `to`, `order.amount`, `items[].account` (of each item)."""
SPAN = r"^[1-9][0-9]{0,6}(s|m|h|d)$"
POINTER = r"^(/[^/]{1,100}){1,8}$"
VAULT_NAME = r"^([a-z]{2,16}/)?[A-Za-z][A-Za-z0-9_.-]{0,62}$"
ROLE = r"^[A-Za-z0-9][A-Za-z0-9_.:/-]{0,99}$"
HOST = r"^(\*|(\*\.)?[A-Za-z0-9]([A-Za-z0-9.-]{0,251}[A-Za-z0-9])?(:[0-9]{1,5})?)$"
SUB_AGENT = r"^[a-z0-9][a-z0-9-]{0,62}(@[A-Za-z0-9][A-Za-z0-9._-]{0,63})?$"
"""Another agent: `researcher`, or one release of it: `researcher@` and its label or the first digits of its id."""

CHECK_FUNCTION = r"^[A-Za-z0-9_][A-Za-z0-9_./-]{0,199}\.py:[A-Za-z_][A-Za-z0-9_]{0,99}$"
"""A function of one's own in a file of the folder: `checks.py:judge`."""

MOST_TOOLS = 256
MOST_ROUTES = 16
MOST_BUDGETS = 16
MOST_GUARDRAILS = 32
LONGEST_CACHE = 604_800
MOST_SERVERS = 32
MOST_VARIABLES = 64
MOST_FILES = 300
MOST_MARKS = 32
MOST_POLICY_FILES = 32
LARGEST_POLICIES = 512 * 1024
LONGEST_RATE = 31_536_000
LONGEST_EXPIRY = 2_592_000
LARGEST_FILE = 1024 * 1024
LARGEST_RELEASE = 2_500_000
"""All files together, in bytes: in base64 and with its manifest a release then fits the default body limit of 4 MiB."""
LARGEST_PROMPT = 128 * 1024
LARGEST_SCHEMA = 64 * 1024

_LOOKS_LIKE_AN_ID = re.compile(r"[0-9a-f]{8,64}")


class Effect(StrEnum):
    """What a tool does to the world."""

    READ = "read"
    WRITE = "write"
    EXTERNAL_MESSAGE = "external_message"
    PAYMENT = "payment"
    DELETION = "deletion"
    ACCESS_CHANGE = "access_change"
    PRODUCTION_CHANGE = "production_change"


class Repeat(StrEnum):
    """What a call whose answer was lost comes to: it is made again, made again with its key, or a person is asked."""

    SAFE = "safe"
    KEYED = "keyed"
    NEVER = "never"


class Trust(StrEnum):
    """Whether outsiders can have written what a tool returns."""

    TRUSTED = "trusted"
    UNTRUSTED = "untrusted"


class ServerKind(StrEnum):
    """Where a tool server is: the release's own code, a local command, an address, or another agent."""

    PYTHON = "python"
    STDIO = "stdio"
    HTTP = "http"
    AGENT = "agent"


class Autonomy(StrEnum):
    """How far an agent may go with a tool by itself, from least to most."""

    SUGGEST = "suggest"
    ASK_ALWAYS = "ask_always"
    ASK_WHEN_RISKY = "ask_when_risky"
    FREE = "free"


class Per(StrEnum):
    """For whom a rate is counted."""

    RUN = "run"
    USER = "user"
    AGENT = "agent"
    TENANT = "tenant"


class Scan(StrEnum):
    """What a tool's results are searched for before the model reads them: taken out, or only noted in the log."""

    SECRETS = "secrets"
    PII = "pii"
    SECRETS_NOTED = "secrets:note"
    PII_NOTED = "pii:note"


class Purpose(StrEnum):
    """What a model is asked for: a step of the conversation, a last answer, a summary, or a judgement."""

    STEP = "step"
    CLOSING = "closing"
    SUMMARY = "summary"
    JUDGE = "judge"


class BudgetScope(StrEnum):
    """For whom a release limits what is spent: each one of them by itself. Live budgets know the tenant too."""

    REQUEST = "request"
    RUN = "run"
    THREAD = "thread"
    USER = "user"
    AGENT = "agent"


class Duration(StrEnum):
    """When a budget renews, in the words of LiteLLM; `total` never does."""

    HOUR = "1h"
    DAY = "1d"
    MONTH = "month"
    TOTAL = "total"


class Window(StrEnum):
    """The same as a release keeps it."""

    HOUR = "hour"
    DAY = "day"
    MONTH = "month"
    TOTAL = "total"


class Failing(StrEnum):
    """What a guardrail that breaks comes to: as if it had found something, or as if it had not."""

    CLOSED = "closed"
    OPEN = "open"


class Bearer(StrEnum):
    """Whose identity an argument is bound to."""

    TENANT = "tenant"
    USER = "user"
    AGENT = "agent"


class VariableType(StrEnum):
    """What a prompt variable holds."""

    STRING = "string"
    INTEGER = "integer"
    NUMBER = "number"
    BOOLEAN = "boolean"


Seconds = Annotated[float, Field(gt=0, le=3600)]
Steps = Annotated[int, Field(ge=1, le=1000)]
ToolCalls = Annotated[int, Field(ge=0, le=10_000)]
RunSeconds = Annotated[float, Field(gt=0, le=86_400)]
Tokens = Annotated[int, Field(ge=1, le=100_000_000)]
ParallelCalls = Annotated[int, Field(ge=1, le=64)]
Repeats = Annotated[int, Field(ge=1, le=100)]
OutputBytes = Annotated[int, Field(ge=1, le=10_000_000)]
Retries = Annotated[int, Field(ge=0, le=10)]
Concurrency = Annotated[int, Field(ge=0, le=1000)]
Temperature = Annotated[float, Field(ge=0, le=2)]
Probability = Annotated[float, Field(gt=0, le=1)]
OutputTokens = Annotated[int, Field(ge=1, le=1_000_000)]
RateCalls = Annotated[int, Field(ge=1, le=1_000_000)]
RateSeconds = Annotated[int, Field(ge=1, le=LONGEST_RATE)]
People = Annotated[int, Field(ge=1, le=10)]
ExpirySeconds = Annotated[float, Field(ge=60, le=LONGEST_EXPIRY)]
Affected = Annotated[int, Field(ge=1, le=1_000_000_000)]
Usd = Annotated[float, Field(gt=0, le=1_000_000)]
MicroUsd = Annotated[int, Field(ge=1, le=1_000_000_000_000)]
BudgetTokens = Annotated[int, Field(ge=1, le=1_000_000_000_000)]
ContextTokens = Annotated[int, Field(ge=500, le=100_000_000)]
Turns = Annotated[int, Field(ge=1, le=10_000)]
ResultBytes = Annotated[int, Field(ge=200, le=10_000_000)]
CacheSeconds = Annotated[int, Field(ge=0, le=LONGEST_CACHE)]


def is_label(text: str) -> bool:
    """Whether a text may be a release's label: a short name that can't be mistaken for the beginning of an id."""
    return re.fullmatch(LABEL, text) is not None and _LOOKS_LIKE_AN_ID.fullmatch(text) is None


def is_tool_name(text: str) -> bool:
    """Whether models can be offered a tool of this name."""
    return re.fullmatch(TOOL_NAME, text) is not None


def seconds_of(span: str) -> int:
    """How many seconds a time such as `30s`, `1m`, `24h` or `7d` is."""
    return int(span[:-1]) * {"s": 1, "m": 60, "h": 3600, "d": 86_400}[span[-1]]
