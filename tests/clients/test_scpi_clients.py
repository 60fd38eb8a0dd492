"""Released clients, unmodified, are content with the simulated instruments.

Each runs in a process of its own under a time limit of its own: some never give up on
an answer that does not come.
"""

from __future__ import annotations

import importlib.util
import json
import os
import signal
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

HERE = Path(__file__).parent
ROOT = HERE.parents[1]
SECONDS = 50.0
LAB = ROOT / "lab_configs" / "sim_bench" / "lab.yaml"
TOLERANT = "import runpy, sys, tolerant_pty; sys.argv[:] = sys.argv[1:]; runpy.run_path(sys.argv[0], run_name='__main__')"


@pytest.fixture
def ports(tmp_path: Path) -> Iterator[Path]:
    """Hold the lab of the README open with ``polyloop sim``; give its ports."""
    command = [sys.executable, "-m", "orchestrator.cli", "sim", LAB, "--dir", tmp_path]
    command += ["--speed", "20"]
    with subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE, text=True) as sims:
        assert sims.stdout is not None
        while sims.stdout.readline().strip() not in {"ready", ""}:
            pass
        yield tmp_path / "ports"
        sims.send_signal(signal.SIGINT)
        assert sims.wait(timeout=10.0) == 0


def tcp(ports: Path, name: str) -> int:
    """Return the number of an instrument's TCP port."""
    card = json.loads((ports.parent / "bench.json").read_text())
    return int(card["tcp"][name])


def run(script: str, port: Path | str, *, tolerant: bool = False) -> str:
    """Run a client script; return what it printed."""
    words = ["-c", TOLERANT] if tolerant else []
    with tempfile.TemporaryDirectory() as folder:
        done = subprocess.run(
            [sys.executable, *words, str(HERE / script), str(port)],
            cwd=folder,
            env=os.environ | {"PYTHONPATH": str(HERE)},
            capture_output=True,
            text=True,
            timeout=SECONDS,
            check=False,
        )
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


def needs(*packages: str) -> None:
    """Skip the test where a client is not installed."""
    missing = [name for name in packages if importlib.util.find_spec(name) is None]
    if missing:
        pytest.skip(f"pip install {' '.join(missing)}")


@pytest.mark.slow
def test_pymeasure_drives_the_source_meter(ports: Path) -> None:
    needs("pymeasure", "pyvisa_py")
    said = run("keithley2400_pymeasure.py", ports / "source_meter")
    assert "OK" in said
    resistance = float(said.split("R4w")[1].split()[0])
    assert resistance == pytest.approx(100.0, rel=5e-3)


@pytest.mark.slow
def test_qcodes_drives_the_source_meter(ports: Path) -> None:
    needs("qcodes", "pyvisa_py")
    said = run("keithley2400_qcodes.py", ports / "source_meter")
    assert float(said.split("R ")[1].split()[0]) == pytest.approx(100.0, rel=5e-3)


@pytest.mark.slow
def test_pymeasure_drives_the_switch_matrix(ports: Path) -> None:
    needs("pymeasure", "pyvisa_py")
    assert "OK []" in run("keithley2700_pymeasure.py", ports / "switch_matrix")


@pytest.mark.slow
def test_pymeasure_drives_the_power_meter(ports: Path) -> None:
    needs("pymeasure", "pyvisa_py")
    assert "S120VC" in run("thorlabs_pm_pymeasure.py", ports / "power_meter")


@pytest.mark.slow
def test_ika_drives_the_hotplate(ports: Path) -> None:
    needs("ika")
    assert "OK plate" in run("ika_hotplate_ika.py", ports / "anneal_plate")


@pytest.mark.slow
def test_matterlab_drives_the_hotplate(ports: Path) -> None:
    # It closes and opens the port without a word between: a pty refuses 7E1 then.
    needs("matterlab_hotplates")
    said = run("ika_hotplate_matterlab.py", ports / "anneal_plate", tolerant=True)
    assert "OK temp" in said


@pytest.mark.slow
def test_matterlab_drives_the_hotplate_over_tcp(ports: Path) -> None:
    # A socket takes any word length and parity: no shim is needed.
    needs("matterlab_hotplates")
    url = f"socket://127.0.0.1:{tcp(ports, 'anneal_plate')}"
    assert "OK temp" in run("ika_hotplate_matterlab.py", url)
