"""What a peer is told and answers: JSON lines on its standard input and output.

The first line is the table, every other one a question, each with one line of answer::

    > {"parameters": [{"name": "x0", "kind": "real", "low": 0.0, "high": 1.0,
                       "scale": "linear"},
                      {"name": "x1", "kind": "choice", "options": ["a", "b"],
                       "ordered": false},
                      {"name": "x2", "kind": "molecule", "options": {"acid": "OC=O"}}],
       "rows": [[0.5, "a", "acid"], ...], "direction": "maximise", "batch": 1, "seed": 0}
    > {"observed": [[row, value], ...], "failed": [row, ...], "n": 1}
    < {"rows": [row, ...], "seconds": processor time of the answer and its children}
    < {"error": "what went wrong"}

Rows are counted from 0. Values of an objective on a log scale arrive as decimal
logarithms. A peer runs where polyloop is not installed: this module needs pandas only.
"""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np
import pandas as pd

TARGET = "y"
"""What the objective is called in data frames."""


@dataclass(frozen=True)
class Parameter:
    """One parameter: a real between bounds, a choice, or a molecule (name: SMILES)."""

    name: str
    kind: Literal["real", "choice", "molecule"]
    options: dict[str, str]
    low: float = 0.0
    high: float = 0.0
    scale: str = "linear"
    ordered: bool = False


@dataclass(frozen=True)
class Pool:
    """The table: ``rows`` has a column for each parameter, a line for each candidate."""

    parameters: tuple[Parameter, ...]
    rows: pd.DataFrame
    minimise: bool
    batch: int
    seed: int

    @classmethod
    def read(cls, line: str) -> Pool:
        """Read the first line."""
        told = json.loads(line)
        parameters = []
        for one in told["parameters"]:
            options = one.pop("options", {})
            if not isinstance(options, dict):
                options = dict.fromkeys(options, "")
            parameters.append(Parameter(options=options, **one))
        rows = pd.DataFrame(told["rows"], columns=[p.name for p in parameters])
        minimise = told["direction"] == "minimise"
        return cls(tuple(parameters), rows, minimise, told["batch"], told["seed"])

    def cube(self) -> np.ndarray:
        """Return reals in 0 to 1 on their scale, a column for each option otherwise."""
        columns = []
        for p in self.parameters:
            column = self.rows[p.name]
            if p.kind == "real":
                ends = np.array([p.low, p.high])
                values = column.to_numpy(float)
                if p.scale == "log":
                    ends, values = np.log(ends), np.log(values)
                columns.append((values - ends[0]) / (ends[1] - ends[0]))
            else:
                columns += [(column == option).to_numpy(float) for option in p.options]
        return np.column_stack(columns)


@dataclass(frozen=True)
class Question:
    """What was observed, which rows failed, and how many rows are asked for."""

    observed: list[int]
    values: list[float]
    failed: list[int]
    n: int

    @property
    def told(self) -> set[int]:
        """Rows that were made, well or not."""
        return {*self.observed, *self.failed}

    def free(self, pool: Pool) -> list[int]:
        """Return the rows that were not made yet."""
        return [row for row in range(len(pool.rows)) if row not in self.told]

    def drawn(self, pool: Pool) -> list[int]:
        """Return rows drawn at random, for a peer that cannot model so little yet."""
        rng = np.random.default_rng([pool.seed, len(self.told)])
        return [int(row) for row in rng.choice(self.free(pool), self.n, replace=False)]


LEAST = 2
"""Observations that a model needs."""

Answers = Callable[[Question], Sequence[int]]


def processor_time() -> float:
    """Return seconds of processor time of this process and its ended children."""
    return sum(os.times()[:4])


def serve(start: Callable[[Pool], Answers]) -> None:
    """Answer questions until the input ends. ``start`` is called once, with the table.

    What the library prints goes to standard error, so that it cannot break the pipe.
    """
    pipe = os.fdopen(os.dup(1), "w", encoding="utf-8")
    os.dup2(2, 1)
    answers: Answers | None = None
    for line in sys.stdin:
        try:
            if answers is None:
                answers = start(Pool.read(line))
                continue
            told = json.loads(line)
            observed = [int(row) for row, _ in told["observed"]]
            values = [float(value) for _, value in told["observed"]]
            began = processor_time()
            rows = answers(Question(observed, values, told["failed"], told["n"]))
            seconds = processor_time() - began
            answer = {"rows": [int(row) for row in rows], "seconds": seconds}
        except Exception as error:  # noqa: BLE001 the bench tells it with its place
            answer = {"error": f"{type(error).__name__}: {error}"}
        pipe.write(f"{json.dumps(answer)}\n")
        pipe.flush()
