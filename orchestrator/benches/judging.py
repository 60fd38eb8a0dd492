"""What became of one cell of the fault bench, and what of it breaks the rule.

Pure. The rule: the campaign finishes, or says what stopped it and finishes once it is
resumed; after a fault that lasts it may stop for good. It loses one sample at most, does
nothing twice, leaves every instrument safe and shows nobody a traceback.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum

from orchestrator.benches.accounting import Finding, Wrong
from orchestrator.benches.cells import Cell
from orchestrator.benches.story import Evidence, Line
from orchestrator.ledger import Event

SAMPLES = 1
"""How many samples one fault may cost."""

TRACEBACK = "Traceback (most recent call last)"

STATES: Mapping[str, tuple[str, bool]] = {
    "heater on": ("heater on", False),
    "heater off": ("heater on", True),
    "spinning": ("chuck turns", False),
    "rest": ("chuck turns", True),
    "output on": ("output on", False),
    "output off": ("output on", True),
}
"""Event of a journal → the trouble that it begins (False) or ends (True)."""


class End(StrEnum):
    """How a campaign ended that met a fault."""

    FINISHED = "finished"
    RESUMED = "finished after a resume"
    STOPPED = "stopped"
    BROKEN = "broken"


@dataclass(frozen=True, slots=True)
class Known:
    """All that is known of a cell once it is over.

    Attributes
    ----------
    ended:
        Whether its trial has ended.
    stops:
        The last line of each life of the campaign that stopped in it.
    events:
        The ledger from the start of its trial to the start of the next.
    troubles:
        Hangs, tracebacks, what was not safe, and what the journals show to be wrong.
    fired:
        Whether the fault happened.
    seconds:
        Real time that it took.
    """

    cell: Cell
    ended: bool
    stops: tuple[str, ...]
    events: Sequence[Event]
    troubles: tuple[str, ...]
    fired: bool
    seconds: float


NEVER = "the fault never happened"


@dataclass(frozen=True, slots=True)
class Outcome:
    """One cell of the table; ``broken`` says each rule that it broke."""

    cell: Cell
    end: End
    lost: int
    asked: int
    safe: bool
    message: str
    seconds: float
    broken: tuple[str, ...] = ()

    @property
    def unmet(self) -> bool:
        """Whether a film that failed by itself kept the fault from happening."""
        return self.broken == (NEVER,) and self.lost > 0


def judge(known: Known) -> Outcome:
    """Return the outcome of a cell."""
    broken = tuple(_broken(known))
    if broken:
        end = End.BROKEN
    elif not known.ended:
        end = End.STOPPED
    else:
        end = End.RESUMED if known.stops else End.FINISHED
    return Outcome(
        cell=known.cell,
        end=end,
        lost=samples_lost(known.events),
        asked=sum(one.kind == "question.asked" for one in known.events),
        safe=not any("not safe" in one for one in known.troubles),
        message=_message(known),
        seconds=known.seconds,
        broken=broken,
    )


def not_tried(cell: Cell, why: str) -> Outcome:
    """Return the outcome of a cell that its campaign never came to."""
    return Outcome(
        cell, End.BROKEN, 0, 0, safe=True, message=why, seconds=0.0, broken=(why,)
    )


def _broken(known: Known) -> Iterator[str]:
    """Yield what breaks the rule."""
    cell = known.cell
    yield from known.troubles
    if not known.ended and not (cell.lasting and known.stops):
        yield f"its trial did not end: {' / '.join(known.stops) or 'no word'}"
    if known.stops and cell.instrument not in "".join(known.stops):
        yield f"stopped without naming {cell.instrument}: {known.stops[0]}"
    if (lost := samples_lost(known.events)) > SAMPLES:
        yield f"{lost} samples lost"
    if not known.fired:
        yield NEVER


def fired(evidence: Evidence, since: int, until: float, cell: Cell) -> bool:
    """Return whether an instrument's journal shows a fault between two events."""
    window = [e.at for e in evidence.events if since <= e.seq <= until]
    last = window[-1] if until < math.inf else math.inf
    return any(
        line.event == "fault"
        and line.instrument == cell.instrument
        and line.facts.get("kind") == cell.kind
        and line.facts.get("side", "") == cell.side
        and window[0] <= line.wall <= last
        for line in evidence.lines
    )


def told_of(
    findings: Iterable[Finding], trial: str, evidence: Evidence, *, first: bool
) -> list[str]:
    """Return the findings about a trial; the first also has those about none.

    That the campaign has not ended is said by the outcome of the cell it stopped in.
    """
    of: dict[str, str] = {}
    for event in evidence.events:
        if event.kind == "trial.started":
            of[str(event.data["sample"])] = event.trial
    of |= {name.rpartition("/")[2]: own for name, own in list(of.items())}
    told = []
    for finding in findings:
        parts = finding.act.split(".")
        whose = next((one for one in parts if one in of.values()), "")
        whose = whose or of.get(finding.sample, finding.sample)
        if finding.wrong is Wrong.LOST and "not ended" in finding.text:
            continue
        if whose == trial or (first and whose not in of.values()):
            told.append(str(finding).partition("\n")[0])
    return told


def tracebacks(text: str) -> list[str]:
    """Return the last line of each traceback in a log."""
    found = []
    for one in text.split(TRACEBACK)[1:]:
        lines = one.splitlines()[1:]
        found.append(next((line for line in lines if line[:1].strip()), "cut short"))
    return found


def unsafe(lines: Iterable[Line]) -> list[str]:
    """Return what is not in its safe state, by the last lines of the journals."""
    going: dict[tuple[str, str], bool] = {}
    for line in lines:
        if line.event in STATES:
            trouble, over = STATES[line.event]
            going[line.instrument, trouble] = not over
    return [f"{who}: {what}" for (who, what), still in sorted(going.items()) if still]


def samples_lost(events: Sequence[Event]) -> int:
    """Return how many samples were discarded, or failed with their trial."""
    sample: dict[str, str] = {}
    lost: set[str] = set()
    for event in events:
        if event.kind == "trial.started":
            sample[event.trial] = str(event.data["sample"])
        elif event.kind == "sample.discarded":
            lost.add(str(event.data["sample"]))
        elif event.kind == "trial.failed":
            lost.add(sample.get(event.trial, event.trial))
    return len(lost)


def _message(known: Known) -> str:
    """Return what a person reads of it: why it stopped, or what it cost."""
    if known.stops:
        return known.stops[0]
    for kind in ("trial.failed", "sample.discarded", "step.failed"):
        for event in known.events:
            if event.kind == kind:
                return str(event.data.get("reason", ""))
    return ""
