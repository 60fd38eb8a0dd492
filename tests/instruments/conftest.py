"""One simulated bench for the tests of drivers: real processes, real bytes."""

from __future__ import annotations

import json
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from bluesky import RunEngine
from bluesky.preprocessors import run_wrapper

from instruments import (
    cavro_pump,
    eurotherm_3216,
    grbl_gantry,
    ika_hotplate,
    julabo,
    mettler_balance,
    odrive_spin_coater,
    relay,
)
from instruments.clock import Clock
from instruments.device import Instrument
from tests.conftest import RunningBench

ROOT = Path(__file__).parents[2]
SPEED = 200.0


@dataclass
class BenchOnPtys:
    """Where a running bench keeps its ports and journals."""

    directory: Path

    def port(self, name: str) -> str:
        return str(self.directory / "ports" / name)

    def journal(self, name: str) -> list[dict[str, Any]]:
        path = self.directory / "journal" / f"{name}.jsonl"
        return [json.loads(line) for line in path.read_text().splitlines()]

    def device(self, name: str) -> Instrument:
        return made(name, self.port(name))


MAKERS: dict[str, tuple[type[Instrument], Any]] = {
    "gantry": (
        grbl_gantry.Gantry,
        grbl_gantry.GantrySettings((500.0, 400.0, 100.0), 12000.0, (40.0, 0.0)),
    ),
    "pump": (
        cavro_pump.Pump,
        cavro_pump.PumpSettings(1000.0, {"needle": 1, "water": 2, "waste": 3}),
    ),
    "spin_coater": (
        odrive_spin_coater.SpinCoater,
        odrive_spin_coater.SpinCoaterSettings(8000.0),
    ),
    "vacuum": (relay.Vacuum, relay.VacuumSettings()),
    "anneal_plate": (
        ika_hotplate.Hotplate,
        ika_hotplate.HotplateSettings("C-MAG HS7", 200.0),
    ),
    # On the bench of `test_serial_devices`:
    "oven": (
        eurotherm_3216.TemperatureController,
        eurotherm_3216.EurothermSettings(200.0, settling_time=60.0),
    ),
    "chiller": (
        julabo.Circulator,
        julabo.CirculatorSettings("JULABO CF31", 150.0, -20.0, watchdog=1200.0),
    ),
    "balance": (
        mettler_balance.Balance,
        mettler_balance.BalanceSettings("XS205DU", 0.05),
    ),
}


def made(name: str, port: str, settings: Any = None, speed: float = SPEED) -> Any:
    """Return a device on a port, with its usual settings unless others are given."""
    kind, usual = MAKERS[name]
    return kind(name, port=port, settings=settings or usual, clock=Clock(speed))


def unplugged(name: str) -> Any:
    """A device whose port does not exist: any byte would be a `LinkError`."""
    return made(name, "/dev/nowhere")


@contextmanager
def running(
    file: Path, directory: Path, speed: float = SPEED
) -> Iterator[RunningBench]:
    """A bench in a process of its own, ready."""
    words = [sys.executable, "-m", "sims", str(file), "--dir", str(directory)]
    with subprocess.Popen(
        [*words, "--speed", str(speed)], stdout=subprocess.PIPE, text=True, cwd=ROOT
    ) as process:
        try:
            assert process.stdout is not None
            assert any(line.strip() == "ready" for line in process.stdout)
            yield RunningBench(directory, process)
        finally:
            process.kill()


@pytest.fixture(scope="module")
def bench(tmp_path_factory: pytest.TempPathFactory) -> Iterator[BenchOnPtys]:
    directory = tmp_path_factory.mktemp("bench")
    with running(ROOT / "lab_configs" / "sim_bench" / "bench.yaml", directory):
        yield BenchOnPtys(directory)


@pytest.fixture
def open_device(bench: BenchOnPtys) -> Iterator[Callable[[str], Any]]:
    """Connected and prepared devices, closed again after the test."""
    opened: list[Instrument] = []

    def open_one(name: str) -> Instrument:
        device = bench.device(name)
        opened.append(device)
        device.connect()
        device.prepare()
        return device

    yield open_one
    for device in opened:
        device.disconnect()


@pytest.fixture
def run() -> Callable[[Any], list[tuple[str, dict[str, Any]]]]:
    """Run an inner plan in an engine off the main thread, as a station does."""

    def run_one(plan: Any) -> list[tuple[str, dict[str, Any]]]:
        documents: list[tuple[str, dict[str, Any]]] = []
        failures: list[Exception] = []

        def work() -> None:
            engine = RunEngine({}, context_managers=[])
            engine.subscribe(lambda name, document: documents.append((name, document)))
            try:
                engine(run_wrapper(plan))
            except Exception as error:  # noqa: BLE001 - handed to the test
                failures.append(error)

        thread = threading.Thread(target=work)
        thread.start()
        thread.join()
        if failures:
            raise failures[0]
        return documents

    return run_one
