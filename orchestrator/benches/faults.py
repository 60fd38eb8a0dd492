"""``polyloop bench faults``: every kind of fault at every driver, and what it costs.

Each cell is a trial of a short campaign in which one fault is stated for one instrument.
All cells of an instrument share a campaign, whose first trial has no fault: most of the
time of a campaign is its start. A campaign that stops says why and is resumed; after a
fault that lasts, all instruments are switched off and on before, as a person would.
"""

from __future__ import annotations

import math
import threading
import time
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from dataclasses import dataclass, field
from pathlib import Path

from orchestrator.benches.accounting import account
from orchestrator.benches.cells import Cell
from orchestrator.benches.evidence import read_lines
from orchestrator.benches.fault_table import line
from orchestrator.benches.judging import (
    Known,
    Outcome,
    fired,
    judge,
    not_tried,
    told_of,
    tracebacks,
    unsafe,
)
from orchestrator.benches.on_bench import OnBench
from orchestrator.errors import CampaignFailed, PolyloopError
from orchestrator.fold import fold
from orchestrator.ledger import Event
from orchestrator.prefect_server import serve, wait_for

QUIET = 300.0
"""Real seconds without a word in the ledger, or to the end of a launcher, that are a hang."""
LONGEST = 900.0
"""Real seconds that a cell may take, its resumes with it; more is a hang, busy or not."""
SETTLING = 15.0
"""Real seconds within which every instrument must be safe once all has ended."""
POLL = 0.05
STOPS = 3
"""How often a campaign may stop in one cell before it is given up."""


@dataclass(frozen=True, slots=True)
class Settings:
    """What the bench was asked for; ``speed`` in bench seconds per second."""

    campaign: Path
    cells: Sequence[Cell]
    seed: int
    speed: float
    jobs: int
    directory: Path


def faults(settings: Settings, say: Callable[[str], None]) -> list[Outcome]:
    """Try every cell, and return what became of each.

    Parameters
    ----------
    settings:
        Which cells, and on which bench.
    say:
        Called with a line when a cell begins, and when its campaign is over.
    """
    sheets: dict[str, list[Cell]] = {}
    for cell in settings.cells:
        sheets.setdefault(cell.instrument, []).append(cell)
    stop = threading.Event()
    with ExitStack() as stack:
        logs = settings.directory / "logs"
        api, server = serve(stack, settings.directory / "prefect", logs, ui=False)
        if server is not None:
            wait_for(api, server)
        pool = stack.enter_context(ThreadPoolExecutor(settings.jobs))
        stack.callback(stop.set)
        futures = [
            pool.submit(_campaigns, settings, name, sheet, api, stop, say)
            for name, sheet in sheets.items()
        ]
        # What has not begun when this ends badly is not begun.
        stack.callback(pool.shutdown, wait=False, cancel_futures=True)
        return [outcome for one in futures for outcome in one.result()]


def _campaigns(
    settings: Settings,
    instrument: str,
    cells: list[Cell],
    api: str,
    stop: threading.Event,
    say: Callable[[str], None],
) -> list[Outcome]:
    """Try the cells of an instrument, in one campaign unless it cannot go on."""
    found: list[Outcome] = []
    # What lasts comes last: it is what a campaign may not survive.
    left = sorted(cells, key=lambda cell: cell.lasting)
    again: set[Cell] = set()
    number = 0
    while left and not stop.is_set():
        number += 1
        directory = settings.directory / f"{instrument}-{number}"
        try:
            # Another seed, or what failed by itself would fail again.
            seed = settings.seed + number - 1
            first, *outcomes = _campaign(
                settings, seed, directory, left, api, stop, say
            )
            why = "; ".join(first.broken)
        except PolyloopError as error:
            outcomes, why = [], str(error)
        if why or not outcomes:
            text = f"went wrong before any fault: {why or 'it ended'}"
            outcomes = [not_tried(cell, text) for cell in left]
        for outcome in outcomes:
            say(line(outcome))
        # A film that failed before the fault could happen is no answer: once more.
        unmet = [one.cell for one in outcomes if one.unmet and one.cell not in again]
        again.update(unmet)
        found += [one for one in outcomes if one.cell not in unmet]
        left = left[len(outcomes) :] + unmet
    return found


def _campaign(
    settings: Settings,
    seed: int,
    directory: Path,
    cells: list[Cell],
    api: str,
    stop: threading.Event,
    say: Callable[[str], None],
) -> list[Outcome]:
    """Return the outcome without any fault, and those of the cells it came to."""
    with ExitStack() as stack:
        campaign = OnBench(directory, api, settings.speed)
        stack.callback(campaign.end)
        sheet = Sheet(campaign, cells, stop, say)
        trials = len(cells) + 1
        campaign.hold(stack, settings.campaign, trials=trials, seed=seed)
        sheet.run()
        known = sheet.known()
    if not known:
        raise CampaignFailed(campaign.last_words())
    return [judge(one) for one in known]


