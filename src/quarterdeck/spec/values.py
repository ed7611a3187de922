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

MOST_TOOLS = 256
MOST_SERVERS = 32
MOST_VARIABLES = 64
MOST_FILES = 300
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
    """Where a tool server is: the release's own code, a local command, or an address."""

    PYTHON = "python"
    STDIO = "stdio"
    HTTP = "http"


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


def is_label(text: str) -> bool:
    """Whether a text may be a release's label: a short name that can't be mistaken for the beginning of an id."""
    return re.fullmatch(LABEL, text) is not None and _LOOKS_LIKE_AN_ID.fullmatch(text) is None


def is_tool_name(text: str) -> bool:
    """Whether models can be offered a tool of this name."""
    return re.fullmatch(TOOL_NAME, text) is not None
