"""A lab and a campaign, read and checked: plain frozen values in stated units.

`read_lab.load_lab` and `read_campaign.load_campaign` are the only doors. They raise
`ConfigError` with file, line, key, value and rule, touch no port and never look into
the bench's own file.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from orchestrator import units
from orchestrator.config.read_earlier import EarlierFile
from orchestrator.config.strict_yaml import Source
from orchestrator.errors import Refused
from orchestrator.records import MeasurementRule, WhenUnanswered, WithoutPrefect
from orchestrator.stopping import StopRule
from planners import data
from planners.beliefs import Beliefs
from planners.cost import Cost
from planners.data import Objective
from planners.space import Space

Point = tuple[float, float, float]


@dataclass(frozen=True, slots=True)
class Limit:
    """Bounds of an operation's parameter, in ``unit``, and the place that sets them."""

    low: float
    high: float
    unit: str
    place: str

    @property
    def bounds(self) -> str:
        """The bounds for people."""
        low, high = units.show(self.low, self.unit), units.show(self.high, self.unit)
        if self.low == float("-inf"):
            return f"at most {high}"
        return f"at least {low}" if self.high == float("inf") else f"{low} to {high}"

    def __str__(self) -> str:
        return f"must be {self.bounds}"


@dataclass(frozen=True, slots=True)
class Instrument:
    """An instrument of the lab.

    ``settings`` is the driver's own dataclass; None where drivers were not asked for.
    ``texts`` are the settings as written.
    """

    name: str
    driver: str
    port: str
    folder: bool
    texts: Mapping[str, Any]
    settings: Any = None


@dataclass(frozen=True, slots=True)
class Station:
    """A place that does one job at a time.

    ``instruments`` names the instrument that fills each role; ``limits`` holds, for
    each parameter, the station's own bounds and those of its instruments; ``twin`` is
    the station that takes its work over when it is out of service.
    """

    name: str
    instruments: Mapping[str, str]
    operations: tuple[str, ...]
    slots: tuple[str, ...]
    serves: tuple[str, ...] = ()
    twin: str = ""
    limits: Mapping[str, tuple[Limit, ...]] = field(default_factory=dict)

    def offers(self, operation: str, slot: str) -> bool:
        """Whether it does this operation on a sample in this slot."""
        return operation in self.operations and slot in (*self.slots, *self.serves)

    def check(self, place: str, parameter: str, value: float) -> None:
        """Refuse a value that is beyond a limit of the station or its instruments."""
        for limit in self.limits.get(parameter, ()):
            if not limit.low <= value <= limit.high:
                wrong = f"{self.name}: {place}: {units.show(value, limit.unit)}"
                raise Refused(f"{wrong} — {limit} ({limit.place})")


@dataclass(frozen=True, slots=True)
class Liquid:
    """A liquid: volume in uL, concentration in mol/L, place a vial or a valve port.

    ``content`` is the mass of what is dissolved, in g/L; ``density`` is of the whole, in
    g/mL. ``boiling`` and ``flash`` are in degC, of the liquid as supplied; infinity where it
    has none, None where the lab does not say.
    """

    name: str
    place: str
    volume: float
    kind: str = ""
    concentration: float | None = None
    smiles: str = ""
    boiling: float | None = None
    flash: float | None = None
    content: float | None = None
    density: float | None = None


@dataclass(frozen=True, slots=True)
class Substrate:
    """What every bare substrate is: its edge in mm, its transmittance from 0 to 1."""

    material: str
    edge: float
    transmittance: float


@dataclass(frozen=True, slots=True)
class Fault:
    """What a simulated instrument is to do wrong: the bench knows what it means."""

    instrument: str
    kind: str
    command: str | None = None
    chance: float = 1.0
    times: int = 1
    after: int = 0
    seconds: float | None = None
    side: str | None = None

    def stated(self) -> dict[str, Any]:
        """Return it as the bench reads it; what was left out is the bench's to choose."""
        return {key: one for key, one in asdict(self).items() if one is not None}


