"""The catalog of runs: Tiled, embedded in the data directory or a server elsewhere.

Embedded, everything is under ``<data>/tiled``: ``catalog.db`` (what there is),
``readings.db`` (the tables) and ``data`` (arrays), both databases SQLite. One process at a
time opens them and holds ``lock``; it serves them on loopback, and others find its
address and key in ``address.txt``, which only the owner of the files may read. The
catalog can always be made again from the station's journal.

Context: Tiled keeps tables in DuckDB by default, which no second process may open even
to read. Decision: SQLite, and one code path for writing and reading, HTTP, whether the
server is ours or not. Consequence: a notebook reads while the uploader writes.
"""

from __future__ import annotations

import contextlib
import fcntl
import os
import secrets
import subprocess
import sys
import threading
import time
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

from orchestrator.archive.documents import RunRecord, Table, units_of
from orchestrator.errors import PolyloopError
from orchestrator.records import Document

os.environ.setdefault("DO_NOT_TRACK", "1")

KEY_VARIABLE = "TILED_API_KEY"
"""Environment variable with the key of a Tiled server elsewhere."""


class CatalogUnavailable(PolyloopError):
    """The catalog cannot be reached now; the journal still has everything."""


class Catalog:
    """Runs by uid, in Tiled."""

    def __init__(self, client: Any, *, ours: bool) -> None:
        self._client = client
        self.ours = ours
        """Whether this process may write; one at a time does."""

    def complete(self) -> set[str]:
        """Return the uids of all runs that are in the catalog with their stop."""
        return {
            uid
            for uid, run in self._client.items()
            if (run.metadata.get("stop") or {}).get("run_start")
        }

    def write(self, documents: Iterable[Document]) -> None:
        """Write a whole run; what is left of an earlier attempt is replaced.

        Writing a run that is there already changes nothing.
        """
        from bluesky_tiled_plugins import TiledWriter

        documents = list(documents)
        uid = documents[0][1]["uid"]
        if uid in self._client:
            if self._client[uid].metadata.get("stop"):
                return
            # Tiled answers 409 to a second start document of the same run.
            self._client.delete_contents(uid, recursive=True, external_only=False)
        # Arrays go to files: SQLite has no column for a list.
        writer = TiledWriter(self._client, max_array_size=0)
        for name, document in documents:
            writer(name, document)

    def read(self, uid: str) -> RunRecord:
        """Return one run.

        Raises
        ------
        KeyError
            When the catalog has no run of that uid.
        """
        run = self._client[uid]
        return RunRecord(
            start=dict(run.metadata["start"]),
            stop=dict(run.metadata.get("stop") or {}),
            streams={name: _table(stream.base) for name, stream in run.items()},
        )


def _table(stream: Any) -> Table:
    """Return the events of one stream, in the order of its event descriptor."""
    units = units_of(stream.metadata["data_keys"])
    parts = dict(stream.items())
    columns: dict[str, list[Any]] = {"time": []}
    if "internal" in parts:
        events = parts.pop("internal").read().sort_values("seq_num")
        columns |= {key: events[key].tolist() for key in units if key in events}
    for key, part in parts.items():
        columns[key] = part.read().tolist()
    return Table({key: columns.get(key, []) for key in units}, units)


@contextlib.contextmanager
def open_catalog(data: Path, url: str = "") -> Iterator[Catalog]:
    """Open the catalog of a data directory, or the Tiled server at ``url``.

    Once a server elsewhere was named, the data directory remembers it.

    Raises
    ------
    CatalogUnavailable
        When the server does not answer, or another process is opening the catalog.
    """
    folder = data.resolve() / "tiled"
    folder.mkdir(parents=True, exist_ok=True)
    elsewhere = folder / "remote.txt"
    if url:
        _write_private(elsewhere, url)
    elif elsewhere.exists():
        url = elsewhere.read_text().strip()
    with (folder / "lock").open("w") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
            ours = True
        except BlockingIOError:
            ours = False
        with contextlib.ExitStack() as stack:
            key = os.environ.get(KEY_VARIABLE) if url else None
            if not url and ours:
                url = stack.enter_context(_serve(folder))
            elif not url:
                url = _address_of_owner(folder / "address.txt")
            yield Catalog(stack.enter_context(_connect(url, key)), ours=ours)


def _address_of_owner(path: Path, patience: float = 30.0) -> str:
    """Return where the process that holds the lock serves; it may be starting."""
    deadline, pause = time.monotonic() + patience, threading.Event()
    while time.monotonic() < deadline:
        if path.exists() and (address := path.read_text().strip()):
            return address
        pause.wait(0.1)
    raise CatalogUnavailable(
        f"{path.parent}: another process has the catalog open but wrote no address "
        f"to {path.name} within {patience:g} s"
    )


@contextlib.contextmanager
def _connect(address: str, key: str | None = None) -> Iterator[Any]:
    """Yield a Tiled client; its connections are closed in the end."""
    import httpx
    from tiled.client import from_uri

    try:
        client = from_uri(address, api_key=key) if key else from_uri(address)
    except (httpx.TransportError, httpx.HTTPStatusError) as error:
        shown = address.partition("?")[0]
        raise CatalogUnavailable(f"{shown}: no answer from Tiled: {error}") from error
    try:
        yield client
    finally:
        client.context.close()


@contextlib.contextmanager
def _serve(folder: Path) -> Iterator[str]:
    """Serve the embedded catalog on a free port of loopback; yield its address."""
    import uvicorn
    from tiled.catalog import from_uri as catalog_from_uri
    from tiled.config import Authentication
    from tiled.server.app import build_app
    from tiled.server.simple import ThreadedServer

    (folder / "data").mkdir(exist_ok=True)
    database, address = folder / "catalog.db", folder / "address.txt"
    address.unlink(missing_ok=True)
    if not database.exists():
        _make_database(database)
    tree = catalog_from_uri(
        database,
        writable_storage=[folder / "data", f"sqlite:///{folder / 'readings.db'}"],
    )
    key = secrets.token_hex(32)
    app = build_app(tree, authentication=Authentication(single_user_api_key=key))
    server = ThreadedServer(
        uvicorn.Config(app, host="127.0.0.1", port=0, log_config=None, access_log=False)
    )
    with server.run_in_thread() as root:
        uri = f"{root}/api/v1?api_key={key}"
        _write_private(address, uri)
        try:
            yield uri
        finally:
            address.unlink(missing_ok=True)


def _make_database(path: Path) -> None:
    """Make an empty catalog; it gets its name only when it is whole."""
    part = path.with_suffix(".part")
    part.unlink(missing_ok=True)
    command = [sys.executable, "-m", "tiled", "catalog", "init", f"sqlite:///{part}"]
    made = subprocess.run(command, capture_output=True, text=True, check=False)
    if made.returncode != 0:
        why = made.stderr.strip().splitlines()[-1:] or [f"exit {made.returncode}"]
        raise CatalogUnavailable(f"{path}: the catalog cannot be made: {why[0]}")
    part.replace(path)


def _write_private(path: Path, line: str) -> None:
    """Write a line to a file that nobody else may read; it appears whole."""
    part = path.with_suffix(".part")
    part.unlink(missing_ok=True)
    descriptor = os.open(part, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    with os.fdopen(descriptor, "w") as file:
        file.write(line + "\n")
    part.replace(path)
