"""Look at a lab without a campaign: who answers on each port, or hold a bench open."""

from __future__ import annotations

import json
import subprocess
from collections.abc import Iterator, Mapping
from contextlib import ExitStack
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Any

from orchestrator import processes, units
from orchestrator.config.read_lab import load_lab
from orchestrator.errors import Refused
from orchestrator.simulated_bench import bench_command

if TYPE_CHECKING:
    from instruments.transcript import Transcript
    from orchestrator.station.open_lab import OpenLab


def identities(
    path: Path, folder: Path, capture: Path | None = None
) -> Iterator[tuple[str, str, str, str, str]]:
    """Yield a row for each instrument: name, driver, port, who answers, readings.

    Parameters
    ----------
    path:
        The lab file.
    folder:
        An empty directory, for the simulated bench of a lab that has one.
    capture:
        Where to write down every byte that is said: the transcript serves as the test
        of each driver.

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
        if capture is not None:
            heard, surveyed = _listen(opened.devices), dict[str, Any]()
            stack.callback(_write_down, opened, heard, surveyed, capture)
        for name, identity in sorted(opened.connect().items()):
            device = opened.devices[name]
            if capture is not None:
                surveyed[name] = device.survey()
            entry = lab.instruments[name]
            who = f"{identity.maker} {identity.model} {identity.firmware}".strip()
            units = sorted(
                {
                    _reading(key.removeprefix(name + "_"), about.get("units") or "")
                    for key, about in device.describe().items()
                }
            )
            yield name, entry.driver, entry.port, who, ", ".join(units)


def _listen(devices: Mapping[str, Any]) -> dict[str, Transcript]:
    """Listen on the link of every instrument that has one."""
    from instruments.transcript import Transcript

    heard = {name: Transcript() for name in devices}
    for name, device in devices.items():
        device.link.witness = heard[name].hear
    return heard


def _write_down(
    opened: OpenLab,
    heard: Mapping[str, Transcript],
    surveyed: Mapping[str, Any],
    path: Path,
) -> None:
    """Write what each instrument was asked when it was connected and surveyed.

    An instrument without a cable, as a folder that files are dropped in, says nothing.
    """
    lines = [
        "# Recorded with `polyloop devices --capture`: connect and survey of each driver.",
        "# tests/instruments/test_captured.py plays every file in tests/wire/captured.",
    ]
    for name, identity in sorted(opened.identities.items()):
        said = list(heard[name].lines())
        if not said:
            continue
        device, entry = opened.devices[name], opened.lab.instruments[name]
        facts = {
            "driver": entry.driver,
            "settings": asdict(device.settings),
            "identity": asdict(identity),
            "survey": surveyed.get(name, {}),
        }
        about = (f"# {key}: {json.dumps(value)}" for key, value in facts.items())
        lines += ["", f"## {name}", *about, *said]
    path.write_text("\n".join(lines) + "\n", "ascii")


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
