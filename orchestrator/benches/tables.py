"""How the count of the crash bench is printed."""

from __future__ import annotations

import statistics
from collections import Counter

from rich.console import Console
from rich.table import Table

from orchestrator.benches.accounting import Wrong
from orchestrator.benches.crash import Tally
from orchestrator.benches.victims import Victim


def show(tally: Tally, console: Console) -> None:
    """Print who was killed during what, what it cost, and each case that went wrong."""
    console.print(kills_table(tally))
    rows = {
        "campaigns": f"{tally.campaigns}",
        "acts done": f"{tally.acts}",
        "acts asked about": f"{tally.asked}",
        "candidates suggested": f"{tally.suggested}",
        "samples discarded": f"{tally.discarded}",
        "trials failed": f"{tally.failed}",
        "resumes refused": f"{len(tally.refused)}",
        "seconds": f"{tally.seconds:.0f}, {tally.seconds / max(len(tally.kills), 1):.1f} a kill",
        "start to first word": _median(tally.starts),
        "kill to all gone": _median(tally.ends),
        "repeated acts": f"{tally.count(Wrong.REPEATED)}",
        "lost observations": f"{tally.count(Wrong.LOST)}",
        "unexplained differences": f"{tally.count(Wrong.UNEXPLAINED)}",
    }
    table = Table(box=None, show_header=False, pad_edge=False)
    for name, value in rows.items():
        table.add_row(name, value)
    console.print(table)
    for line in (
        *map(str, tally.findings),
        *(f"refused: {one}" for one in tally.refused),
    ):
        console.print(line, markup=False, soft_wrap=True)


def _median(seconds: list[float]) -> str:
    return f"{statistics.median(seconds):.1f} s, the median" if seconds else "—"


def kills_table(tally: Tally) -> Table:
    """Return the kills by victim and by what was under way; two acts count as two."""
    counts: Counter[tuple[str, Victim]] = Counter()
    for kill in tally.kills:
        for operation in kill.operations:
            counts[operation, kill.victim] += 1
    table = Table(box=None, pad_edge=False, header_style="bold")
    table.add_column("under way")
    for victim in Victim:
        table.add_column(victim, justify="right")
    for operation in sorted({operation for operation, _ in counts}):
        cells = [str(counts[operation, victim] or "") for victim in Victim]
        table.add_row(operation, *cells)
    whole = Counter(kill.victim for kill in tally.kills)
    table.add_row("kills", *(str(whole[victim]) for victim in Victim), style="bold")
    return table


def verdict(tally: Tally) -> str:
    """Return what is wrong in a sentence, or nothing."""
    counts = {wrong: tally.count(wrong) for wrong in Wrong}
    if not any(counts.values()):
        return ""
    return (
        f"{counts[Wrong.REPEATED]} acts repeated, {counts[Wrong.LOST]} observations lost, "
        f"{counts[Wrong.UNEXPLAINED]} differences unexplained after "
        f"{len(tally.kills)} kills"
    )
