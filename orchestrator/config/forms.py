"""What the three files may say: one form each, and the JSON Schema made from it.

A form checks shape, units and names of keys. What one key says about another (a slot
that exists, a limit within the instrument's) is checked by `reading_lab` and
`reading_campaign`. ``python -m orchestrator.config.forms lab_configs`` writes the schemas.
"""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Annotated, Literal

from pydantic import (
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Discriminator,
    Field,
    Tag,
    model_validator,
)
from pydantic_core import PydanticCustomError

from orchestrator.config.strict_yaml import near
from orchestrator.config.texts import (
    Concentration,
    Count,
    Density,
    Difference,
    Length,
    MassConcentration,
    Name,
    Point,
    PointOrNone,
    Quantity,
    QuantityText,
    Seconds,
    Text,
    Volume,
)

FaultKind = Literal[
    "drop", "delay", "garble", "truncate", "duplicate", "wrong_checksum", "echo", "stale_reply",
    "disconnect", "busy", "refuse", "device_fault", "power_cycle",
]  # fmt: skip
"""The kinds of fault that a simulated bench knows; which instrument can have which is
the bench's to say."""


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


def _roles(value: object) -> object:
    """Turn a list of instruments into roles of the same names."""
    if not isinstance(value, list):
        return value
    if len({str(name) for name in value}) < len(value):
        raise ValueError("name each instrument once")
    return {str(name): name for name in value}


Roles = Annotated[
    dict[str, str],
    BeforeValidator(_roles, json_schema_input_type=list[str] | dict[str, str]),
]


class InstrumentForm(Form):
    """An instrument: its driver, where its cable is, and the driver's own settings."""

    model_config = ConfigDict(extra="allow")
    driver: Name
    port: Text | None = None
    folder: Text | None = None

    @model_validator(mode="after")
    def _one_cable(self) -> InstrumentForm:
        if (self.port is None) == (self.folder is None):
            raise ValueError("write either port or folder")
        return self


class GridForm(Form):
    """A slot or vial, or a grid of them: name.1, name.2 ... along x, then along y."""

    at: Point
    columns: Annotated[int, Field(ge=1, le=100)] = 1
    rows: Annotated[int, Field(ge=1, le=100)] = 1
    pitch: Length | None = None

    @model_validator(mode="after")
    def _pitch(self) -> GridForm:
        if self.columns * self.rows > 1 and not self.pitch:
            raise ValueError('a grid needs a pitch that is not 0, e.g. "25 mm"')
        return self


class LimitForm(Form):
    """The lowest and highest value that a station accepts for a parameter."""

    low: QuantityText = Field(alias="from")
    high: QuantityText = Field(alias="to")


class StationForm(Form):
    """A place that does one job at a time on one sample."""

    instruments: Roles
    operations: list[Name]
    slots: list[Text] = []
    serves: list[Text] = []
    twin: Name | None = None
    limits: dict[Name, LimitForm] = {}


class SubstratesForm(Form):
    """The bare substrates, one in each of the first ``count`` slots."""

    slots: Name
    material: Text
    count: Count
    edge: Length
    transmittance: Annotated[float, Field(gt=0, le=1)]


class LiquidForm(Form):
    """A liquid on the shelf, or at a port of the pump's valve."""

    place: Text
    volume: Volume
    kind: Name | None = None
    concentration: Concentration | None = None
    content: MassConcentration | None = None
    density: Density | None = None
    smiles: Text | None = None
    boiling: PointOrNone | None = None
    flash: PointOrNone | None = None


class SafetyForm(Form):
    """How far a liquid stays below its boiling and flash point, and in what it stands."""

    margin: Annotated[float, Difference("K")] = 10.0
    atmosphere: Literal["air", "nitrogen", "argon"] = "air"


class InventoryForm(Form):
    """What the lab holds."""

    substrates: SubstratesForm
    liquids: dict[Text, LiquidForm]


class FaultForm(Form):
    """A fault of a simulated instrument: which, and at which of its messages."""

    instrument: Name
    kind: FaultKind
    command: Text | None = None
    chance: Annotated[float, Field(ge=0, le=1, strict=False)] = 1.0
    times: Annotated[int, Field(ge=1)] = 1
    after: Annotated[int, Field(ge=0)] = 0
    seconds: Seconds | None = None
    side: Literal["command", "reply"] | None = None


class LabForm(Form):
    """lab.yaml: what is plugged in where, and what is on the shelf.

    Instruments alone are a lab that can be asked who answers; a campaign needs the rest.
    """

    lab: Name
    bench: Text | None = None
    faults: list[FaultForm] = []
    instruments: dict[Name, InstrumentForm]
    slots: dict[Name, GridForm] = {}
    vials: dict[Name, GridForm] = {}
    stations: dict[Name, StationForm] = {}
    inventory: InventoryForm | None = None
    safety: SafetyForm = SafetyForm()


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


class PlannerForm(Form):
    """Who proposes: its name, the trials of its initial design, its seed.

    One that learns may begin with tables of earlier campaigns, propose replicates, or look
    for several good candidates instead of the best one.
    """

    name: Name
    initial: Annotated[int, Field(ge=1, le=1000)] = 8
    seed: Annotated[int, Field(ge=0, lt=2**31)] = 0
    replicates: bool = False
    wanted: Count = 1
    earlier: list[Text] = []


class BudgetForm(Form):
    """What the campaign may spend."""

    trials: Count


class CampaignForm(Form):
    """campaign.yaml: one search space, one recipe, one set of objectives, one budget."""

    model_config = EITHER
    campaign: Name
    lab: Text
    recipe: Text
    space: Annotated[dict[Name, ParameterForm], Field(min_length=1)]
    rules: Rules = []
    objectives: Objectives = {}
    desirability: Desires = {}
    limits: dict[Name, BoundsForm] = {}
    cost: CostForm | None = None
    beliefs: BeliefForms = {}
    planner: PlannerForm
    budget: BudgetForm
    stop: StopForm | None = None
    in_flight: Count = 1
    when_unanswered: Literal["ask", "discard"] = "ask"
    without_prefect: Literal["go_on", "drain"] = "go_on"


class StepForm(Form):
    """A step; the keys that are not here are the operation's parameters."""

    model_config = ConfigDict(extra="allow")
    step: Name
    operation: Name
    at: Text
    at_once: bool = False
    empty: bool = False
    tolerance: Annotated[float, Quantity("percent")] | None = None


class MeasurementForm(Form):
    """How a quantity is worked out: from runs of steps, or of other measurements."""

    analysis: Name
    runs: dict[Name, Name] = {}
    of: dict[Name, Name] = {}
    needs: list[Name] = []


class RecipeForm(Form):
    """recipe.yaml: the steps from a bare substrate to a measured sample."""

    recipe: Name
    steps: Annotated[list[StepForm], Field(min_length=1, max_length=200)]
    measurements: Annotated[dict[Name, MeasurementForm], Field(min_length=1)]


FORMS: dict[str, type[Form]] = {
    "lab": LabForm,
    "campaign": CampaignForm,
    "recipe": RecipeForm,
}


def schema(kind: str) -> str:
    """Return the JSON Schema of a kind of file, as text."""
    made = FORMS[kind].model_json_schema(by_alias=True)
    made = {"$schema": "https://json-schema.org/draft/2020-12/schema", **made}
    return json.dumps(made, indent=2, ensure_ascii=False) + "\n"


if __name__ == "__main__":
    for name in FORMS:
        target = Path(sys.argv[1]) / f"{name}.schema.json"
        target.write_text(schema(name), encoding="utf-8")
