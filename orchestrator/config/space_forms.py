"""What a file may say of what is varied, and of the rules between parameters."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Discriminator, Field, Tag, model_validator

from orchestrator.config.form import Form
from orchestrator.config.texts import Name, QuantityText, Text


class MoleculeForm(Form):
    """Every liquid of a kind in the inventory, or those of it that are named."""

    molecule: Name
    only: Annotated[list[Text], Field(min_length=1)] | None = None


class ChoiceForm(Form):
    """A choice among names, whose neighbours are alike if they are ordered."""

    choice: Annotated[list[Text], Field(min_length=1)]
    ordered: bool = False


class RangeForm(Form):
    """A quantity from one bound to another, or to the stock of a chosen liquid.

    Only so many steps of it, if it says so.
    """

    low: QuantityText = Field(alias="from")
    high: QuantityText = Field(alias="to")
    scale: Literal["linear", "log"] = "linear"
    steps: Annotated[int, Field(ge=0, le=100_000)] = 0


def kind_of(value: object) -> str:
    """Return the form's tag; no tag is a key of a form, which tells them apart."""
    keys = value if isinstance(value, dict) else {}
    names = {"molecule": "molecule", "molecules": "molecule", "choice": "choice"}
    return "a " + next((names[key] for key in names if key in keys), "range")


ParameterForm = Annotated[
    Annotated[MoleculeForm, Tag("a molecule")]
    | Annotated[ChoiceForm, Tag("a choice")]
    | Annotated[RangeForm, Tag("a range")],
    Discriminator(kind_of),
]


class SumForm(Form):
    """A sum of quantities, each with its coefficient, and what it must be."""

    sum: (
        Annotated[list[Name], Field(min_length=1)]
        | Annotated[dict[Name, float], Field(min_length=1)]
    )
    exactly: QuantityText | None = Field(default=None, alias="is")
    at_least: QuantityText | None = None
    at_most: QuantityText | None = None

    @model_validator(mode="after")
    def _bounded(self) -> SumForm:
        if isinstance(self.sum, list) and len(set(self.sum)) < len(self.sum):
            raise ValueError("name each parameter of a sum once")
        bounded = self.at_least is not None or self.at_most is not None
        if (self.exactly is not None) == bounded:
            raise ValueError(
                'write either is, or at_least and at_most, e.g. "60 percent"'
            )
        return self


class BeyondForm(Form):
    """The values above one quantity, below another, or between the two."""

    above: QuantityText | None = None
    below: QuantityText | None = None

    @model_validator(mode="after")
    def _bounded(self) -> BeyondForm:
        if self.above is None and self.below is None:
            raise ValueError('write above, below or both, e.g. above: "90 degC"')
        return self


def what_of(value: object) -> str:
    """Return whether a condition names an option, several, or a range."""
    if isinstance(value, dict | BeyondForm):
        return "a range"
    return "options" if isinstance(value, list) else "an option"


Some = Annotated[
    Annotated[Text, Tag("an option")]
    | Annotated[list[Text], Field(min_length=1), Tag("options")]
    | Annotated[BeyondForm, Tag("a range")],
    Discriminator(what_of),
]
Options = Annotated[
    Annotated[Text, Tag("an option")]
    | Annotated[list[Text], Field(min_length=1), Tag("options")],
    Discriminator(what_of),
]


class NeverForm(Form):
    """What must never meet: options, and quantities beyond a bound, all at once."""

    never: Annotated[dict[Name, Some], Field(min_length=1)]


class OnlyIfForm(Form):
    """A parameter that is varied only if others have certain options; else it is fixed."""

    vary: Name
    only_if: Annotated[dict[Name, Options], Field(min_length=1)]
    otherwise: Text = Field(alias="else")


def rule_of(value: object) -> str:
    """Return the form's tag, which follows from the rule's own key."""
    keys = value if isinstance(value, dict) else {}
    names = {"never": "never", "vary": "only if", "only_if": "only if"}
    return next((names[key] for key in names if key in keys), "a sum")


RuleForm = Annotated[
    Annotated[SumForm, Tag("a sum")]
    | Annotated[NeverForm, Tag("never")]
    | Annotated[OnlyIfForm, Tag("only if")],
    Discriminator(rule_of),
]
Rules = Annotated[list[RuleForm], Field(max_length=100)]
