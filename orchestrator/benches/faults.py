"""``polyloop bench faults``: every kind of fault at every driver, and what it costs.

Each cell is a short campaign on a bench of its own, in which one fault is stated for one
instrument once its first trial has begun. A campaign that stops says why; it is resumed,
as a person would who has looked. The first cell has no fault: what is lost there is not
lost to faults.
"""

from __future__ import annotations

import json
import threading
import time
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path

from orchestrator.benches.cells import Cell
from orchestrator.benches.judging import (
    Known,
    Outcome,
    judge,
    samples_lost,
    unsafe,
)
from orchestrator.benches.on_bench import OnBench
from orchestrator.benches.story import Line
from orchestrator.campaign import fold
from orchestrator.errors import Refused
from orchestrator.prefect_server import serve, wait_for

QUIET = 120.0
"""Real seconds without a word in the ledger, or to the end of a launcher, that are a hang."""
LONGEST = 400.0
"""Real seconds that a cell may take in all, its resume with it."""
SETTLING = 15.0
"""Real seconds within which every instrument must be safe once all has ended."""
POLL = 0.05
LIVES = 2
"""A start and a resume."""


@dataclass(frozen=True, slots=True)
class Settings:
    """What the bench was asked for; ``speed`` in bench seconds per second."""

    campaign: Path
    cells: Sequence[Cell]
    seed: int
    speed: float
    jobs: int
    directory: Path


def faults(settings: Settings, tell: Callable[[Outcome], None]) -> list[Outcome]:
    """Try every cell, and return what became of each, in their order.

    Parameters
    ----------
    settings:
        Which cells, and on which bench.
    tell:
        Called with each outcome as soon as it is there.

    Raises
    ------
    Refused
        When the campaign does not go well without any fault.
    """
    stop = threading.Event()
    with ExitStack() as stack:
        logs = settings.directory / "logs"
        api, server = serve(stack, settings.directory / "prefect", logs, ui=False)
        if server is not None:
            wait_for(api, server)
        quiet = _try(settings, Cell(), 0, api, stop)
        tell(quiet)
        if quiet.broken or quiet.lost:
            why = "; ".join(quiet.broken) or f"{quiet.lost} samples lost"
            raise Refused(f"--seed: {settings.seed} — without any fault: {why}")
        pool = stack.enter_context(ThreadPoolExecutor(settings.jobs))
        stack.callback(stop.set)
        futures = [
            pool.submit(_told, settings, cell, number, api, stop, tell)
            for number, cell in enumerate(settings.cells, 1)
        ]
        try:
            return [one.result() for one in futures]
        except BaseException:
            for one in futures:
                one.cancel()
            raise


def _told(
    settings: Settings,
    cell: Cell,
    number: int,
    api: str,
    stop: threading.Event,
    tell: Callable[[Outcome], None],
) -> Outcome:
    outcome = _try(settings, cell, number, api, stop)
    tell(outcome)
    return outcome


def _try(
    settings: Settings, cell: Cell, number: int, api: str, stop: threading.Event
) -> Outcome:
    with ExitStack() as stack:
        one = Faulted(settings, cell, number, api, stop)
        stack.callback(one.campaign.end)
        one.run(stack)
        return judge(one.known())


class Faulted:
    """One cell: a campaign, and the fault that it meets."""

    def __init__(
        self,
        settings: Settings,
        cell: Cell,
        number: int,
        api: str,
        stop: threading.Event,
    ) -> None:
        self.settings, self.cell, self.stop = settings, cell, stop
        directory = settings.directory / f"f{number:03d}"
        self.campaign = OnBench(directory, api, settings.speed)
        self.code: int | None = None
        self.said: list[str] = []
        self.hung = ""
        self._stated = not cell.kind
        self._began = time.monotonic()

    def run(self, stack: ExitStack) -> None:
        """Run the campaign; resume it once if it stops."""
        campaign, settings = self.campaign, self.settings
        trials = self.cell.trials
        campaign.hold(stack, settings.campaign, trials=trials, seed=settings.seed)
        for _ in range(LIVES):
            campaign.start()
            self._until_over()
            if self.hung or campaign.launcher is None:
                break
            self.code = campaign.launcher.returncode
            self.said.append(campaign.last_words())
            if self.code == 0 or fold(campaign.events).ended:
                break
        self._unsafe = self._until_safe()

    def _until_over(self) -> None:
        """Follow the campaign until its processes have ended, or it hangs."""
        heard = time.monotonic()
        while self.campaign.going:
            if self.stop.is_set():
                self.hung = "the bench was interrupted"
                return
            if fresh := self.campaign.read():
                heard = time.monotonic()
            for event in fresh:
                if event.kind == "trial.started" and not self._stated:
                    self._state()
                elif event.kind == "question.asked":
                    self.campaign.answer(event)
            if time.monotonic() > heard + QUIET:
                self.hung = f"nothing happened for {QUIET:g} s"
            elif time.monotonic() > self._began + LONGEST:
                self.hung = f"not over after {LONGEST:g} s"
            if self.hung:
                return
            time.sleep(POLL)
        self.campaign.read()

    def _state(self) -> None:
        """Tell the bench of the fault; it looks there four times a second."""
        self._stated = True
        path = self.campaign.bench / "faults.json"
        part = path.with_suffix(".part")
        part.write_text(json.dumps([self.cell.rule(self.settings.speed)]))
        part.rename(path)

    def _until_safe(self) -> list[str]:
        """Return what is still not safe a while after the end."""
        deadline = time.monotonic() + SETTLING
        while True:
            left = unsafe(self._lines())
            if not left or time.monotonic() > deadline or self.hung:
                return left
            time.sleep(POLL)

    def _lines(self) -> list[Line]:
        from orchestrator.benches.evidence import read_lines

        return read_lines(self.campaign.bench)

    def known(self) -> Known:
        """Return all that is known of the cell once it is over."""
        events = self.campaign.events
        return Known(
            cell=self.cell,
            code=self.code,
            said=tuple(self.said),
            hung=self.hung,
            lost=samples_lost(events),
            asked=sum(one.kind == "question.asked" for one in events),
            evidence=self.campaign.evidence() if events else None,
            unsafe=tuple(self._unsafe),
            logs=_texts(self.campaign.logs, self.campaign.data / "logs"),
            seconds=time.monotonic() - self._began,
        )


def _texts(*folders: Path) -> dict[str, str]:
    """Return the logs of polyloop's own processes, by the name of their file."""
    return {
        path.name: path.read_text(errors="replace")
        for folder in folders
        for path in sorted(folder.rglob("*.log"))
    }
