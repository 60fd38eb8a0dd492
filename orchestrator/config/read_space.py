"""A search space and what was observed in it, from files, with no lab.

SPACE.yaml says what may be varied, as a campaign does, but with molecules of its own;
OBSERVED.csv has a column for each parameter, each objective and each limited quantity, its
unit in brackets. A row has all of those values, or none and is pending; the word ``failed``
is a value too.
"""

from __future__ import annotations

import csv
import io
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any

from pydantic import Discriminator, Field, Tag

from orchestrator import units
from orchestrator.cards import of_objective
from orchestrator.config.form import Form
from orchestrator.config.goal_forms import (
    BeliefForms,
    BoundsForm,
    CostForm,
    Desires,
    Objectives,
)
from orchestrator.config.read_beliefs import read_beliefs
from orchestrator.config.read_cost import read_cost
from orchestrator.config.read_desirability import read_desirability, wants_desirability
from orchestrator.config.read_goals import read_limits
from orchestrator.config.read_rows import (
    FAILED,
    candidate_of,
    estimate_of,
    fitting,
    head,
    heads_of,
    number,
    rows,
)
from orchestrator.config.read_rules import read_rules, ruled
from orchestrator.config.space_forms import ChoiceForm, RangeForm, Rules, kind_of
from orchestrator.config.strict_yaml import Source, read, shown
from orchestrator.config.texts import Name, Text
from orchestrator.errors import ConfigError
from planners.beliefs import Beliefs
from planners.cost import Cost
from planners.data import (
    Candidate,
    Limit,
    Objective,
    Observation,
    Proposal,
)
from planners.desirability import quantities, worked_out
from planners.space import Choice, Molecule, Parameter, Real, Space, SpaceError


class MoleculesForm(Form):
    """Molecules by name, or a CSV file with the columns name, smiles and any numbers."""

    molecules: Annotated[dict[Text, Text], Field(min_length=1)] | Text


VariedForm = Annotated[
    Annotated[MoleculesForm, Tag("a molecule")]
    | Annotated[ChoiceForm, Tag("a choice")]
    | Annotated[RangeForm, Tag("a range")],
    Discriminator(kind_of),
]


class SpaceForm(Form):
    """SPACE.yaml: what may be varied, what is wanted, and what can be made at all."""

    space: Annotated[dict[Name, VariedForm], Field(min_length=1)]
    rules: Rules = Field(default_factory=list)
    objectives: Objectives = Field(default_factory=dict)
    desirability: Desires = Field(default_factory=dict)
    limits: dict[Name, BoundsForm] = Field(default_factory=dict)
    cost: CostForm | None = None
    beliefs: BeliefForms = Field(default_factory=dict)
    initial: Annotated[int, Field(ge=0, le=1000)] = 0
    seed: Annotated[int, Field(ge=0, lt=2**31)] = 0
    pool: Text | None = None


@dataclass(frozen=True, slots=True)
class Problem:
    """What a planner is made for."""

    space: Space
    objectives: tuple[Objective, ...]
    limits: tuple[Limit, ...]
    initial: int
    seed: int
    cost: Cost | None = None
    beliefs: Beliefs | None = None

    @property
    def measured(self) -> dict[str, str]:
        """What is measured, with its unit: for objectives and limits."""
        every: list[Objective | Limit] = [*quantities(self.objectives), *self.limits]
        return {one.name: one.unit for one in every}

    @property
    def expected(self) -> tuple[Objective, ...]:
        """Of what a planner says what it expects: objectives, and what one is made of."""
        return tuple(dict.fromkeys((*self.objectives, *quantities(self.objectives))))


@dataclass(frozen=True, slots=True)
class Told:
    """What a planner is told."""

    observed: tuple[Observation, ...]
    pending: tuple[Candidate, ...]
    failed: tuple[Candidate, ...]


def read_problem(path: Path) -> Problem:
    """Read SPACE.yaml and the files it names.

    Raises
    ------
    ConfigError
        If anything in them breaks a rule; of molecules and rows, all are named.
    """
    source = read(path)
    form = source.fill(SpaceForm)
    objectives: tuple[Objective, ...] = tuple(
        Objective(name, goal.unit, goal.direction, goal.scale)
        for name, goal in form.objectives.items()
    )
    if wants_desirability(source, form.objectives, form.desirability, form.space):
        objectives = (read_desirability(source, form.desirability),)
    limits = tuple(read_limits(source, form.limits, objectives, _unit_of))
    wanted = {one.name for one in quantities(objectives)}
    names = (wanted | set(form.limits)) & set(form.space)
    for name in sorted(names):
        place = source.place("space", name)
        raise ConfigError(f"{place}: is measured — give what is varied another name")
    try:
        parameters = tuple(_parameter(source, n, one) for n, one in form.space.items())
        space = Space(parameters)
    except SpaceError as error:
        raise ConfigError(f"{source.place('space')}: {error}") from error
    space = ruled(source, space, read_rules(source, form.rules, parameters))
    if form.pool is not None:
        pool = _pool(path.parent / form.pool, space)
        space = Space(parameters, pool, space.rules)
    cost = read_cost(source, form.cost, space)
    beliefs = read_beliefs(source, form.beliefs, space)
    return Problem(space, objectives, limits, form.initial, form.seed, cost, beliefs)


