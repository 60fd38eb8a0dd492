"""A process whose parent dies while it still imports ends all the same."""

from __future__ import annotations

import os
import signal
import subprocess
import sys

CHILD = """
import signal, time
time.sleep(0.5)  # the parent has gone meanwhile
from orchestrator.processes import die_with_parent
die_with_parent()
time.sleep(30.0)
"""
PARENT = f"""
import os, pathlib, sys
from orchestrator.processes import start
child = start("child", [sys.executable, "-c", {CHILD!r}], pathlib.Path(sys.argv[1]), {{}})
print(child.process.pid, flush=True)
os._exit(0)
"""


def test_an_orphan_from_before_its_first_line_ends(tmp_path: object) -> None:
    done = subprocess.run(
        [sys.executable, "-c", PARENT, str(tmp_path)],
        capture_output=True,
        text=True,
        check=True,
        timeout=30.0,
    )
    pid = int(done.stdout)
    for _ in range(100):
        try:
            os.kill(pid, 0)
        except ProcessLookupError:
            return
        subprocess.run(["sleep", "0.1"], check=True)
    os.kill(pid, signal.SIGKILL)
    raise AssertionError("the orphan lived on")
