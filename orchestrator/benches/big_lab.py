"""A campaign of thousands of trials, derived from one that is there."""

from __future__ import annotations

import math
from pathlib import Path
from typing import Any

import yaml

from orchestrator.benches.short import shorten
from orchestrator.config.read_campaign import load_campaign
from orchestrator.errors import Refused

PITCH = 3.0
"""mm from one rack slot to the next: the gripper of the simulated bench finds a sample
within 1 mm, so no two are confused. No real substrate is as small."""
COLUMNS = 100
ROWS = 60
"""As many as the gantry of `lab_configs/sim_bench` reaches in front of its rack."""
SPARE = 100
"""Substrates beyond one a trial, for those that are discarded."""
MOST = COLUMNS * ROWS - SPARE
STOCK = 15.0
"""mL of each liquid for each trial: five rinses."""


def enlarge(
    path: Path, target: Path, *, trials: int, seed: int, in_flight: int
) -> Path:
    """Write a campaign's files with stock for ``trials`` below ``target``; return its file.

    Its steps are short, its planner draws at random, and its rack is as large as a rack
    has never been; else lab and recipe are those of the campaign at ``path``.

    Raises
    ------
    Refused
        When the gantry cannot reach so many substrates.
    """
    if not 1 <= trials <= MOST:
        raise Refused(
            f"--trials: {trials} — from 1 to {MOST}, which the gantry reaches"
        )
    made = shorten(path, target, trials=trials, seed=seed, unanswered="discard")
    _change(made, lambda text: text.update(in_flight=in_flight))
    lab = load_campaign(path, check_drivers=False).lab
    if lab.bench is None:
        raise Refused(f"{lab.path}: is a real lab; a soak is run on a simulated one")
    root = path.resolve().parents[1]
    count = trials + SPARE
    grid = {"columns": COLUMNS, "rows": math.ceil(count / COLUMNS)}
    _change(
        target / lab.path.resolve().relative_to(root),
        lambda text: _lab(text, grid, count),
    )
    _change(
        target / lab.bench.resolve().relative_to(root),
        lambda text: _bench(text, grid, count),
    )
    return made


def _lab(text: dict[str, Any], grid: dict[str, int], count: int) -> None:
    text["slots"]["rack"] |= {**grid, "pitch": f"-{PITCH} mm"}
    text["inventory"]["substrates"]["count"] = count
    for liquid in text["inventory"]["liquids"].values():
        liquid["volume"] = f"{STOCK * count} mL"


def _bench(text: dict[str, Any], grid: dict[str, int], count: int) -> None:
    text["slots"]["rack"] |= {**grid, "pitch": -PITCH, "substrates": count}
    for liquid in text["liquids"].values():
        liquid["volume"] = 1000.0 * STOCK * count


def _change(path: Path, change: Any) -> None:
    """Read a file of YAML, have it changed, and write it again."""
    text = yaml.safe_load(path.read_text("utf-8"))
    change(text)
    path.write_text(yaml.safe_dump(text, sort_keys=False), "utf-8")
