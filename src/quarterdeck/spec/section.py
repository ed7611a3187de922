"""What all sections of `agent.yaml` have in common."""

from typing import ClassVar

from pydantic import BaseModel, ConfigDict


class Section(BaseModel):
    """What all sections have in common: nothing unknown is accepted and nothing is converted.

    `LATER` holds keys that are reserved, with what they will be for; `INSTEAD` keys that people expect here, with what
    to write instead. Both get an answer of their own.
    """

    model_config = ConfigDict(strict=True, extra="forbid", frozen=True)

    LATER: ClassVar[dict[str, str]] = {}
    INSTEAD: ClassVar[dict[str, str]] = {}