@dataclass
class Tried:
    """A cell under way: ``since`` is the number of its first event in the ledger."""

    cell: Cell
    trial: str
    since: int
    began: float
    over: float = 0.0
    stops: list[str] = field(default_factory=list)
    troubles: list[str] = field(default_factory=list)
    ended: bool = False


class Sheet:
    """The cells of one campaign, a trial each, after one without any fault."""

    def __init__(
        self,
        campaign: OnBench,
        cells: Sequence[Cell],
        stop: threading.Event,
        say: Callable[[str], None],
    ) -> None:
        self.campaign, self.stop, self.say = campaign, stop, say
        self._waiting = [Cell(), *cells]
        self.tried: list[Tried] = []
        self._read_to: dict[Path, int] = {}

    def run(self) -> None:
        """Run the campaign, and resume it where it stops, to its end."""
        campaign = self.campaign
        while True:
            campaign.start()
            if hung := self._until_over():
                self._trouble(f"hung: {hung}")
                return
            assert campaign.launcher is not None  # noqa: S101
            self._look_at_logs()
            for one in self._until_safe():
                self._trouble(f"not safe: {one}")
            if campaign.launcher.returncode == 0 or not self.tried:
                return
            now, words = self.tried[-1], campaign.last_words()
            if not (now.ended and fold(campaign.events).ended):
                # Otherwise only too many trials in a row have failed, as they had to.
                now.stops.append(words)
            if campaign.launcher.returncode != 1 or len(now.stops) >= STOPS:
                return
            if now.cell.lasting:
                campaign.state_fault([])
                campaign.switch_off()
                campaign.switch_on()

    def _until_over(self) -> str:
        """Follow the campaign until its processes have ended; return what hangs."""
        heard = time.monotonic()
        while self.campaign.going:
            if self.stop.is_set():
                return "the bench was interrupted"
            if self._follow():
                heard = time.monotonic()
            if time.monotonic() > heard + QUIET:
                return f"nothing happened for {QUIET:g} s"
            if self.tried and time.monotonic() > self.tried[-1].began + LONGEST:
                return f"not over after {LONGEST:g} s"
            time.sleep(POLL)
        self._follow()
        return ""

    def _follow(self) -> bool:
        """Read on in the ledger, state what is due, and answer; return whether."""
        fresh = self.campaign.read()
        known = {one.trial for one in self.tried}
        for event in fresh:
            if event.kind == "trial.started" and event.trial not in known:
                self._begin(event)
                known.add(event.trial)
            elif event.kind == "question.asked":
                self.campaign.answer(event)
            elif event.kind in ("observation", "trial.failed"):
                for one in self.tried:
                    if one.trial == event.trial:
                        one.ended = True
        return bool(fresh)

    def _begin(self, event: Event) -> None:
        """Turn to the next cell, now that its trial has started."""
        self._look_at_logs()
        cell, now = self._waiting.pop(0), time.monotonic()
        if self.tried:
            self.tried[-1].over = now
        place = self.campaign.directory.name
        self.say(f"{place} {event.trial}: {cell}; {len(self._waiting)} more")
        self.tried.append(Tried(cell, event.trial, event.seq, now))
        if cell.kind:
            self.campaign.state_fault([cell.rule(self.campaign.speed)])

    def _trouble(self, text: str) -> None:
        if self.tried:
            self.tried[-1].troubles.append(text)

    def _look_at_logs(self) -> None:
        """Note each traceback that polyloop's own processes have written since."""
        campaign = self.campaign
        for folder in (campaign.logs, campaign.data / "logs"):
            for path in sorted(folder.rglob("*.log")):
                text = path.read_text(errors="replace")
                fresh = text[self._read_to.get(path, 0) :]
                self._read_to[path] = len(text)
                for one in tracebacks(fresh):
                    self._trouble(f"traceback in {path.name}: {one}")

    def _until_safe(self) -> list[str]:
        """Return what is still not safe a while after the end."""
        deadline = time.monotonic() + SETTLING
        while True:
            left = unsafe(read_lines(self.campaign.bench))
            if not left or time.monotonic() > deadline:
                return left
            time.sleep(POLL)

    def known(self) -> list[Known]:
        """Return all that is known of each cell once it is over."""
        if not self.tried:
            return []
        self.tried[-1].over = time.monotonic()
        evidence = self.campaign.evidence()
        findings = account(evidence)
        ends = [one.since for one in self.tried[1:]] + [math.inf]
        return [
            Known(
                cell=one.cell,
                ended=one.ended,
                stops=tuple(one.stops),
                events=[e for e in evidence.events if one.since <= e.seq < end],
                troubles=(
                    *one.troubles,
                    *told_of(findings, one.trial, evidence, first=one is self.tried[0]),
                ),
                fired=not one.cell.kind or fired(evidence, one.since, end, one.cell),
                seconds=one.over - one.began,
            )
            for one, end in zip(self.tried, ends, strict=True)
        ]
