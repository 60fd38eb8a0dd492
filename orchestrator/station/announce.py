"""Where the station service of a data directory is, for whoever may read its key."""

from __future__ import annotations

import json
import os
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

PATIENCE = 3.0
"""Real seconds for the answer to an emergency stop."""


@contextmanager
def announced(data: Path, address: str, key: str) -> Iterator[None]:
    """Keep ``station/service.json`` while the service runs; only its owner reads it."""
    path = _path(data)
    path.parent.mkdir(parents=True, exist_ok=True)
    path.unlink(missing_ok=True)
    handle = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    with os.fdopen(handle, "w", encoding="utf-8") as file:
        json.dump({"address": address, "key": key, "pid": os.getpid()}, file)
    try:
        yield
    finally:
        path.unlink(missing_ok=True)


def service_of(data: Path) -> dict[str, Any] | None:
    """Return address, key and pid of the running service, None where none runs."""
    try:
        found: dict[str, Any] = json.loads(_path(data).read_text("utf-8"))
        os.kill(found["pid"], 0)
    except (FileNotFoundError, ValueError, ProcessLookupError):
        return None
    return found


def stop_everything(address: str, key: str, who: str, via: str) -> None:
    """Ask a service for an emergency stop, without what takes long to import.

    `StationClient` does all the rest; its libraries cost half of the second in which
    every instrument has to be safe.

    Raises
    ------
    OSError
        When it does not answer within `PATIENCE`, or refuses.
    """
    request = urllib.request.Request(  # noqa: S310 - our own service's address
        f"{address}/estop",
        data=json.dumps({"who": who, "via": via}).encode(),
        headers={"X-Polyloop-Key": key, "Content-Type": "application/json"},
    )
    direct = urllib.request.build_opener(urllib.request.ProxyHandler({}))
    direct.open(request, timeout=PATIENCE).close()


def _path(data: Path) -> Path:
    return data / "station" / "service.json"
