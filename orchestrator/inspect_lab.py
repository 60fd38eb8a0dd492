"""Look at a lab without a campaign: who answers on each port, or hold a bench open."""

from __future__ import annotations

import subprocess
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path

from orchestrator import processes, units
from orchestrator.config.read_lab import load_lab
from orchestrator.errors import Refused
from orchestrator.simulated_bench import bench_command


def identities(path: Path, folder: Path) -> Iterator[tuple[str, str, str, str, str]]:
    """Yield a row for each instrument: name, driver, port, who answers, readings.

    Parameters
    ----------
    path:
        The lab file.
    folder:
        An empty directory, for the simulated bench of a lab that has one.

    Raises
    ------
    Refused
        Naming each instrument that does not answer, or is not what the file says.
    """
    from orchestrator.station.open_lab import OpenLab

    lab = load_lab(path)
    ports = Path("/")
    with ExitStack() as stack:
        if lab.bench is not None:
            ports = folder
            child = processes.start(
                *("bench", bench_command(lab, folder), folder, {}),
            )
            stack.callback(child.end)
            child.line_with("ready", 60.0)
        opened = stack.enter_context(OpenLab(lab, folder, ports))
        for name, identity in sorted(opened.connect().items()):
            device = opened.devices[name]
            entry = lab.instruments[name]
            who = f"{identity.maker} {identity.model} {identity.firmware}".strip()
            units = sorted(
                {
                    _reading(key.removeprefix(name + "_"), about.get("units") or "")
                    for key, about in device.describe().items()
                }
            )
            yield name, entry.driver, entry.port, who, ", ".join(units)


def _reading(name: str, unit: str) -> str:
    shown = units.pretty(unit)
    return f"{name} ({shown})" if shown else name


def hold_bench(path: Path, directory: Path, speed: float, seed: int) -> None:
    """Run the bench of a simulated lab in the foreground until it is interrupted."""
    lab = load_lab(path)
    if lab.bench is None:
        raise Refused(
            f"{path}: a real lab (no line `bench`): there is nothing to simulate"
        )
    directory.mkdir(parents=True, exist_ok=True)
    command = bench_command(lab, directory, speed=speed, seed=seed)
    process = subprocess.Popen(command)
    try:
        process.wait()
    except KeyboardInterrupt:
        process.terminate()
        process.wait()
