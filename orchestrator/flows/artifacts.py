"""What an operator sees in the Prefect UI: progress, trials, best so far, the report.

A thread draws it, from the loop's own state. A drawing shows every trial, so its cost
grows with the campaign; what all drawings cost together is bounded: the thread rests ten
seconds, and twenty times as long as the last drawing took, so it never takes more than a
twentieth of a core. The artifacts are changed in place, so Prefect's database does not
grow with them.
"""

from __future__ import annotations

import base64
import logging
import threading
import time
from collections.abc import Iterator
from uuid import UUID

import httpx
from prefect.client.orchestration import SyncPrefectClient
from prefect.client.schemas.actions import ArtifactCreate, ArtifactUpdate
from prefect.exceptions import ObjectNotFound

from orchestrator.campaign import Progress
from orchestrator.flows.client import impatient_client
from orchestrator.ledger import Event
from orchestrator.reporting.history import History, outline
from orchestrator.reporting.report import best_so_far_pngs, trials_markdown

log = logging.getLogger(__name__)

REST = 10.0
"""Real seconds between two drawings, at least."""

SHARE = 20.0
"""How many times as long as the last drawing took it rests, at least."""

ROWS = 100
"""So many trials are in the table, the newest; the report has them all."""


class Board:
    """Keeps the artifacts of a flow run up to date; never blocks and never raises."""

    def __init__(self, flow_run: str, started: Event) -> None:
        self._run = UUID(flow_run)
        self._started = started
        self._progress = Progress()
        self._known: dict[str, UUID] = {}
        self._asked = threading.Event()
        self._closing = threading.Event()
        self._abandoned = threading.Event()
        self._thread = threading.Thread(target=self._draw, name="board", daemon=True)
        self._thread.start()

    def show(self, progress: Progress) -> None:
        """Have what has happened so far drawn, when the time has come."""
        self._progress = progress
        self._asked.set()

    def close(self, patience: float = 30.0) -> None:
        """Draw the end, and the report; wait ``patience`` real seconds at most.

        Without patience nothing is drawn any more: the flow was stopped, and a process
        that ends takes no new events.
        """
        if not patience:
            self._abandoned.set()
        self._closing.set()
        self._asked.set()
        self._thread.join(patience)

    def _draw(self) -> None:
        with impatient_client() as client:
            while True:
                self._asked.wait()
                self._asked.clear()
                if self._abandoned.is_set():
                    return
                final = self._closing.is_set()
                began = time.monotonic()
                try:
                    self._publish(client, final=final)
                except httpx.HTTPError:
                    self._asked.set()  # drawn again when Prefect is back
                except Exception:  # a picture must not end the campaign
                    if self._abandoned.is_set():
                        return
                    log.warning("progress could not be drawn", exc_info=True)
                if final:
                    return
                took = time.monotonic() - began
                self._closing.wait(max(REST, SHARE * took))

    def _publish(self, client: SyncPrefectClient, *, final: bool) -> None:
        name = self._started.campaign.replace("_", "-")
        shown = drawings(outline(self._started, self._progress), final=final)
        for key, title, text in shown:
            if self._abandoned.is_set():
                return
            self._put(client, f"{name}-{key}", title, text)

    def _put(self, client: SyncPrefectClient, key: str, title: str, text: str) -> None:
        if key in self._known:
            change = ArtifactUpdate(data=text, description=title)
            try:
                client.update_artifact(self._known[key], change)
            except ObjectNotFound:
                del self._known[key]
            else:
                return
        made = client.create_artifact(
            ArtifactCreate(
                type="markdown",
                key=key,
                data=text,
                description=title,
                flow_run_id=self._run,
            )
        )
        self._known[key] = made.id


def drawings(history: History, *, final: bool) -> Iterator[tuple[str, str, str]]:
    """Yield key, title and markdown of what there is to see of a campaign."""
    progress = history.progress
    # An image in markdown renders well; an image artifact with a data-URI prints the
    # URI over the page.
    plot = "\n\n".join(
        f"![best so far](data:image/png;base64,{base64.b64encode(picture).decode()})"
        for picture in best_so_far_pngs(history)
    )
    count = len(progress.observed)
    flying = ", ".join(f"{one.id} ({one.at})" for one in progress.in_flight) or "none"
    headline = f"{count} of {len(progress.trials)} trials observed; in flight: {flying}"
    table = _newest(trials_markdown(history))
    yield "progress", headline, headline
    yield "trials", "Trials", table
    yield "best", "Best so far", plot
    if final:
        report = f"# {history.id}\n\n{headline}\n\n{plot}\n\n{table}"
        yield "report", "Report", report


def _newest(table: str) -> str:
    """Return the head of a table and its first rows, with a word on those left out."""
    lines = table.splitlines()
    left_out = len(lines) - 2 - ROWS
    if left_out <= 0:
        return table
    return "\n".join([*lines[: ROWS + 2], "", f"{left_out} earlier: `polyloop report`"])
