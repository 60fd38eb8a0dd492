"""Run the Prefect server so that it dies with the launcher."""

from __future__ import annotations

import os
import sys

from orchestrator.processes import die_with_parent


def main() -> None:
    """Become ``prefect server start`` on loopback; arguments are passed on."""
    die_with_parent()  # survives the exec below
    command = [sys.executable, "-m", "prefect", "server", "start"]
    os.execv(sys.executable, [*command, "--host", "127.0.0.1", *sys.argv[1:]])  # noqa: S606


if __name__ == "__main__":
    main()
