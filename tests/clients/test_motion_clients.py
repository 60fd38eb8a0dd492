"""Released third-party clients, unmodified, work on the simulated instruments."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from tests.conftest import RunningBench

HERE = Path(__file__).parent


def run_client(script: str, port: str, *, limit: float) -> str:
    done = subprocess.run(
        [sys.executable, str(HERE / script), port],
        capture_output=True,
        text=True,
        timeout=limit,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


@pytest.mark.slow
@pytest.mark.parametrize("bench", [1.0, 20.0], indirect=True)
def test_grbl_streamer_moves_the_gantry(bench: RunningBench) -> None:
    pytest.importorskip("grbl_streamer", reason="pip install polyloop[clients]")
    assert "OK" in run_client("grbl_grbl_streamer.py", bench.port("gantry"), limit=30)


@pytest.mark.slow
@pytest.mark.parametrize("bench", [5.0, 50.0], indirect=True)
def test_matterlab_pumps_moves_the_pump(bench: RunningBench) -> None:
    pytest.importorskip("matterlab_pumps", reason="pip install polyloop[clients]")
    port = bench.port("pump")
    out = run_client("cavro_xcalibur_matterlab.py", port, limit=50)
    assert out.startswith("OK xc port 2")
    assert [one["event"] for one in bench.journal("pump")].count("aspirated") == 1


@pytest.mark.slow
@pytest.mark.parametrize("bench", [1.0, 20.0], indirect=True)
def test_the_pascal_sequence_spins_the_chuck(bench: RunningBench) -> None:
    out = run_client("odrive_ascii_pyserial.py", bench.port("spin_coater"), limit=50)
    assert "b'unknown command\\r\\n'" in out
    assert "invalid property" in out
    events = [one["event"] for one in bench.journal("spin_coater")]
    assert events[:2] == ["calibrated", "spinning"]
