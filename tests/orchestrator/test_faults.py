"""A simulated lab may state what its instruments do wrong; a real one may not."""

from __future__ import annotations

import json
from pathlib import Path
from typing import get_args

import pytest

from orchestrator.config.forms import FaultKind
from orchestrator.errors import ConfigError
from sims.bench import Bench
from sims.clock import StoppedClock
from sims.faults import KINDS, read_file
from sims.spec import read
from tests.conftest import SIM_BENCH
from tests.orchestrator.lab_files import LabFiles

BENCH = "bench: bench.yaml\n"
FAULTS = """faults:
  - {instrument: pump, kind: drop, command: 'A\\d+R', after: 3, side: command}
  - {instrument: anneal_plate, kind: delay, seconds: "500 ms", chance: 0.5, times: 2}
"""


@pytest.fixture
def files(tmp_path: Path) -> LabFiles:
    return LabFiles.copied(tmp_path)


def test_the_hall_knows_the_kinds_that_the_bench_knows() -> None:
    assert get_args(FaultKind) == tuple(KINDS)


def test_the_bench_takes_what_the_lab_states(files: LabFiles, tmp_path: Path) -> None:
    files.edit("lab.yaml", BENCH, BENCH + FAULTS)
    stated = [one.stated() for one in files.load().lab.faults]
    path = tmp_path / "stated.json"
    path.write_text(json.dumps(stated))
    bench = Bench(read(SIM_BENCH), tmp_path / "run", clock=StoppedClock())
    drop, delay = read_file(path, bench.instruments)
    assert (drop.instrument, drop.kind, drop.side) == ("pump", "drop", "command")
    assert (drop.command, drop.after, drop.times) == (r"A\d+R", 3, 1)
    assert (delay.seconds, delay.chance, delay.times) == (0.5, 0.5, 2)
    bench.close()


@pytest.mark.parametrize(
    ("fault", "place", "rule"),
    [
        ("{instrument: pomp, kind: drop}", "faults[0].instrument: pomp", "pump"),
        ("{instrument: pump, kind: dropp}", "faults[0].kind: dropp", "'drop'"),
        ("{instrument: pump, kind: drop, command: '('}", "command: (", "regular"),
        ("{instrument: pump, kind: drop, chance: 1.5}", "chance: 1.5", "less than"),
        ("{instrument: pump, kind: drop, times: 0}", "times: 0", "greater than"),
        ("{instrument: pump, kind: delay, seconds: 5}", "seconds: 5", "unit"),
        ('{instrument: pump, kind: delay, seconds: "-5 s"}', "seconds: -5 s", "below"),
        ("{instrument: pump, kind: drop, side: left}", "side: left", "'command'"),
    ],
)
def test_a_fault_that_cannot_be_is_refused(
    fault: str, place: str, rule: str, files: LabFiles
) -> None:
    files.edit("lab.yaml", BENCH, f"{BENCH}faults: [{fault}]\n")
    with pytest.raises(ConfigError) as refusal:
        files.load()
    line = files.line("lab.yaml", "faults: [")
    assert f"lab.yaml:{line}: " in str(refusal.value)
    assert place in str(refusal.value)
    assert rule in str(refusal.value).partition(" — ")[2]


def test_a_real_lab_states_no_faults(files: LabFiles) -> None:
    text = files.text("lab.yaml").replace("port: ports/", "port: /dev/serial/by-id/")
    text = text.replace(BENCH, FAULTS)
    files.path("lab.yaml").write_text(text, encoding="utf-8")
    with pytest.raises(ConfigError, match=r"faults: 2 — only a simulated lab"):
        files.load()
