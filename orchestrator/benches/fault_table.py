"""How the outcomes of the fault bench are printed and written."""

from __future__ import annotations

import csv
import io
from collections import Counter
from collections.abc import Sequence
from pathlib import Path

from rich.console import Console
from rich.table import Table

from orchestrator.benches.judging import End, Outcome
from orchestrator.errors import Refused

COLUMNS = (
    *("driver", "instrument", "kind", "side", "command", "campaign"),
    *("samples lost", "questions", "safe", "seconds", "message"),
)
ENDINGS = (".md", ".csv")
SHORT = {
    End.FINISHED: "finished",
    End.RESUMED: "resumed",
    End.STOPPED: "stopped",
    End.BROKEN: "BROKEN",
}


def check_ending(path: Path) -> None:
    """Refuse a file that no table can be written to."""
    if path.suffix not in ENDINGS:
        raise Refused(f"--to: {path} — must end in {' or '.join(ENDINGS)}")


def line(outcome: Outcome) -> str:
    """Return an outcome as a line of progress."""
    text = f"{outcome.seconds:4.0f} s  {SHORT[outcome.end]:9} {outcome.cell}"
    if outcome.lost:
        text += f"; {outcome.lost} lost"
    if outcome.asked:
        text += f"; {outcome.asked} asked"
    for one in outcome.broken:
        text += f"\n       {one}"
    return text


def show(outcomes: Sequence[Outcome], seconds: float, console: Console) -> None:
    """Print kinds by drivers, the counts, and every cell that breaks the rule."""
    console.print(grid(outcomes))
    counts = Counter(one.end for one in outcomes)
    table = Table(box=None, show_header=False, pad_edge=False)
    for end in End:
        table.add_row(str(end), f"{counts[end]}")
    table.add_row("samples lost", f"{sum(one.lost for one in outcomes)}")
    table.add_row("questions asked", f"{sum(one.asked for one in outcomes)}")
    table.add_row("cells", f"{len(outcomes)}")
    table.add_row("seconds", f"{seconds:.0f}")
    console.print(table)
    for one in outcomes:
        for broken in one.broken:
            console.print(f"{one.cell}: {broken}", markup=False, soft_wrap=True)


def grid(outcomes: Sequence[Outcome]) -> Table:
    """Return kinds by instruments: how each cell ended, and what it cost."""
    instruments = list(dict.fromkeys(one.cell.instrument for one in outcomes))
    cells: dict[tuple[str, str], list[str]] = {}
    for one in outcomes:
        word = SHORT[one.end] + (f" -{one.lost}" if one.lost else "")
        cells.setdefault((one.cell.kind, one.cell.instrument), []).append(word)
    table = Table(box=None, pad_edge=False, header_style="bold")
    table.add_column("kind")
    for name in instruments:
        table.add_column(name)
    for kind in dict.fromkeys(one.cell.kind for one in outcomes):
        row = (cells.get((kind, name), ["cannot be"]) for name in instruments)
        table.add_row(kind, *(", ".join(dict.fromkeys(words)) for words in row))
    return table


def write(outcomes: Sequence[Outcome], path: Path) -> None:
    """Write a line for each cell, as Markdown or as comma-separated values."""
    rows = [_row(one) for one in outcomes]
    if path.suffix == ".csv":
        text = io.StringIO()
        csv.writer(text, lineterminator="\n").writerows([COLUMNS, *rows])
        path.write_text(text.getvalue(), "utf-8")
        return
    lines = [COLUMNS, ["---"] * len(COLUMNS), *rows]
    path.write_text("".join(f"| {' | '.join(map(_safe, one))} |\n" for one in lines))


def verdict(outcomes: Sequence[Outcome]) -> str:
    """Return what is wrong in a sentence, or nothing."""
    broken = [one for one in outcomes if one.broken]
    if not broken:
        return ""
    return f"{len(broken)} of {len(outcomes)} cells break the rule"


def _row(one: Outcome) -> list[str]:
    cell = one.cell
    return [
        *(cell.driver, cell.instrument, cell.kind, cell.side, cell.command),
        *(str(one.end), f"{one.lost}", f"{one.asked}", "yes" if one.safe else "no"),
        f"{one.seconds:.0f}",
        "; ".join(one.broken) or one.message,
    ]


def _safe(text: str) -> str:
    return " ".join(text.split()).replace("|", "\\|")
