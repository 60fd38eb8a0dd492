"""What came of the searches of `polyloop bench planners`, and the CSV it is kept in."""

from __future__ import annotations

import csv
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TextIO

import numpy as np

from orchestrator.errors import Refused
from planners.table import Search

COLUMNS = (
    *("set", "contestant", "seed", "goal", "count", "seconds"),
    *("covered", "intervals"),
)
"""A row for each goal of a search. ``seconds`` is the median processor time of a call;
of ``intervals`` that were to hold nine in ten measurements, ``covered`` did."""

Key = tuple[str, str, int]
"""Set, contestant, seed."""


@dataclass(frozen=True, slots=True)
class Result:
    """What came of one search: experiments to each goal, and what it cost."""

    counts: Mapping[str, int]
    seconds: float
    covered: int
    intervals: int

    @classmethod
    def of(cls, search: Search) -> Result:
        """Return what is kept of a search."""
        seconds = float(np.median(search.seconds)) if search.seconds else float("nan")
        covered = search.covered
        return cls(dict(search.counts), seconds, sum(covered), len(covered))


class Results:
    """Results by set, contestant and seed; those of a file, if one is given, and new.

    Raises
    ------
    Refused
        If the file cannot be read, or a row of it is not one of ours.
    """

    def __init__(self, path: Path | None = None) -> None:
        self.path = path
        self._known: dict[Key, Result] = {}
        if path is not None and path.exists():
            try:
                with path.open(newline="") as file:
                    self._read(file)
            except (OSError, UnicodeDecodeError) as error:
                raise Refused(f"--to {path}: {error}") from error

    def _read(self, file: TextIO) -> None:
        reader = csv.DictReader(file)
        if tuple(reader.fieldnames or ()) != COLUMNS:
            raise Refused(f"--to {self.path}: its columns must be {', '.join(COLUMNS)}")
        for row in reader:
            try:
                key = row["set"], row["contestant"], int(row["seed"])
                counts = {row["goal"]: int(row["count"])}
                rest = (
                    float(row["seconds"]),
                    int(row["covered"]),
                    int(row["intervals"]),
                )
            except (TypeError, ValueError) as error:
                place = f"--to {self.path}:{reader.line_num}"
                raise Refused(f"{place}: {error}: take this line out") from error
            if key in self._known:
                counts = {**self._known[key].counts, **counts}
            self._known[key] = Result(counts, *rest)

    def get(self, key: Key, goals: Iterable[str]) -> Result | None:
        """Return what is known of a search, if every goal of it is."""
        result = self._known.get(key)
        return result if result and set(goals) <= set(result.counts) else None

    def contestants(self) -> set[str]:
        """Return who has searched anything."""
        return {contestant for _, contestant, _ in self._known}

    def add(self, key: Key, result: Result) -> None:
        """Keep a result; in the file, at once."""
        self._known[key] = result
        if self.path is None:
            return
        # Opened anew each time, so that two benches can write to one file.
        new = not self.path.exists() or not self.path.stat().st_size
        with self.path.open("a", newline="") as file:
            write = csv.writer(file, lineterminator="\n")
            if new:
                write.writerow(COLUMNS)
            for goal, count in result.counts.items():
                rest = (f"{result.seconds:.4g}", result.covered, result.intervals)
                write.writerow((*key, goal, count, *rest))
