"""The simulated profilometer drops a whole file of what it scanned."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from sims.models.stylus import profile
from tests.sims.desk import Desk
from tests.sims.film import Film, bring, put

SPEC = {
    "instruments": {
        "stylus": {"panel": "profilometer", "slot": "stylus", "folder": "drops/stylus"}
    },
    "slots": {"stylus": {"at": [0.0, 0.0, 0.0]}},
}


@pytest.fixture
def desk(tmp_path: Path) -> Iterator[Desk]:
    desk = Desk(tmp_path, SPEC)
    yield desk
    desk.close()


def step(x: np.ndarray, z: np.ndarray) -> float:
    """Film over glass, in nm, with the tilt taken off."""
    film = (x < 300.0) | (x > 750.0)
    glass = (x > 480.0) & (x < 570.0)
    tilt = np.polyfit(x[film], z[film], 1)
    return float(-np.mean((z - np.polyval(tilt, x))[glass]))


@given(st.floats(20.0, 400.0), st.integers(0, 1000))
def test_the_step_is_the_thickness_within_the_instruments_error(
    thickness: float, seed: int
) -> None:
    x, z = profile(thickness, np.random.default_rng(seed))
    assert abs(step(x, z) - thickness) < 5.0 * np.hypot(2.5, 0.03 * thickness) + 1.0


def test_a_scan_takes_its_time_and_is_dropped_once(desk: Desk) -> None:
    bring(desk, "stylus", Film(thickness=80.0))
    folder = desk.bench.directory / "drops" / "stylus"
    desk.wait(39.0)
    assert list(folder.iterdir()) == []
    desk.wait(100.0)
    assert [path.name for path in folder.iterdir()] == ["scan_0001.csv"]
    assert desk.events("stylus") == ["scan started", "scan dropped"]


def test_the_file_is_as_the_program_exports_it(desk: Desk) -> None:
    bring(desk, "stylus", Film(thickness=80.0))
    desk.wait(41.0)
    path = desk.bench.directory / "drops" / "stylus" / "scan_0001.csv"
    lines = path.read_text("ascii").splitlines()
    assert lines[0] == "# program: P-7 profile export 1.2"
    assert lines[1].startswith("# scanned: ")
    assert lines[2:6] == ["# stylus force: 1 mg", "# x unit: um", "# z unit: nm", "x,z"]
    assert lines[-1] == "# end"
    x, z = np.array([line.split(",") for line in lines[6:-1]], dtype=float).T
    assert step(x, z) == pytest.approx(80.0, abs=20.0)


def test_a_sample_taken_away_too_early_gives_no_file(desk: Desk) -> None:
    bring(desk, "stylus", Film())
    desk.wait(20.0)
    put(desk, "stylus", None)
    desk.wait(40.0)
    assert desk.events("stylus") == ["scan started", "scan broken off"]
