"""Runs as tables with units, made from their documents. Pure; imports nothing heavy.

`orchestrator.station.journal` writes the documents, `orchestrator.archive.catalog` keeps the
same runs in Tiled; both give a `RunRecord`.
"""

from __future__ import annotations

import os
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from orchestrator.records import Document
from orchestrator.station.journal import read_documents

TAIL = 65536
"""Bytes at the end of a journal file in which its last document is looked for."""


@dataclass(frozen=True, slots=True)
class Table:
    """The events of one stream: a column of values for each signal, with its unit.

    ``columns`` begins with ``time`` (Unix time of the event, in s). A signal without a
    unit (a text) has the unit ``""``.
    """

    columns: Mapping[str, list[Any]]
    units: Mapping[str, str]

    @property
    def rows(self) -> int:
        """How many events there are."""
        return len(self.columns["time"])


@dataclass(frozen=True, slots=True)
class RunRecord:
    """One run: its start and stop document, and a table for each stream."""

    start: Mapping[str, Any]
    stop: Mapping[str, Any]
    streams: Mapping[str, Table] = field(default_factory=dict)

    @property
    def uid(self) -> str:
        """The uid of the run."""
        return str(self.start["uid"])


def units_of(data_keys: Mapping[str, Mapping[str, Any]]) -> dict[str, str]:
    """Return the unit of each column of a stream from its event descriptor."""
    units = {name: str(key.get("units") or "") for name, key in data_keys.items()}
    return {"time": "s", **units}


def record_of(documents: Iterable[Document]) -> RunRecord:
    """Return the record of one run from its documents, whole or broken off.

    Examples
    --------
    >>> keys = {"volt": {"source": "", "dtype": "number", "shape": [], "units": "V"}}
    >>> record = record_of([
    ...     ("start", {"uid": "u1", "time": 1.0}),
    ...     ("descriptor", {"uid": "d1", "name": "primary", "data_keys": keys}),
    ...     ("event", {"descriptor": "d1", "time": 2.0, "data": {"volt": 0.5}}),
    ... ])
    >>> record.streams["primary"]
    Table(columns={'time': [2.0], 'volt': [0.5]}, units={'time': 's', 'volt': 'V'})
    """
    start: dict[str, Any] = {}
    stop: dict[str, Any] = {}
    names: dict[str, str] = {}
    units: dict[str, dict[str, str]] = {}
    columns: dict[str, dict[str, list[Any]]] = {}
    for name, document in documents:
        if name == "start":
            start = document
        elif name == "stop":
            stop = document
        elif name == "descriptor":
            stream = names[document["uid"]] = document["name"]
            units.setdefault(stream, {}).update(units_of(document["data_keys"]))
            columns.setdefault(stream, {key: [] for key in units[stream]})
        elif name == "event":
            table = columns[names[document["descriptor"]]]
            for key, values in table.items():
                values.append(
                    document["time"] if key == "time" else document["data"].get(key)
                )
    return RunRecord(
        start=start,
        stop=stop,
        streams={name: Table(columns[name], units[name]) for name in columns},
    )


def journal_directory(data: Path) -> Path:
    """Return where the station of a data directory journals its documents."""
    return data / "station" / "journal"


def is_complete(path: Path) -> bool:
    """Return whether a journal file ends in the stop document of its run."""
    with path.open("rb") as file:
        file.seek(max(0, path.stat().st_size - TAIL))
        lines = file.read().splitlines(keepends=True)
    return (
        bool(lines) and lines[-1].endswith(b"\n") and lines[-1].startswith(b'["stop"')
    )


def complete_runs(data: Path, known: Iterable[str] = ()) -> list[str]:
    """Return the uids of the journaled runs that have ended, oldest first.

    Those in ``known`` are left out without a look at their files.
    """
    folder = journal_directory(data)
    # Names first: there may be tens of thousands, and this is asked twice a second.
    names = {name for name in _names(folder) if name.endswith(".jsonl")}
    names -= {f"{uid}.jsonl" for uid in known}
    complete = [path for path in map(folder.joinpath, names) if is_complete(path)]
    return [path.stem for path in sorted(complete, key=lambda p: p.stat().st_mtime_ns)]


def _names(folder: Path) -> list[str]:
    """Return the names of what is in a folder that may not be there yet."""
    return [one.name for one in os.scandir(folder)] if folder.is_dir() else []


def journaled_run(data: Path, uid: str) -> RunRecord:
    """Return a run from the journal, without the catalog.

    Raises
    ------
    FileNotFoundError
        When no run of that uid was journaled.
    """
    return record_of(read_documents(journal_directory(data), uid))
