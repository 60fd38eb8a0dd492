"""What a soak says: memory by quarter, bytes a trial, processor time an act."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise
from statistics import fmean

from rich.console import Console
from rich.table import Table

from orchestrator.benches.sampling import NAMES, ORCHESTRATOR, STORES, Sample

FLAT = 1.05
"""Memory in the last quarter, over that in the second: at most."""
QUARTERS = 4
MIB = 2.0**20


@dataclass(frozen=True, slots=True)
class Growth:
    """The figures of a soak.

    ``memory``: mean bytes of each process and sum in each quarter of the trials made;
    ``cpu``: processor seconds an act, by process, in each quarter; ``rate``: trials a
    minute in each quarter; ``stores``: bytes a trial over the second half; runs
    ``uploaded``, and ``catalogued`` bytes of each.
    """

    trials: int
    acts: int
    seconds: float
    memory: Mapping[str, Sequence[float]]
    cpu: Mapping[str, Sequence[float]]
    rate: Sequence[float]
    stores: Mapping[str, float]
    uploaded: int = 0
    catalogued: float = 0.0

    @property
    def ratio(self) -> float:
        """Memory of orchestrator and Prefect in the last quarter over the second."""
        return self.grown("all but the bench")

    def grown(self, name: str) -> float:
        """Memory of a process, or of a sum, in the last quarter over the second."""
        quarters = self.memory[name]
        return quarters[-1] / quarters[1] if quarters[1] else float("nan")

    @property
    def flat(self) -> bool:
        """Whether memory is flat, as the rule has it."""
        return self.ratio <= FLAT


def growth(samples: Sequence[Sample]) -> Growth | None:
    """Return the figures of a soak, None when it was too short for four quarters."""
    last = samples[-1] if samples else None
    if last is None or not last.trials:
        return None
    quarters = [
        [one for one in samples if _quarter(one, last) == number]
        for number in range(QUARTERS)
    ]
    if not all(quarters):
        return None
    memory = {
        name: [fmean(one.memory[name] for one in part) for part in quarters]
        for name in NAMES
    }
    sums = {
        "orchestrator": ORCHESTRATOR,
        "all but the bench": (*ORCHESTRATOR, "prefect"),
    }
    for title, names in sums.items():
        memory[title] = [sum(memory[n][q] for n in names) for q in range(QUARTERS)]
    # From the last look at one quarter to the last look at the next.
    edges = [quarters[0][0], *(part[-1] for part in quarters)]
    spans = list(pairwise(edges))
    half = quarters[1][-1]
    made = max(last.trials - half.trials, 1)
    return Growth(
        last.trials,
        last.acts,
        last.seconds,
        memory,
        cpu={
            name: [
                (b.cpu[name] - a.cpu[name]) / max(b.acts - a.acts, 1) for a, b in spans
            ]
            for name in NAMES
        },
        rate=[
            60.0 * (b.trials - a.trials) / max(b.seconds - a.seconds, 1e-9)
            for a, b in spans
        ],
        stores={
            name: (last.stores[name] - half.stores[name]) / made for name in STORES
        },
        uploaded=last.uploaded,
        catalogued=last.stores["catalog"] / max(last.uploaded, 1),
    )


def _quarter(one: Sample, last: Sample) -> int:
    return min(int(QUARTERS * one.trials / last.trials), QUARTERS - 1)


def show(found: Growth, console: Console) -> None:
    """Print the figures."""
    console.print(_memory(found))
    console.print(_costs(found))
    kept = Table(box=None, pad_edge=False, header_style="bold")
    kept.add_column("kept on disk")
    kept.add_column("kB a trial", justify="right")
    for name, size in found.stores.items():
        kept.add_row(name, f"{size / 1000:.1f}")
    console.print(kept)
    console.print(
        f"the catalog has {found.uploaded} of {found.acts} runs (the uploader is the "
        f"last to get a turn), {found.catalogued / 1000:.1f} kB each"
    )
    console.print(
        f"{found.trials} trials and {found.acts} acts in {found.seconds:.0f} s: "
        f"{1000 * found.seconds / max(found.acts, 1):.0f} ms an act"
    )
    console.print(
        f"memory of the last quarter over the second: {found.ratio:.3f} "
        f"(flat: at most {FLAT:g})"
    )


def _memory(found: Growth) -> Table:
    table = _quarters("memory [MiB]")
    for name, sizes in found.memory.items():
        cells = [f"{size / MIB:.1f}" for size in sizes]
        style = "bold" if name not in NAMES else ""
        table.add_row(name, *cells, f"{found.grown(name):.3f}", style=style)
    return table


def _costs(found: Growth) -> Table:
    table = _quarters("processor time an act [ms]")
    for name, costs in found.cpu.items():
        cells = [f"{1000 * one:.1f}" for one in costs]
        table.add_row(name, *cells, f"{costs[-1] / costs[1]:.3f}" if costs[1] else "")
    whole = [sum(one[q] for one in found.cpu.values()) for q in range(QUARTERS)]
    cells = [f"{1000 * one:.1f}" for one in whole]
    table.add_row("all", *cells, f"{whole[-1] / whole[1]:.3f}", style="bold")
    rates = [f"{one:.1f}" for one in found.rate]
    share = f"{found.rate[-1] / found.rate[1]:.3f}" if found.rate[1] else ""
    table.add_row("trials a minute", *rates, share, style="bold")
    return table


def _quarters(title: str) -> Table:
    table = Table(box=None, pad_edge=False, header_style="bold")
    table.add_column(title)
    for name in ("1st quarter", "2nd", "3rd", "4th", "4th / 2nd"):
        table.add_column(name, justify="right")
    return table
