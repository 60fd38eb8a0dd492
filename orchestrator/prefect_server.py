"""A Prefect server of our own, unless the user's environment names one."""

from __future__ import annotations

import contextlib
import os
import sys
import threading
import time
from contextlib import ExitStack
from pathlib import Path

import httpx

from orchestrator import processes
from orchestrator.flows.settings import environment


def serve(
    stack: ExitStack, home: Path, logs: Path, *, ui: bool
) -> tuple[str, processes.Kept | None]:
    """Keep a server that ends with ``stack``; return its API, and it if it is ours."""
    given = os.environ.get("PREFECT_API_URL")
    if given:
        return given.rstrip("/"), None
    home.mkdir(parents=True, exist_ok=True)
    port = processes.free_port()
    api = f"http://127.0.0.1:{port}/api"
    settings = environment(home, api)
    settings["PREFECT_SERVER_UI_ENABLED"] = str(ui).lower()
    settings["PREFECT_UI_API_URL"] = api
    module = "orchestrator.flows.server"
    command = [sys.executable, "-m", module, "--port", str(port)]
    server = processes.Kept(lambda: processes.start("prefect", command, logs, settings))
    stack.callback(server.end)
    return api, server


def wait_for(api: str, server: processes.Kept, timeout: float = 90.0) -> None:
    """Wait until a server answers; started again where it ends meanwhile.

    Raises
    ------
    ProcessFailed
        When ``timeout`` real seconds pass before it does.
    """
    deadline = time.monotonic() + timeout
    pause = threading.Event()
    # One client: to make one loads all certificates, which costs more than the server
    # can spare while it starts.
    with httpx.Client(timeout=2.0, trust_env=False) as client:
        while time.monotonic() < deadline:
            server.tend()
            with contextlib.suppress(httpx.HTTPError):
                if client.get(f"{api}/health").is_success:
                    return
            pause.wait(0.1)
    raise processes.ProcessFailed(
        f"the Prefect server did not start (log: {server.child.log})"
    )
