"""Released clients of ovens, circulators and balances work on the simulated ones."""

from __future__ import annotations

import re
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.clients.test_scpi_clients import needs
from tests.conftest import HOUSE, RunningBench

HERE = Path(__file__).parent
SPEC = """
instruments:
  oven:    {panel: eurotherm, port: ports/oven}
  chiller: {panel: julabo,    port: ports/chiller}
  balance: {panel: mettler,   port: ports/balance, load: 1.5}
"""
SECONDS = 50.0
Start = Callable[..., RunningBench]


@pytest.fixture(params=[2.0, 50.0], ids=["speed 2", "speed 50"])
def bench(
    request: pytest.FixtureRequest, start_bench: Start, tmp_path: Path
) -> RunningBench:
    spec = tmp_path / "bench.yaml"
    spec.write_text(SPEC)
    return start_bench(speed=request.param, spec=spec)


def run(script: str, port: str) -> str:
    """Run a client script in its own process; return what it printed."""
    done = subprocess.run(
        [sys.executable, str(HERE / script), port],
        capture_output=True,
        text=True,
        timeout=SECONDS,
        check=False,
        cwd=HOUSE,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


@pytest.mark.slow
def test_minimalmodbus_drives_the_oven(bench: RunningBench) -> None:
    needs("minimalmodbus")
    said = run("eurotherm_minimalmodbus.py", bench.port("oven"))
    assert "illegal address -> IllegalRequestError" in said
    assert said.endswith("OK\n")
    written = [one for one in bench.journal("oven") if one["event"] == "eeprom"]
    assert [(one["register"], one["value"]) for one in written] == [(24, 60), (24, 35)]


@pytest.mark.slow
def test_pymodbus_drives_the_oven(bench: RunningBench) -> None:
    needs("pymodbus")
    said = run("eurotherm_pymodbus.py", bench.port("oven"))
    assert "exception_code=2" in said
    assert said.endswith("OK\n")


@pytest.mark.slow
def test_julabo_drives_the_circulator(bench: RunningBench) -> None:
    needs("julabo", "serialio")
    said = run("julabo_julabo.py", bench.port("chiller"))
    assert said.startswith("JULABO CF31 VERSION 5.0 | 02 REMOTE STOP")
    assert said.endswith("OK 02 REMOTE STOP\n")
    events = [one["event"] for one in bench.journal("chiller")]
    assert events == ["heater on", "heater off"]


@pytest.mark.slow
def test_pylabrobot_drives_the_balance(bench: RunningBench) -> None:
    needs("pylabrobot")
    said = run("mtsics_pylabrobot.py", bench.port("balance"))
    assert said.startswith("serial B123456789")
    assert re.search(r"immediate -?0\.0\d* stable -?0\.0\d* tare 0\.0", said)
    assert said.endswith("OK\n")


@pytest.mark.slow
def test_mettler_toledo_device_drives_the_balance(bench: RunningBench) -> None:
    needs("mettler_toledo_device")
    said = run("mtsics_mettler_toledo_device.py", bench.port("balance"))
    assert "'XS205DU', 'Excellence', '220.0000', 'g'" in said
    assert re.search(r"stable \[-?0\.0\d*, 'g'\]", said)
    assert said.endswith("OK\n")
