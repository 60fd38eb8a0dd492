"""The process of the first campaign, done by hand on one simulated sample."""

from __future__ import annotations

from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
import yaml

from sims.physics.chemicals import Chemical
from sims.physics.laboratory import Laboratory
from sims.physics.sample import Sample

BENCH = Path(__file__).parents[3] / "lab_configs" / "sim_bench" / "bench.yaml"


@cache
def spec() -> dict[str, Any]:
    loaded: dict[str, Any] = yaml.safe_load(BENCH.read_text())
    return loaded


def ideal() -> Laboratory:
    """The laboratory of the literature: no offset, scatter or failure."""
    return Laboratory.read(spec()).ideal()


def pass_time(sample: Sample, seconds: float, temperature: float, cut: float) -> None:
    end = sample.at + seconds
    while sample.at < end - 1e-9:
        sample.advance(min(end, sample.at + cut), temperature)


def coat(
    lab: Laboratory,
    *,
    rpm: float = 2000.0,
    anneal: float = 120.0,
    seconds: float = 300.0,
    seed: int = 0,
    cut: float = 1e9,
    at: float = 0.0,
) -> Sample:
    sample = Sample("film", lab, np.random.default_rng(seed))
    sample.pour({"ink": 150.0}, at)
    sample.spin(rpm, 45.0, at + 50.0)
    pass_time(sample, seconds, anneal, cut)
    pass_time(sample, 60.0, 25.0, cut)
    return sample


def treat(
    sample: Sample,
    acid: str,
    concentration: float,
    *,
    seconds: float = 600.0,
    temperature: float = 25.0,
    volume: float = 120.0,
    rinse: bool = True,
    anneal: float = 120.0,
    cut: float = 1e9,
) -> Sample:
    share = min(1.0, concentration / sample.lab.acids[acid].stock)
    parts = {acid: volume * share, "water": volume * (1.0 - share)}
    sample.pour(parts, sample.at)
    pass_time(sample, seconds, temperature, cut)
    if rinse:
        sample.pour({"water": 3000.0}, sample.at)
    pass_time(sample, 20.0, 25.0, cut)
    pass_time(sample, 120.0, anneal, cut)
    return sample


def molar(acid: Chemical, percent: float) -> float:
    """mol/L of so many wt%, by bisection."""
    low, high = 0.0, 1.05 * acid.stock
    for _ in range(60):
        middle = 0.5 * (low + high)
        low, high = (
            (middle, high) if acid.weight_percent(middle) < percent else (low, middle)
        )
    return low
