"""What was recorded on a cable is a test of its driver: the same calls, the same bytes.

A file that ``polyloop devices LAB.yaml --capture tests/wire/captured/NAME.txt`` wrote on
hardware is played here for good.
"""

from __future__ import annotations

import subprocess
import sys
from dataclasses import asdict
from pathlib import Path

import pytest

from instruments.clock import Clock
from orchestrator.lab import driver
from tests.instruments.peer import Peer
from tests.transcripts import WIRE, facts, read

ROOT = Path(__file__).parents[2]
LAB = ROOT / "lab_configs" / "sim_bench" / "lab.yaml"


def check(path: Path) -> list[str]:
    """Play a captured file to its drivers; return what was played."""
    sections, about = read(path), facts(path)
    for name, lines in sections.items():
        made = driver(about[name]["driver"])
        settings = made.Settings(**about[name]["settings"])
        with Peer.playing(lines) as peer:
            device = made(name, port=peer.path, settings=settings, clock=Clock(1.0))
            try:
                identity = device.connect()
                survey = device.survey()
            finally:
                device.link.close()
            assert peer.wrong == ""
            assert peer.left == []
        assert asdict(identity) == about[name]["identity"], name
        assert survey == about[name]["survey"], name
    return list(sections)


@pytest.mark.parametrize("path", sorted((WIRE / "captured").glob("*.txt")))
def test_a_captured_file_is_said_again(path: Path) -> None:
    check(path)


@pytest.mark.slow
def test_what_is_captured_serves_as_the_test_of_each_driver(tmp_path: Path) -> None:
    path = tmp_path / "captured.txt"
    command = [sys.executable, "-m", "orchestrator.cli", "devices", str(LAB)]
    done = subprocess.run(
        [*command, "--capture", str(path)],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
        timeout=50.0,
    )
    assert done.returncode == 0, done.stderr
    played = check(path)
    assert {"gantry", "pump", "spin_coater", "anneal_plate", "source_meter"} <= {
        *played
    }

    # A driver that asks anything else does not pass.
    broken = path.read_text().replace("IN_NAME", "IN_NOME")
    path.write_text(broken)
    with pytest.raises(Exception, match="IN_NAME"):
        check(path)
