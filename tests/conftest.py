"""One fixture gives a whole simulated lab on pseudo-terminals, faster than life."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from hypothesis import settings

# New examples are for people to find; CI tries the same ones every time.
# How long one takes says more of the machine than of the code.
settings.register_profile("here", deadline=None)
settings.register_profile("ci", deadline=None, derandomize=True)
settings.load_profile("ci" if os.environ.get("CI") else "here")

HOUSE = Path(__file__).parents[1]
SIM_BENCH = HOUSE / "lab_configs" / "sim_bench" / "bench.yaml"


@dataclass(frozen=True)
class RunningBench:
    """A bench in a process of its own."""

    directory: Path
    process: subprocess.Popen[str]

    def port(self, name: str) -> str:
        """Return the path of an instrument's port."""
        return str(self.directory / "ports" / name)

    def journal(self, name: str) -> list[dict[str, Any]]:
        """Return an instrument's physical events so far."""
        path = self.directory / "journal" / f"{name}.jsonl"
        if not path.exists():
            return []
        return [json.loads(line) for line in path.read_text("utf-8").splitlines()]

    def truth(self) -> list[dict[str, Any]]:
        """Return the truth about the samples so far."""
        path = self.directory / "truth" / "samples.jsonl"
        if not path.exists():
            return []
        return [json.loads(line) for line in path.read_text("utf-8").splitlines()]

    def stop(self) -> None:
        """Switch the bench off."""
        self.process.terminate()
        self.process.wait(timeout=60)
        if self.process.stdout is not None:
            self.process.stdout.close()


@pytest.fixture
def start_bench(tmp_path: Path) -> Iterator[Callable[..., RunningBench]]:
    """Start benches: ``start_bench(speed=200, seed=0, spec=path)``."""
    running: list[RunningBench] = []

    def start(
        *, speed: float = 200.0, seed: int = 0, spec: Path = SIM_BENCH
    ) -> RunningBench:
        directory = tmp_path / f"bench{len(running)}"
        command = [sys.executable, "-m", "sims", str(spec), "--dir", str(directory)]
        command += ["--speed", str(speed), "--seed", str(seed)]
        process = subprocess.Popen(
            command,
            stdout=subprocess.PIPE,
            text=True,
            cwd=HOUSE,
        )
        bench = RunningBench(directory, process)
        running.append(bench)
        assert process.stdout is not None
        for line in process.stdout:
            if line == "ready\n":
                return bench
        raise AssertionError(f"the bench ended with {process.wait()}")

    yield start
    for bench in running:
        bench.stop()


@pytest.fixture
def bench(
    request: pytest.FixtureRequest, start_bench: Callable[..., RunningBench]
) -> RunningBench:
    """Run the bench of ``lab_configs/sim_bench``, 200 times as fast as life.

    Another speed: ``@pytest.mark.parametrize("bench", [1.0], indirect=True)``.
    """
    return start_bench(speed=getattr(request, "param", 200.0))
