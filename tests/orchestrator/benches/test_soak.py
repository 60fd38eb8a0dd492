"""A long campaign is watched from outside, and what grows is seen."""

from __future__ import annotations

import csv
import math
import os
import subprocess
import sys
from pathlib import Path

import pytest

from orchestrator.benches.big_lab import COLUMNS, MOST, PITCH, SPARE, enlarge
from orchestrator.benches.growth import FLAT, growth
from orchestrator.benches.sampling import NAMES, STORES, Sample
from orchestrator.config.read_campaign import load_campaign
from orchestrator.errors import Refused
from sims.world import GRIP

ROOT = Path(__file__).parents[3]
CAMPAIGN = ROOT / "lab_configs" / "pedot_pss" / "campaign.yaml"
MIB = 2**20


def looks(grows: float, trials: int = 40) -> list[Sample]:
    """Return looks at a campaign in which each trial leaves ``grows`` MiB in the flow."""
    return [
        Sample(
            seconds=10.0 * n,
            trials=n,
            acts=20 * n,
            memory=dict.fromkeys(NAMES, 100 * MIB)
            | {"flow": int((100 + grows * n) * MIB), "bench": 1000 * n * MIB},
            cpu=dict.fromkeys(NAMES, 0.1 * n),
            stores=dict.fromkeys(STORES, 5000 * n),
        )
        for n in range(trials + 1)
    ]


def test_memory_that_does_not_grow_is_flat_whatever_the_bench_does() -> None:
    found = growth(looks(0.0))
    assert found is not None
    assert found.flat
    assert found.grown("flow") == pytest.approx(1.0)
    assert found.grown("bench") > 2.0


def test_a_process_that_grows_with_the_trials_is_seen() -> None:
    found = growth(looks(2.0))
    assert found is not None
    assert found.ratio > FLAT
    assert not found.flat
    assert found.grown("station") == pytest.approx(1.0)


def test_the_figures_are_of_a_trial_an_act_and_a_minute() -> None:
    found = growth(looks(0.0))
    assert found is not None
    assert found.stores == {name: pytest.approx(5000.0) for name in STORES}
    assert found.cpu["station"] == [pytest.approx(0.1 / 20)] * 4
    assert found.rate == [pytest.approx(6.0)] * 4


def test_too_few_looks_have_no_quarters() -> None:
    assert growth([]) is None
    assert growth(looks(0.0)[:1]) is None
    assert growth(looks(0.0, trials=2)) is None


@pytest.fixture(scope="module")
def enlarged(tmp_path_factory: pytest.TempPathFactory) -> Path:
    files = tmp_path_factory.mktemp("enlarged")
    return enlarge(CAMPAIGN, files, trials=2000, seed=0, in_flight=4)


def test_a_large_rack_is_one_that_every_check_accepts(enlarged: Path) -> None:
    campaign = load_campaign(enlarged, check_drivers=False)
    assert campaign.budget.trials == 2000
    assert campaign.in_flight == 4
    assert len(campaign.lab.substrates) == 2000 + SPARE


def test_no_two_slots_of_the_rack_are_one_for_the_gripper(enlarged: Path) -> None:
    slots = load_campaign(enlarged, check_drivers=False).lab.slots
    rack = [at for name, at in slots.items() if name.startswith("rack.")]
    assert len(rack) == COLUMNS * math.ceil((2000 + SPARE) / COLUMNS)
    assert len(set(rack)) == len(rack)
    assert PITCH > 2 * GRIP


def test_more_than_the_gantry_reaches_is_refused(tmp_path: Path) -> None:
    with pytest.raises(Refused, match=f"from 1 to {MOST}"):
        enlarge(CAMPAIGN, tmp_path, trials=MOST + 1, seed=0, in_flight=4)


@pytest.mark.slow
@pytest.mark.timeout(600)
def test_a_short_soak_has_every_figure(tmp_path: Path) -> None:
    ended = subprocess.run(
        [
            *(sys.executable, "-m", "orchestrator.cli", "bench", "soak"),
            *("--trials", "4", "--every", "1", "--in-flight", "2"),
            *("--keep", str(tmp_path / "kept"), "--to", str(tmp_path / "looks.csv")),
        ],
        cwd=ROOT,
        capture_output=True,
        text=True,
        timeout=550,
        check=False,
        env={**os.environ, "COLUMNS": "160"},
    )
    said = ended.stdout + ended.stderr
    # Four trials say nothing of flatness: processes are still warming up.
    assert ended.returncode == 0 or "memory is not flat" in said, said
    assert "4 trials and " in said, said
    with (tmp_path / "looks.csv").open() as file:
        rows = list(csv.DictReader(file))
    last = rows[-1]
    for name in NAMES:
        assert 20 < float(last[f"{name} memory [MiB]"]) < 2000, name
        assert float(last[f"{name} processor [s]"]) > 0, name
    for name in STORES:
        assert int(last[f"{name} [byte]"]) > 1000, name
    assert [int(row["acts"]) for row in rows] == sorted(
        int(row["acts"]) for row in rows
    )
    assert 40 < int(last["acts"]) < 400
