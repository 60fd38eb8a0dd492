"""Fill the catalog from the station's journal, in the background.

``python -m orchestrator.archive.uploader --data DIR [--tiled URL]``

Each run that has ended is written once, by its uid. What the catalog has is never
written again, a run that an earlier uploader left half written is replaced, and when
Tiled does not answer the runs wait in the journal. SIGTERM ends it after what is
complete was written, or after ``GRACE`` seconds: the rest is not lost, the next upload
takes it. ``<data>/tiled/uploaded.txt`` lists what the catalog has, for
who wants to know without opening it.
"""

from __future__ import annotations

import argparse
import contextlib
import logging
import math
import os
import signal
import threading
import time
from collections.abc import Iterable
from pathlib import Path

from orchestrator.archive.catalog import Catalog, CatalogUnavailable, open_catalog
from orchestrator.archive.documents import (
    RunRecord,
    complete_runs,
    journal_directory,
    journaled_run,
)
from orchestrator.processes import die_with_parent
from orchestrator.station.journal import read_documents

POLL = 0.5
"""Seconds between two looks into the journal."""

GRACE = 10.0
"""Seconds given to the upload of what is complete after SIGTERM."""

PATIENCE = 10.0
"""Seconds before Tiled is asked again after it did not answer."""

_log = logging.getLogger(__name__)


class Uploader:
    """Write complete runs of one data directory to its catalog."""

    def __init__(self, data: Path, catalog: Catalog) -> None:
        self.data = data
        self._catalog = catalog
        self._list = data / "tiled" / "uploaded.txt"
        self.uploaded = catalog.complete()
        self.refused: set[str] = set()
        self._list.write_text("".join(f"{uid}\n" for uid in sorted(self.uploaded)))

    def upload(
        self,
        *,
        deadline: float = math.inf,
        ended: threading.Event | None = None,
    ) -> int:
        """Write what is complete; return how many runs that were.

        Stops early at a ``deadline`` (monotonic, in s) or when ``ended`` is set.

        Raises
        ------
        CatalogUnavailable
            When Tiled does not answer.
        """
        import httpx
        from jsonschema import ValidationError  # type: ignore[import-untyped]

        count = 0
        for uid in complete_runs(self.data, self.uploaded | self.refused):
            if time.monotonic() > deadline or (ended and ended.is_set()):
                break
            path = journal_directory(self.data)
            try:
                self._catalog.write(read_documents(path, uid))
            except httpx.TransportError as error:
                raise CatalogUnavailable(f"Tiled does not answer: {error}") from error
            except (ValidationError, ValueError, KeyError, TypeError) as error:
                # One run that Tiled cannot take must not hold up the others.
                _log.error("%s/%s.jsonl: Tiled refused it: %s", path, uid, error)
                self.refused.add(uid)
                continue
            except httpx.HTTPStatusError as error:
                if error.response.status_code >= 500:
                    raise CatalogUnavailable(f"Tiled is in trouble: {error}") from error
                _log.error("%s/%s.jsonl: Tiled refused it: %s", path, uid, error)
                self.refused.add(uid)
                continue
            self.uploaded.add(uid)
            with self._list.open("a") as file:
                file.write(f"{uid}\n")
            count += 1
        return count


def read_runs(data: Path, uids: Iterable[str]) -> dict[str, RunRecord]:
    """Return runs by uid: from the journal, or the catalog where it has them no more.

    One that neither has is left out.
    """
    import httpx

    records: dict[str, RunRecord] = {}
    uids = list(dict.fromkeys(uids))
    for uid in uids:
        with contextlib.suppress(FileNotFoundError):
            records[uid] = journaled_run(data, uid)
    missing = [uid for uid in uids if uid not in records]
    if missing and (data / "tiled").exists():
        try:
            with open_catalog(data) as catalog:
                for uid in missing:
                    with contextlib.suppress(KeyError):
                        records[uid] = catalog.read(uid)
        except (CatalogUnavailable, httpx.HTTPError) as error:
            _log.warning("%s: %s; %d runs are left out", data, error, len(missing))
    return {uid: records[uid] for uid in uids if uid in records}


def run(data: Path, url: str, ended: threading.Event) -> None:
    """Upload until ``ended`` is set, whatever Tiled does meanwhile."""
    while not ended.is_set():
        try:
            with open_catalog(data, url) as catalog:
                if catalog.ours:
                    _upload_until(ended, Uploader(data, catalog))
                    continue
            _log.warning("%s: another uploader is at work", data)
        except CatalogUnavailable as error:
            _log.warning("%s: %s; the journal keeps the runs", data, error)
        ended.wait(PATIENCE)


def _upload_until(ended: threading.Event, uploader: Uploader) -> None:
    _log.info("catalog of %s: %d runs", uploader.data, len(uploader.uploaded))
    while not ended.wait(POLL):
        uploader.upload(ended=ended)
    uploader.upload(deadline=time.monotonic() + GRACE)
    _log.info("catalog of %s: %d runs", uploader.data, len(uploader.uploaded))


def main(arguments: list[str] | None = None) -> None:
    """Run the uploader process."""
    parser = argparse.ArgumentParser(prog="python -m orchestrator.archive.uploader")
    parser.add_argument("--data", type=Path, required=True, help="data directory")
    parser.add_argument("--tiled", default="", help="URL of a Tiled server elsewhere")
    options = parser.parse_args(arguments)
    die_with_parent()
    os.nice(10)  # the instruments and the planner come first
    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(message)s")
    logging.getLogger("httpx").setLevel(logging.WARNING)
    ended = threading.Event()
    for signum in (signal.SIGTERM, signal.SIGINT):
        signal.signal(signum, lambda *_: ended.set())
    run(options.data.resolve(), options.tiled, ended)


if __name__ == "__main__":
    main()
