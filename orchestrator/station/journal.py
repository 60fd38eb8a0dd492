"""The documents of every run, on disk before anything else is done with them.

One file a run, ``<uid>.jsonl``, one document a line: ``["start", {...}]``. This is the
truth; the catalog is filled from it in the background. A run is complete when its
``stop`` document is there; start and stop are synced to disk.
"""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import IO, Any

from orchestrator.records import Document


class Journal:
    """Write the documents of one run engine; one run at a time."""

    def __init__(self, directory: Path) -> None:
        directory.mkdir(parents=True, exist_ok=True)
        self.directory = directory
        self._file: IO[str] | None = None
        self.run_uid = ""
        self.events = 0

    def write(self, name: str, document: dict[str, Any]) -> None:
        """Append one document; a run engine calls this for each it emits."""
        if name == "start":
            self.run_uid, self.events = document["uid"], 0
            self._file = (self.directory / f"{self.run_uid}.jsonl").open("x")
        if self._file is None:
            return
        if name == "event":
            self.events += 1
        self._file.write(json.dumps([name, document], default=_plain) + "\n")
        self._file.flush()
        if name in ("start", "stop"):
            os.fsync(self._file.fileno())
        if name == "stop":
            self._file.close()
            self._file = None


def read_documents(directory: Path, uid: str) -> list[Document]:
    """Return the documents of one run; an unfinished last line is left out.

    Raises
    ------
    FileNotFoundError
        When no run of that uid was recorded.
    """
    documents: list[Document] = []
    with (directory / f"{uid}.jsonl").open() as file:
        for line in file:
            if line.endswith("\n"):
                name, document = json.loads(line)
                documents.append((name, document))
    return documents


def _plain(value: object) -> object:
    """Return numpy values as plain ones."""
    for method in ("tolist", "item"):
        convert = getattr(value, method, None)
        if convert is not None:
            return convert()
    return str(value)
