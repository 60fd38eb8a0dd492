"""Released clients drive the simulated impedance analyser by each of its doors."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.clients.test_scpi_clients import needs, run
from tests.conftest import RunningBench

BENCH = """
instruments:
  lcr:    {panel: e4980a, port: ports/lcr, cell: {conductivity_S_cm: 1.0e-6}}
  gpib:   {panel: gpib_adapter, port: ports/gpib, instruments: {16: matrix, 17: held}}
  held:   {panel: e4980a, cell: {conductivity_S_cm: 1.0e-6}}
  matrix: {panel: keithley2700}
"""
BULK = 1.274e4
"""ohm of 100 um and 0.785 cm2 of that film."""


@pytest.fixture
def bench(tmp_path: Path, start_bench: Callable[..., RunningBench]) -> RunningBench:
    spec = tmp_path / "bench.yaml"
    spec.write_text(BENCH)
    return start_bench(spec=spec, speed=20.0)


def door(bench: RunningBench, kind: str) -> str:
    if kind == "pty":
        return bench.port("lcr")
    number = json.loads((bench.directory / "bench.json").read_text())["tcp"]["lcr"]
    return f"TCPIP::127.0.0.1::{number}::SOCKET"


@pytest.mark.slow
@pytest.mark.parametrize("kind", ["pty", "tcp"])
def test_pymeasure_takes_a_spectrum(bench: RunningBench, kind: str) -> None:
    needs("pymeasure", "pyvisa_py")
    said = run("e4980a_pymeasure.py", door(bench, kind))
    assert "OK" in said
    points = {
        float(line.split(" Hz")[0]): float(line.split("R=")[1].split()[0])
        for line in said.splitlines()
        if " Hz" in line
    }
    assert len(points) == 6
    assert points[20000.0] == pytest.approx(BULK, rel=0.1)


@pytest.mark.slow
@pytest.mark.parametrize("kind", ["pty", "tcp"])
def test_qcodes_takes_a_point(bench: RunningBench, kind: str) -> None:
    needs("qcodes", "pyvisa_py")
    said = run("e4980a_qcodes.py", door(bench, kind))
    assert "OK" in said
    resistance = float(said.split("fetch formatted")[1].split("(")[1].split(",")[0])
    assert resistance == pytest.approx(BULK, rel=0.1)


@pytest.mark.slow
def test_pymeasure_reaches_two_instruments_through_the_gpib_adapter(
    bench: RunningBench,
) -> None:
    needs("pymeasure", "pyvisa_py")
    said = run("prologix_pymeasure.py", bench.port("gpib"))
    assert "MODEL 2700" in said
    assert float(said.split("R, X [")[1].split(",")[0]) == pytest.approx(BULK, rel=0.1)
