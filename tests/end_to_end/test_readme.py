"""Every command of the README does what the README says."""

from __future__ import annotations

import math
import re
import shlex
import shutil
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from tests.end_to_end.launched import ROOT, SPEED, Launched, polyloop
from tests.orchestrator.test_propose import block

README = (ROOT / "README.md").read_text()
COMMANDS = re.findall(r"^\| `polyloop ([^`]+)` \|", README, re.MULTILINE)

pytestmark = pytest.mark.timeout(300)


def test_the_readme_names_every_command_that_there_is() -> None:
    from orchestrator.cli import app

    names = {one.callback.__name__ for one in app.registered_commands if one.callback}
    assert {shlex.split(one)[0] for one in COMMANDS} == names


@pytest.mark.parametrize("target", re.findall(r"^\$ make (\w+)", README, re.MULTILINE))
def test_the_readme_s_targets_exist(target: str) -> None:
    plan = subprocess.run(
        ["make", "--dry-run", target],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=True,
    )
    assert {"run": "polyloop run lab_configs/pedot_pss", "test": "pytest"}[
        target
    ] in plan.stdout


def test_every_path_in_the_readme_exists() -> None:
    for path in re.findall(r"`((?:\w+/)+[\w.]*)`", README):
        if not path.startswith(("station/", "tiled/", "reports/", "logs/", "bench/")):
            assert (ROOT / path).exists(), path


@pytest.fixture(scope="module")
def ran(tmp_path_factory: pytest.TempPathFactory) -> Launched:
    """Return what ``polyloop run`` of the README left behind, with one trial."""
    data = tmp_path_factory.mktemp("readme") / "data"
    (command,) = (one for one in COMMANDS if one.startswith("run "))
    options = ("--trials", "1", "--speed", SPEED, "--no-ui", "--data", data)
    one = Launched(data, *shlex.split(command), *options)
    try:
        assert one.wait(280.0) == 0, one.output.read_text()
    finally:
        one.kill()
    return one


@pytest.mark.slow
@pytest.mark.parametrize("command", COMMANDS)
def test_a_command_of_the_readme_works(
    command: str, ran: Launched, tmp_path: Path
) -> None:
    words = shlex.split(command.replace("ID", ran.id))
    if words[0] == "run":
        assert "Traceback" not in ran.output.read_text()
        assert ran.progress.good
        return
    if words[0] == "sim":
        assert held_open(words, tmp_path)
        return
    data = ran.data
    if words[0] == "export":
        words[words.index("--to") + 1] = str(tmp_path / "film.xlsx")
    if words[0] == "analyse":
        words[1] = str(spectrum(tmp_path / "spectrum.csv"))
    if words[0] == "propose":
        for place, kind in ((1, "yaml"), (2, "csv")):
            file = tmp_path / words[place]
            file.write_text(block(kind))
            words[place] = str(file)
    if words[0] not in ("check", "devices", "analyse", "propose"):
        words += ["--data", str(data)]
    if words[0] == "clear":
        assert polyloop("estop", "--data", data).returncode == 0
    answer = polyloop(*words)
    if words[0] == "estop":
        assert polyloop("clear", "--data", data).returncode == 0
    assert "Traceback" not in answer.stdout + answer.stderr
    # A campaign that has reached its end is not resumed, and nothing can be asked of it.
    refused = words[0] in ("resume", "pause", "drain", "discard", "answer", "suggest")
    assert answer.returncode == (2 if refused else 0), answer.stderr


def spectrum(path: Path) -> Path:
    """Write what an analyser says of 1 kohm beside 1 nF, before two blocking electrodes."""
    rows = ["frequency,real,imaginary"]
    for step in range(46):
        frequency = 10 ** (6 - step / 9)
        turns = 2j * math.pi * frequency
        z = 1 / (1e-3 + 1e-9 * turns) + 1 / (1e-6 * turns**0.8)
        rows.append(f"{frequency},{z.real},{z.imag}")
    path.write_text("\n".join(rows) + "\n")
    return path


def held_open(words: list[str], folder: Path) -> bool:
    """Start ``polyloop sim``, see its ports, and end it with Ctrl-C."""
    process = subprocess.Popen(
        [sys.executable, "-m", "orchestrator.cli", *words, "--dir", str(folder / "b")],
        cwd=ROOT,
        stdout=subprocess.PIPE,
        text=True,
    )
    assert process.stdout is not None
    lines = iter(process.stdout.readline, "ready\n")
    ports = [line.split()[1] for line in lines]
    there = bool(ports) and all(Path(port).exists() for port in ports)
    process.send_signal(signal.SIGINT)
    process.wait(10)
    process.stdout.close()
    shutil.rmtree(folder / "b")
    return there
