"""A process that polyloop needs is started again when it ends by itself."""

from __future__ import annotations

import itertools
import os
import signal
import sys
import time
from pathlib import Path

from orchestrator.processes import Child, Kept, start


def sleeper(logs: Path) -> Child:
    return start(
        "sleeper", [sys.executable, "-c", "import time; time.sleep(60)"], logs, {}
    )


def test_a_killed_process_is_started_again_and_a_living_one_is_left_alone(
    tmp_path: Path,
) -> None:
    kept = Kept(lambda: sleeper(tmp_path), pause=0.0)
    try:
        assert not kept.tend()
        first = kept.child.process.pid
        os.kill(first, signal.SIGKILL)
        kept.child.process.wait()
        assert kept.tend()
        assert kept.child.process.pid != first
        assert not kept.tend()
        assert kept.restarts == 1
    finally:
        kept.end()
    assert kept.child.process.poll() is not None


def test_a_process_that_cannot_live_is_started_ever_more_rarely(tmp_path: Path) -> None:
    starts: list[float] = []

    def stillborn() -> Child:
        starts.append(time.monotonic())
        child = start("stillborn", ["false"], tmp_path, {})
        child.process.wait()
        return child

    kept = Kept(stillborn, pause=0.02, longest=0.08)
    while kept.restarts < 4:
        kept.tend()
    pauses = [later - sooner for sooner, later in itertools.pairwise(starts)]
    # Never sooner than its pause; how much later is up to the machine.
    assert all(
        pause >= least
        for pause, least in zip(pauses, [0.02, 0.04, 0.08, 0.08], strict=True)
    )
