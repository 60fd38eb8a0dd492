"""What became of one cell of the fault bench, and what of it breaks the rule.

Pure. The rule: the campaign finishes, or says what stopped it and finishes once it is
resumed; after a fault that lasts it may stop for good. It loses one sample at most, does
nothing twice, leaves every instrument safe and shows nobody a traceback.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum

from orchestrator.benches.accounting import Wrong, account
from orchestrator.benches.cells import Cell
from orchestrator.benches.story import Evidence, Line
from orchestrator.ledger import Event

SAMPLES = 1
"""How many samples one fault may cost."""

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
    code:
        Exit code of the launcher's last life, None if it had to be ended.
    said:
        The last line of each life.
    hung:
        What it waited for in vain.
    lost, asked:
        How many samples it cost, and how many questions.
    evidence:
        Ledger and journals; None if there was no campaign.
    unsafe:
        What was not in its safe state when all had ended.
    logs:
        File → what polyloop's own processes wrote into it.
    seconds:
        Real time that it took.
    """

    cell: Cell
    code: int | None
    said: tuple[str, ...]
    hung: str
    lost: int
    asked: int
    evidence: Evidence | None
    unsafe: tuple[str, ...]
    logs: Mapping[str, str]
    seconds: float


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


def judge(known: Known) -> Outcome:
    """Return the outcome of a cell."""
    broken = tuple(_broken(known))
    if broken:
        end = End.BROKEN
    elif known.code == 0:
        end = End.FINISHED if len(known.said) == 1 else End.RESUMED
    else:
        end = End.STOPPED
    return Outcome(
        cell=known.cell,
        end=end,
        lost=known.lost,
        asked=known.asked,
        safe=not known.unsafe,
        message=_message(known),
        seconds=known.seconds,
        broken=broken,
    )


def _broken(known: Known) -> Iterator[str]:
    """Yield what breaks the rule."""
    cell = known.cell
    if known.hung:
        yield f"hung: {known.hung}"
    elif known.code not in (0, 1):
        yield f"ended with {known.code}: {known.said[-1] if known.said else 'no word'}"
    elif known.code == 1:
        if not cell.lasting:
            yield f"did not finish: {known.said[-1]}"
        elif cell.instrument not in "".join(known.said):
            yield f"stopped without naming {cell.instrument}: {known.said[-1]}"
    for name, text in known.logs.items():
        if "Traceback (most recent" in text:
            last = text.split("Traceback (most recent")[1].strip().splitlines()
            told = next((one for one in last[1:] if not one.startswith(" ")), "")
            yield f"traceback in {name}: {told}"
    if known.lost > SAMPLES:
        yield f"{known.lost} samples lost"
    if known.unsafe:
        yield f"not safe: {', '.join(known.unsafe)}"
    if known.evidence is None:
        yield "no campaign was begun"
        return
    if cell.kind and not fired(known.evidence.lines, cell):
        yield "the fault never happened"
    for finding in account(known.evidence):
        if finding.wrong is not Wrong.LOST or known.code == 0:
            yield str(finding).partition("\n")[0]


def fired(lines: Iterable[Line], cell: Cell) -> bool:
    """Return whether an instrument's journal shows the fault of a cell."""
    return any(
        line.event == "fault"
        and line.instrument == cell.instrument
        and line.facts.get("kind") == cell.kind
        for line in lines
    )


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
    """Return what a person reads of it: why a sample was lost, a step failed, all ended."""
    if known.code:
        return known.said[0]
    events = known.evidence.events if known.evidence else ()
    for kind in ("trial.failed", "sample.discarded", "step.failed"):
        for event in events:
            if event.kind == kind:
                return str(event.data.get("reason", ""))
    return known.said[0] if len(known.said) > 1 else ""
