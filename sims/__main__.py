"""Switch on a simulated bench: ``python -m sims BENCH.yaml --dir RUN_DIR``."""

from __future__ import annotations

import argparse
import ctypes
import os
import signal
import sys
from collections.abc import Iterable
from itertools import zip_longest
from pathlib import Path

from sims import card, memory
from sims.bench import Bench
from sims.faults import read_file
from sims.spec import BadBench, read

PR_SET_PDEATHSIG = 1


def die_with_parent() -> None:
    """Have the kernel end this process when the one that started it ends."""
    parent = int(os.environ.pop("POLYLOOP_PARENT", os.getppid()))
    ctypes.CDLL(None).prctl(PR_SET_PDEATHSIG, signal.SIGTERM)
    if os.getppid() != parent:  # it ended before we asked
        sys.exit(0)


def arguments() -> argparse.Namespace:
    """Return the command line, read."""
    parser = argparse.ArgumentParser(prog="python -m sims", description=__doc__)
    parser.add_argument("bench", type=Path, help="the bench file")
    parser.add_argument("--dir", type=Path, required=True, help="run directory")
    parser.add_argument(
        "--speed", type=float, default=200.0, help="bench seconds per second"
    )
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument(
        "--faults", type=Path, help="JSON list of faults, besides those of the bench"
    )
    chosen = parser.parse_args()
    if not chosen.speed > 0:
        parser.error(f"--speed {chosen.speed} is not above 0")
    return chosen


def main() -> int:
    """Run a bench until a signal ends it."""
    chosen = arguments()
    die_with_parent()
    chosen.dir.mkdir(parents=True, exist_ok=True)
    try:
        bench = Bench(read(chosen.bench), chosen.dir, chosen.speed, chosen.seed)
    except BadBench as problem:
        sys.stderr.write(f"{chosen.bench.name}: {problem}\n")
        return 2
    try:
        if chosen.faults is not None:
            bench.faults.state("given", read_file(chosen.faults, bench.instruments))
        bench.look_for_faults()
    except BadBench as problem:
        sys.stderr.write(f"{problem}\n")
        return 2
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: bench.stop())
    try:
        with card.hung(bench, chosen.bench):
            run(bench, chosen.bench)
    except BadBench as problem:
        sys.stderr.write(f"{problem}\n")
        return 2
    return 0


def run(bench: Bench, file: Path) -> None:
    """Go on from what the bench remembers, say where its ports are, and run it."""
    memory.recall(bench)
    bench.start()
    card.write(bench, file)
    reached = {name: bench.doors.urls(name) for name in bench.instruments}
    for row in aligned([name, *urls] for name, urls in reached.items() if urls):
        sys.stdout.write(f"{row}\n")
    sys.stdout.write("ready\n")
    sys.stdout.flush()
    bench.run()
    memory.save(bench)


def aligned(rows: Iterable[list[str]]) -> list[str]:
    """Return rows of words as lines whose columns stand below each other.

    >>> aligned([["pump", "ports/pump", "socket"], ["coater", "ports/coater"]])
    ['pump    ports/pump    socket', 'coater  ports/coater']
    """
    table = list(rows)
    wide = [max(map(len, column)) for column in zip_longest(*table, fillvalue="")]
    return [
        "  ".join(
            f"{word:{width}}" for word, width in zip(row, wide, strict=False)
        ).rstrip()
        for row in table
    ]


if __name__ == "__main__":
    sys.exit(main())
