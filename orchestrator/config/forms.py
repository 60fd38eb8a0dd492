"""What the three files may say: one form each, and the JSON Schema made from it.

A form checks shape, units and names of keys. What one key says about another (a slot
that exists, a limit within the instrument's) is checked by `read_lab` and
`read_campaign`. ``python -m orchestrator.config.forms lab_configs`` writes the schemas.
"""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Annotated, Literal

from pydantic import (
    BeforeValidator,
    ConfigDict,
    Field,
    model_validator,
)

from orchestrator.config.form import Form
from orchestrator.config.goal_forms import (
    EITHER,
    BeliefForms,
    BoundsForm,
    CostForm,
    Desires,
    Objectives,
    StopForm,
)
from orchestrator.config.space_forms import ParameterForm, Rules
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
