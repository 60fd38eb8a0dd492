"""Run the station service: ``python -m orchestrator.station --lab LAB.yaml ...``.

The first line on standard output is JSON: ``{"ready": address}`` once every instrument
has been identified and prepared, or ``{"refused": message}`` and exit code 2.
"""

from __future__ import annotations

import argparse
import json
import logging
import os
import socket
import sys
import threading
from contextlib import ExitStack
from pathlib import Path
from types import FrameType

import uvicorn

from instruments.errors import InstrumentError
from orchestrator.config.read_lab import load_lab
from orchestrator.errors import PolyloopError
from orchestrator.logs import Foreseen
from orchestrator.processes import die_with_parent
from orchestrator.station.announce import announced
from orchestrator.station.engine import Halted
from orchestrator.station.open_lab import OpenLab
from orchestrator.station.service import make_app


class Server(uvicorn.Server):
    """Makes the instruments safe as soon as it is told to end, before anything else."""

    def __init__(self, config: uvicorn.Config, lab: OpenLab) -> None:
        super().__init__(config)
        self._lab = lab

    def handle_exit(self, sig: int, frame: FrameType | None) -> None:
        """Stop everything in a thread: a signal handler must not wait."""
        threading.Thread(target=self._lab.halt, args=("the service ends",)).start()
        super().handle_exit(sig, frame)


def main() -> int:
    """Open the lab, say where, and serve it until told to end."""
    parser = argparse.ArgumentParser(prog="python -m orchestrator.station")
    parser.add_argument("--lab", type=Path, required=True)
    parser.add_argument("--data", type=Path, required=True)
    parser.add_argument("--ports", type=Path, required=True)
    parser.add_argument("--speed", type=float, default=1.0)
    parser.add_argument("--port", type=int, default=0)
    options = parser.parse_args()
    die_with_parent()
    logging.basicConfig(
        level=logging.INFO, format="%(asctime)s %(levelname)s %(name)s: %(message)s"
    )
    for handler in logging.getLogger().handlers:  # the run engine tells every failure
        handler.addFilter(Foreseen(InstrumentError, Halted, PolyloopError))
    key = os.environ["POLYLOOP_STATION_KEY"]
    try:
        lab = load_lab(options.lab)
        with (
            ExitStack() as stack,
            OpenLab(lab, options.data, options.ports, options.speed) as opened,
        ):
            opened.connect()
            opened.reconcile()
            opened.prepare()
            listener = socket.create_server(("127.0.0.1", options.port))
            address = f"http://127.0.0.1:{listener.getsockname()[1]}"
            stack.enter_context(announced(options.data, address, key))
            _say({"ready": address})
            config = uvicorn.Config(
                make_app(opened, key),
                log_level="warning",
                access_log=False,
                timeout_graceful_shutdown=1,
            )
            Server(config, opened).run(sockets=[listener])
    except PolyloopError as error:
        _say({"refused": str(error)})
        return error.exit_code
    return 0


def _say(message: dict[str, str]) -> None:
    sys.stdout.write(json.dumps(message) + "\n")
    sys.stdout.flush()


if __name__ == "__main__":
    sys.exit(main())
