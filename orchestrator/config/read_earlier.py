"""What an earlier campaign has found, from a table: the planner may begin with it.

The table is like OBSERVED.csv (`read_space`), or what ``polyloop export`` has written. It
needs the columns of the parameters and objectives, not those of the limits.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from orchestrator.config.read_rows import (
    FAILED,
    candidate_of,
    estimate_of,
    head,
    heads_of,
    rows,
)
from orchestrator.config.strict_yaml import shown
from orchestrator.errors import ConfigError
from planners.data import Earlier, Objective, Observation
from planners.desirability import quantities
from planners.space import Space


@dataclass(frozen=True, slots=True)
class EarlierFile:
    """An earlier campaign, and how many rows of its table are of use.

    ``fitting`` of ``count`` rows are candidates of the space; those of them that were
    not measured are in no observation.
    """

    path: Path
    told: Earlier
    count: int
    fitting: int

    def __str__(self) -> str:
        """Return what was taken of the table."""
        text = f"{self.fitting} of {self.count} rows fit this space"
        if empty := self.fitting - len(self.told.observations):
            text += f"; {empty} of them left out, not measured"
        return f"earlier {self.path.name}: {text}"


def read_earlier(
    path: Path, space: Space, objectives: Sequence[Objective]
) -> EarlierFile:
    """Read the table of an earlier campaign, whose name is that of the file.

    Rows with options or numbers that the space does not have, and rows without a value
    of every objective (or of what one is made of), are left out.

    Raises
    ------
    ConfigError
        If a column is missing, a number cannot be read, or no row is left.
    """
    objectives = quantities(objectives)
    columns = {one.name: head(one.name, one.unit) for one in objectives}
    count, fitting, why, observed = 0, 0, "", []
    for place, row in rows(path, {*heads_of(space).values(), *columns.values()}):
        count += 1
        candidate = candidate_of(place, row, space)
        if wrong := space.check(candidate):
            why = why or f", e.g. {place}: {wrong[0]}"
            continue
        fitting += 1
        if not all(_measured(row, one) for one in objectives):
            continue
        estimates = {
            one.name: estimate_of(
                place, row, one.name, one.unit, log=one.scale == "log"
            )
            for one in objectives
        }
        observed.append(Observation(candidate, estimates))
    if not fitting:
        raise ConfigError(f"{shown(path)}: none of {count} rows fits this space{why}")
    if not observed:
        names = ", ".join(columns.values())
        rule = f"none of {fitting} rows that fit this space has a value of {names}"
        raise ConfigError(f"{shown(path)}: {rule}")
    told = Earlier(path.stem, tuple(observed))
    return EarlierFile(path, told, count, fitting)


def _measured(row: Mapping[str, str], one: Objective) -> bool:
    """Whether a row has a value; of an export, one that is believed and has a std."""
    if row[head(one.name, one.unit)].strip() in ("", FAILED):
        return False
    believed = row.get(f"{one.name} believed")
    return believed is None or (
        believed == "True" and bool(row.get(head(f"{one.name} std", one.unit)))
    )
