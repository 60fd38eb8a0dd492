"""The comparison with bare pyserial, on a real bench."""

from __future__ import annotations

import math
from pathlib import Path

import pytest

from orchestrator.benches.wire import speeds
from orchestrator.config.read_lab import load_lab

LAB = Path(__file__).parents[3] / "lab_configs" / "sim_bench" / "lab.yaml"


@pytest.mark.slow
def test_each_driver_with_a_cable_is_compared_on_its_own_port(tmp_path: Path) -> None:
    lab = load_lab(LAB)
    found = {one.instrument: one for one in speeds(lab, tmp_path, 0.3)}
    assert set(found) == set(lab.instruments) - {"profilometer"}
    for one in found.values():
        assert one.trips > 0
        # No claim about the ratio on a shared machine; but both sides were answered:
        # a question of either that is not costs a second at least.
        assert one.ours > 20.0
        assert one.bare > 20.0
    assert found["anneal_plate"].reading > 0.0
    assert math.isnan(found["source_meter"].reading)  # it reads only while it sources
