"""The page on how to add an instrument, done to the letter in a copy of the repository."""

from __future__ import annotations

import os
import re
import shlex
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
PAGE = ROOT / "docs" / "add_an_instrument.md"
BLOCK = re.compile(r"(?:^`(?P<path>[\w/.]+)`:\n\n)?^```(?P<kind>\w+)\n(?P<text>.*?)^```", re.MULTILINE | re.DOTALL)  # fmt: skip
COPIED = ("instruments", "sims", "orchestrator", "planners", "lab_configs", "tests")
PROGRAMS = {
    "polyloop": [sys.executable, "-m", "orchestrator.cli"],
    "python": [sys.executable],
}


def obey(line: str, house: Path) -> str:
    """Run a command of the page as a reader would; return what it printed."""
    program, *words = shlex.split(line.removeprefix("$ "))
    done = subprocess.run(
        [*PROGRAMS.get(program, [program]), *words],
        cwd=house,
        env=os.environ | {"PYTHONPATH": str(house), "COLUMNS": "120"},
        capture_output=True,
        text=True,
        check=False,
        timeout=60.0,
    )
    assert done.returncode == 0, f"{line}\n{done.stdout}{done.stderr}"
    return done.stdout


@pytest.mark.slow
@pytest.mark.timeout(240)
def test_the_page_can_be_followed_to_the_letter(tmp_path: Path) -> None:
    for name in COPIED:
        shutil.copytree(
            ROOT / name, tmp_path / name, ignore=shutil.ignore_patterns("__pycache__")
        )
    shutil.copy(ROOT / "pyproject.toml", tmp_path)
    printed = {}
    for found in BLOCK.finditer(PAGE.read_text("utf-8")):
        path, kind, text = found.group("path", "kind", "text")
        if path:
            file = tmp_path / path
            assert not file.exists()
            file.parent.mkdir(parents=True, exist_ok=True)
            file.write_text(text)
        elif kind == "console":
            for line in text.splitlines():
                printed[line] = obey(line, tmp_path)
    said = "\n".join(printed.values())
    assert "Omega iTHX-SD" in said
    readings = " ".join(said.split())
    assert "humidity (" in readings
    assert "temperature (°C)" in readings
    tested = [text for line, text in printed.items() if "pytest" in line]
    assert [re.findall(r"\d+ passed", text) for text in tested] == [
        ["2 passed"],
        ["2 passed"],
        ["1 passed"],
    ]
