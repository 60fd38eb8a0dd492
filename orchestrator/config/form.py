"""A form: what a mapping in a file may say, and no more."""

from __future__ import annotations

from pydantic import BaseModel, ConfigDict, model_validator
from pydantic_core import PydanticCustomError

from orchestrator.config.strict_yaml import near


class Form(BaseModel):
    """A mapping in a file: these keys and no others."""

    model_config = ConfigDict(
        strict=True, extra="forbid", frozen=True, populate_by_name=False
    )

    @model_validator(mode="before")
    @classmethod
    def _known_keys(cls, data: object) -> object:
        if isinstance(data, dict) and cls.model_config.get("extra") == "forbid":
            known = [field.alias or key for key, field in cls.model_fields.items()]
            for key in data:
                if key not in known:
                    context = {"key": key, "rule": near(key, known)}
                    raise PydanticCustomError("unknown_key", "unknown key", context)
        return data
