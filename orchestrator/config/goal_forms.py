"""What a file may say of what is wanted: objectives, limits, an end, a cost, beliefs."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import ConfigDict, Discriminator, Field, Tag, model_validator

from orchestrator.config.form import Form
from orchestrator.config.texts import Name, QuantityText, Text


class ObjectiveForm(Form):
    """A measurement to be made large or small."""

    unit: str
    direction: Literal["maximise", "minimise"]
    scale: Literal["linear", "log"] = "linear"
    target: QuantityText | None = None


def bounds_of(value: object) -> str:
    """Return whether one bound is written, or two."""
    return "two" if isinstance(value, list) else "one"


Bounds = Annotated[
    Annotated[QuantityText, Tag("one")]
    | Annotated[list[QuantityText], Field(min_length=2, max_length=2), Tag("two")],
    Discriminator(bounds_of),
]
Above0 = Annotated[float, Field(gt=0, allow_inf_nan=False, strict=False)]


class DesireForm(Form):
    """How desirable a measured quantity is: 0 from one bound on, 1 from the other.

    Two useless bounds want it between them, at an ideal or between two.
    """

    useless: Bounds
    ideal: Bounds
    scale: Literal["linear", "log"] = "linear"
    weight: Above0 = 1.0
    exponent: Above0 = 1.0


Objectives = Annotated[dict[Name, ObjectiveForm], Field(min_length=1)]
Desires = Annotated[dict[Name, DesireForm], Field(min_length=1)]
EITHER = ConfigDict(
    json_schema_extra={
        "oneOf": [{"required": ["objectives"]}, {"required": ["desirability"]}]
    }
)
"""Of what is wanted, one of the two; `read_goals` says so with the line."""


class BoundsForm(Form):
    """What a measured quantity must keep within."""

    at_least: QuantityText | None = None
    at_most: QuantityText | None = None

    @model_validator(mode="after")
    def _a_bound(self) -> BoundsForm:
        if self.at_least is None and self.at_most is None:
            raise ValueError("write at_least, at_most or both")
        return self


class StopForm(Form):
    """How little may be left to be gained when a campaign ends before its budget."""

    regret_below: QuantityText
    proposals: Annotated[int, Field(ge=1, le=20)] = 3


def said_as(value: object) -> str:
    """Return how something is said: as a number, as text, by option, or as a range."""
    if isinstance(value, dict):
        text = any(isinstance(one, str) for one in value.values())
        return "a range" if text or not value else "options"
    if isinstance(value, NearForm):
        return "a range"
    return "text" if isinstance(value, str) else "a number"


def of_options(value: object) -> str:
    """Return whether a cost is that of each option, or of any."""
    return "options" if isinstance(value, dict) else "text"


ByOption = Annotated[dict[Text, QuantityText], Field(min_length=1)]
RateForm = Annotated[
    Annotated[QuantityText, Tag("text")] | Annotated[float, Tag("a number")],
    Discriminator(said_as),
]
FirstForm = Annotated[
    Annotated[QuantityText, Tag("text")] | Annotated[ByOption, Tag("options")],
    Discriminator(of_options),
]


class CostForm(Form):
    """What a trial costs: each, for what its numbers are, for its options, for new ones.

    All of it is of one kind, such as a time. ``per`` is a coefficient where the parameter
    is of that kind too, else a quantity such as "2 min/K".
    """

    each: QuantityText
    per: dict[Name, RateForm] = {}
    options: dict[Name, ByOption] = {}
    first: dict[Name, FirstForm] = {}


class NearForm(Form):
    """A quantity near which the best is believed to be, within a standard deviation."""

    near: QuantityText
    within: QuantityText


BeliefForm = Annotated[
    Annotated[NearForm, Tag("a range")]
    | Annotated[dict[Text, float], Field(min_length=1), Tag("options")],
    Discriminator(said_as),
]
BeliefForms = dict[Name, BeliefForm]
