"""A station with a vacuum: its file, its plan, and an emergency stop in mid-spin."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest
import yaml

from instruments.clock import Clock
from instruments.errors import Stopped
from orchestrator.config.read_lab import load_lab
from orchestrator.errors import ConfigError
from orchestrator.lab import build_devices, signature
from orchestrator.resolve import build_plan
from orchestrator.station.acts import ActRecord, ActState
from orchestrator.station.open_lab import OpenLab
from tests.conftest import SIM_BENCH, RunningBench
from tests.instruments.test_transcripts import settles
from tests.orchestrator.lab_files import LabFiles

BOTH = "instruments: [spin_coater, vacuum]"
SPIN = {"speed": 3000.0, "acceleration": 3000.0, "duration": 300.0}


@pytest.fixture
def files(tmp_path: Path) -> LabFiles:
    return LabFiles.copied(tmp_path / "configs")


def test_chuck_and_vacuum_of_a_station_know_each_other(files: LabFiles) -> None:
    lab = load_lab(files.path("lab.yaml"))
    devices = build_devices(lab, Clock())
    assert devices["spin_coater"]._vacuum is devices["vacuum"]
    assert devices["vacuum"]._chuck is devices["spin_coater"]
    roles = {
        role: devices[name] for role, name in lab.stations["coater"].instruments.items()
    }
    plan = build_plan(lab, "coater", "spin", SPIN, roles)
    assert plan.keywords["vacuum"] is devices["vacuum"]  # type: ignore[attr-defined]


def test_a_station_can_do_without_a_vacuum(files: LabFiles) -> None:
    files.edit("lab.yaml", BOTH, "instruments: [spin_coater]")
    lab = load_lab(files.path("lab.yaml"))
    assert signature("spin").roles == ("spin_coater",)
    assert signature("spin").optional == ("vacuum",)
    assert build_devices(lab, Clock())["spin_coater"]._vacuum is None


def test_a_vacuum_where_nothing_spins_is_refused(files: LabFiles) -> None:
    files.edit("lab.yaml", BOTH, "instruments: [spin_coater]")
    files.edit(
        "lab.yaml", "instruments: [power_meter]", "instruments: [power_meter, vacuum]"
    )
    with pytest.raises(ConfigError, match="no operation of this station uses it"):
        load_lab(files.path("lab.yaml"))


@pytest.mark.slow
def test_an_emergency_stop_lets_the_chuck_run_out_before_it_lets_go(
    files: LabFiles, start_bench: Callable[..., RunningBench], tmp_path: Path
) -> None:
    spec = yaml.safe_load(SIM_BENCH.read_text())
    spec["slots"]["chuck"]["substrates"] = 1
    file = tmp_path / "bench.yaml"
    file.write_text(yaml.safe_dump(spec, sort_keys=False))
    bench = start_bench(speed=50.0, spec=file)

    def told() -> list[str]:
        lines = [*bench.journal("vacuum"), *bench.journal("spin_coater")]
        known = ("closed", "opened", "spinning", "rest", "flew off")
        return [
            line["event"]
            for line in sorted(lines, key=lambda one: one["t"])
            if line["event"] in known
        ]

    lab = load_lab(files.path("lab.yaml"))
    with OpenLab(lab, tmp_path / "data", bench.directory, speed=50.0) as opened:
        opened.connect()
        opened.prepare()
        act = ActRecord("a.1", "me", "coater", "spin", "coat", "s/chuck", "t001", SPIN)
        opened.stations["coater"].begin(
            opened.acts.intend(act), opened.plan("coater", "spin", SPIN)
        )
        assert settles(lambda: "spinning" in told(), within=20.0)
        opened.estop("a person", "test")
        ended = opened.stations["coater"].wait("a.1", 20.0)
        assert ended is not None
        assert ended.state is ActState.ABORTED
        assert "opened" not in told()

        def put_back() -> bool:
            try:  # the stop's own thread may still be at it
                opened.stations["coater"].put_back()
            except Stopped:
                return False
            return True

        assert settles(put_back, within=20.0)
        assert told() == ["closed", "spinning", "rest", "opened"]