def _unit_of(_: str, form: BoundsForm) -> str:
    """Return the unit that the first bound of a limit is written in."""
    return (form.at_least or form.at_most or "").partition(" ")[2].strip()


def _parameter(source: Source, name: str, form: object) -> Parameter:
    where = ("space", name)
    if isinstance(form, ChoiceForm):
        return Choice(name, tuple(form.choice), form.ordered)
    if isinstance(form, MoleculesForm):
        if isinstance(form.molecules, str):
            return _molecules(name, source.path.parent / form.molecules)
        place = source.place(*where, "molecules")
        _check_smiles({f"{place}.{n}": s for n, s in form.molecules.items()})
        return Molecule(name, form.molecules)
    assert isinstance(form, RangeForm)  # noqa: S101
    try:
        unit = form.low.partition(" ")[2].strip()
        low, high = (units.parse(text, unit) for text in (form.low, form.high))
    except units.UnitError as error:
        text = f"{form.low} to {form.high}"
        raise source.refusal(where, text, str(error)) from None
    return Real(name, low, high, unit, form.scale, steps=form.steps)


def _molecules(name: str, path: Path) -> Molecule:
    """Read a pool of molecules: columns name and smiles, and numbers of your own."""
    listed = list(rows(path, {"name", "smiles"}))
    pool = {row["name"]: row["smiles"] for _, row in listed}
    if len(pool) < len(listed):
        raise ConfigError(f"{shown(path)}: name — name each molecule once")
    _check_smiles({f"{place}: {row['name']}": row["smiles"] for place, row in listed})
    first = listed[0][1] if listed else {}
    extra = [key for key in first if key not in ("name", "smiles")]
    columns = {
        row["name"]: tuple(number(f"{place}: {key}", row[key]) for key in extra)
        for place, row in listed
    }
    return Molecule(name, pool, columns if extra else {})


def _check_smiles(smiles: Mapping[str, str]) -> None:
    """Refuse what RDKit cannot read, every molecule by its place."""
    from planners import chemistry

    wrong = []
    for place, text in smiles.items():
        try:
            chemistry.read(place, text)
        except chemistry.BadMolecule as error:
            wrong.append(str(error))
    if wrong:
        raise ConfigError("\n".join(wrong))


def _pool(path: Path, space: Space) -> tuple[Candidate, ...]:
    heads = heads_of(space)
    return tuple(
        fitting(place, candidate_of(place, row, space), space)
        for place, row in rows(path, set(heads.values()))
    )


def read_told(path: Path, problem: Problem) -> Told:
    """Read OBSERVED.csv.

    Raises
    ------
    ConfigError
        If a row has no place in the space, has some values and lacks others, or a value
        is not a finite number.
    """
    space = problem.space
    columns = {name: head(name, unit) for name, unit in problem.measured.items()}
    objectives = problem.objectives
    logs = {one.name for one in quantities(objectives) if one.scale == "log"}
    observed, pending, failed = [], [], []
    for place, row in rows(path, {*heads_of(space).values(), *columns.values()}):
        candidate = fitting(place, candidate_of(place, row, space), space)
        texts = {column: row[column].strip() for column in columns.values()}
        said = {text for text in texts.values() if text}
        lacking = [column for column, text in texts.items() if text in ("", FAILED)]
        if not said:
            pending.append(candidate)
        elif said == {FAILED}:
            failed.append(candidate)
        elif lacking:
            rule = "a row has every value, or none"
            raise ConfigError(f"{place}: {lacking[0]}: {texts[lacking[0]]} — {rule}")
        else:
            estimates = {
                name: estimate_of(place, row, name, unit, log=name in logs)
                for name, unit in problem.measured.items()
            }
            every = worked_out(estimates, objectives)
            observed.append(Observation(candidate, every))
    return Told(tuple(observed), tuple(pending), tuple(failed))


def proposed(proposal: Proposal, problem: Problem) -> Iterator[str]:
    """Yield a proposal as lines of CSV, with what is expected of each candidate.

    The interval is that which is to hold nine in ten next measurements.
    """
    space = problem.space
    heads = list(heads_of(space).values())
    ends = [
        f"{head(one.name, one.unit)} {what}"
        for one in problem.expected
        for what in ("expected", "5 %", "95 %")
    ]
    if problem.cost is not None:
        ends.append(head("cost", problem.cost.unit))
    yield _line([*heads, *ends, "reason"])
    cards = proposal.card["candidates"]
    for candidate, card in zip(proposal.candidates, cards, strict=True):
        expected = [cell for one in problem.expected for cell in _expected(one, card)]
        if problem.cost is not None:
            expected.append(f"{card['cost']:.4g}")
        values = [candidate.values[p.name] for p in space.parameters]
        cells = [one if isinstance(one, str) else f"{one:.9g}" for one in values]
        yield _line([*cells, *expected, card["reason"]])


def _expected(objective: Objective, card: Mapping[str, Any]) -> list[str]:
    """Return what is expected of an objective, and the ends of the interval."""
    card = of_objective(card, objective.name)
    if "predicted" not in card:
        return [""] * 3
    log, found = objective.scale == "log", (card["predicted"], *card["predicted_90"])
    return [f"{10.0**one if log else one:.4g}" for one in found]


def _line(cells: list[str]) -> str:
    text = io.StringIO()
    csv.writer(text, lineterminator="").writerow(cells)
    return text.getvalue()
