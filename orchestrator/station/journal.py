"""The documents of every run, on disk before anything else is done with them.

One file a run, ``<uid>.jsonl``, one document a line: ``["start", {...}]``. This is the
truth; the catalog is filled from it in the background. A run is complete when its
``stop`` document is there; start and stop are synced to disk. Between them stand the
marks of its plan, ``["mark", {...}]``, which are no documents: a mark that says that
something irrevocable begins is synced before it begins.
"""

from __future__ import annotations

import dataclasses
import itertools
import json
import os
from pathlib import Path
from typing import IO, Any

from instruments.plans.evidence import Mark
from orchestrator.records import Document

MARK = "mark"
LOOK_BACK = 60.0
"""Seconds before an act was sent after which its run cannot have begun."""


class Journal:
    """Write the documents of one run engine; one run at a time."""

    def __init__(self, directory: Path) -> None:
        directory.mkdir(parents=True, exist_ok=True)
        self.directory = directory
        self._file: IO[str] | None = None
        self.begin_act()

    def begin_act(self) -> None:
        """Forget the run of the act before."""
        self.run_uid, self.events = "", 0
        self.marks: list[Mark] = []

    def mark(self, mark: Mark) -> None:
        """Write a mark down; what begins is on disk when this returns."""
        self.marks.append(mark)
        self._append(MARK, dataclasses.asdict(mark), sync=mark.state == "begun")

    def write(self, name: str, document: dict[str, Any]) -> None:
        """Append one document; a run engine calls this for each it emits."""
        if name == "start":
            self.run_uid = document["uid"]
            self._file = (self.directory / f"{self.run_uid}.jsonl").open("x")
        if self._file is None:
            return
        if name == "event":
            self.events += 1
        self._append(name, document, sync=name in ("start", "stop"))
        if name == "stop":
            self._file.close()
            self._file = None

    def _append(self, name: str, content: dict[str, Any], *, sync: bool) -> None:
        if self._file is None:
            return
        self._file.write(json.dumps([name, content], default=_plain) + "\n")
        self._file.flush()
        if sync:
            os.fsync(self._file.fileno())


def read_documents(directory: Path, uid: str) -> list[Document]:
    """Return the documents of one run; an unfinished last line is left out.

    Raises
    ------
    FileNotFoundError
        When no run of that uid was recorded.
    """
    return [line for line in _lines(directory / f"{uid}.jsonl") if line[0] != MARK]


def read_marks(directory: Path, uid: str) -> list[Mark]:
    """Return the marks of one run, in order."""
    lines = _lines(directory / f"{uid}.jsonl")
    return [Mark(**content) for name, content in lines if name == MARK]


def run_of(directory: Path, action: str, sent: float) -> str:
    """Return the uid of the run that an act began, ``""`` if it began none.

    Only for acts whose end was not recorded: files are looked through, the newest
    first, back to when the act was sent (Unix seconds).
    """
    found = [(path.stat().st_mtime, path) for path in directory.glob("*.jsonl")]
    for changed, path in sorted(found, reverse=True):
        if changed < sent - LOOK_BACK:
            break
        lines = _lines(path, most=1)
        if lines and lines[0][1].get("action") == action:
            return path.stem
    return ""


def _lines(path: Path, most: int | None = None) -> list[Document]:
    """Return the first lines of a journal file; an unfinished last one is left out."""
    with path.open() as file:
        whole = (line for line in file if line.endswith("\n"))
        return [tuple(json.loads(line)) for line in itertools.islice(whole, most)]


def _plain(value: object) -> object:
    """Return numpy values as plain ones."""
    for method in ("tolist", "item"):
        convert = getattr(value, method, None)
        if convert is not None:
            return convert()
    return str(value)