@dataclass(frozen=True, slots=True)
class Lab:
    """What is plugged in where, and what is on the shelf.

    ``slots`` and ``vials`` are expanded (rack.1 ... rack.72), in mm of the gantry;
    ``substrates`` are the slots that hold a bare one. ``bench`` is the far end's own
    file where the lab is simulated; it is never read here. ``margin`` is what a liquid
    stays below its boiling and flash point, in K; in an ``inert`` atmosphere nothing
    flashes. ``faults`` are passed on to it.
    """

    name: str
    source: Source
    bench: Path | None
    instruments: Mapping[str, Instrument]
    slots: Mapping[str, Point]
    vials: Mapping[str, Point]
    stations: Mapping[str, Station]
    substrate: Substrate | None
    substrates: tuple[str, ...]
    liquids: Mapping[str, Liquid]
    margin: float = 10.0
    inert: bool = False
    faults: tuple[Fault, ...] = ()

    @property
    def path(self) -> Path:
        """Where its file is."""
        return self.source.path

    @property
    def arm(self) -> str:
        """The station that carries samples."""
        return next(
            station.name
            for station in self.stations.values()
            if "transfer" in station.operations
        )

    @property
    def twins(self) -> Mapping[str, Mapping[str, str]]:
        """For each station that has a twin: the twin's slot for each slot of its own."""
        return {
            one.name: dict(zip(one.slots, self.stations[one.twin].slots, strict=True))
            for one in self.stations.values()
            if one.twin
        }

    def station_for(self, operation: str, slot: str) -> Station | None:
        """Return the station that does an operation on a sample in a slot."""
        stations = self.stations.values()
        return next((s for s in stations if s.offers(operation, slot)), None)


@dataclass(frozen=True, slots=True)
class Reference:
    """``$name`` in a recipe: the candidate's value of a parameter."""

    name: str


@dataclass(frozen=True, slots=True)
class StepTemplate:
    """A step before a candidate is known.

    ``values`` holds numbers in the plan's units, names, and references; ``place`` is
    where the recipe says so.
    """

    name: str
    operation: str
    station: str
    slot: str
    values: Mapping[str, float | str | Reference]
    place: str
    at_once: bool = False
    empty: bool = False
    tolerance: float = 0.0


@dataclass(frozen=True, slots=True)
class RecipeTemplate:
    """The steps and measurements of a recipe before a candidate is known."""

    name: str
    source: Source
    steps: tuple[StepTemplate, ...]
    measurements: tuple[MeasurementRule, ...]


@dataclass(frozen=True, slots=True)
class PlannerChoice:
    """Who proposes, how many trials its initial design has, and its seed.

    ``replicates``: whether a candidate may be proposed again; ``earlier``: the tables of
    earlier campaigns; ``wanted``: how many good candidates.
    """

    name: str
    initial: int
    seed: int
    replicates: bool = False
    earlier: tuple[EarlierFile, ...] = ()
    wanted: int = 1


@dataclass(frozen=True, slots=True)
class Budget:
    """What a campaign may spend."""

    trials: int


@dataclass(frozen=True, slots=True)
class Campaign:
    """One search space, one recipe, one set of objectives, one budget.

    ``refused`` are the options that the chemical gate took out of the space, with why;
    ``capped`` says which temperatures it capped, and why. ``cost`` is that of a trial,
    ``beliefs`` where the best is believed to be.
    """

    name: str
    source: Source
    lab: Lab
    recipe: RecipeTemplate
    space: Space
    objectives: tuple[Objective, ...]
    planner: PlannerChoice
    budget: Budget
    in_flight: int
    limits: tuple[data.Limit, ...] = ()
    stop: StopRule | None = None
    when_unanswered: WhenUnanswered = WhenUnanswered.ASK
    without_prefect: WithoutPrefect = WithoutPrefect.GO_ON
    refused: Mapping[str, str] = field(default_factory=dict)
    capped: tuple[str, ...] = ()
    cost: Cost | None = None
    beliefs: Beliefs | None = None

    @property
    def path(self) -> Path:
        """Where its file is."""
        return self.source.path

    @property
    def files(self) -> tuple[Path, ...]:
        """Every file that says what it is; the bench's own among them, unread."""
        earlier = (one.path for one in self.planner.earlier)
        files = (self.path, self.recipe.source.path, self.lab.path, *earlier)
        return files if self.lab.bench is None else (*files, self.lab.bench)
