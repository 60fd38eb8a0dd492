"""Films without a bench: ``python -m sims.films BENCH.yaml --seed 1``.

The chemistry of a bench file for whoever wants to know what comes of a film and not how
it is made: no port, no clock, no plate that has to warm up. Each line of the standard
input is a film, what is done to it in order, and is answered by what nobody can see::

    > [["pour", {"ink": 150.0}], ["spin", 2000.0, 45.0], ["wait", 300.0, 120.0]]
    < {"conductivity_S_cm": 0.61, "thickness_nm": 93.7, ..., "flaws": []}
    < {"error": "..."}

``pour`` is in uL of each liquid, ``spin`` in rpm and s, ``wait`` in s at so many degC.
Films of one seed are made in one laboratory and differ by chance, the n-th always in the
same way; ``--ideal`` is the laboratory of the literature, where like is like.
"""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

import numpy as np

from sims.physics.laboratory import Laboratory
from sims.physics.sample import Sample
from sims.spec import BadBench, read


def film(sample: Sample, done: Iterable[tuple[Any, ...]]) -> dict[str, Any]:
    """Do it all to a bare substrate, without a pause, and return the truth about it."""
    for what, *how in done:
        match what, how:
            case "pour", [parts]:
                sample.pour(parts, sample.at)
            case "spin", [rpm, seconds]:
                sample.spin(rpm, seconds, sample.at + seconds)
            case "wait", [seconds, temperature]:
                sample.advance(sample.at + seconds, temperature)
            case _:
                raise ValueError(f"{what} {how}: nothing that is done to a film")
    truth = {key: one for key, one in sample.truth().items() if key != "history"}
    return {**truth, "flaws": list(sample.flaws)}


def answers(lab: Laboratory, lines: Iterable[str]) -> Iterator[dict[str, Any]]:
    """Yield what became of each film."""
    for number, line in enumerate(lines):
        sample = lab.new_sample("film", np.random.default_rng([lab.seed, number]))
        try:
            yield film(sample, json.loads(line))
        except (ArithmeticError, LookupError, TypeError, ValueError) as problem:
            yield {"error": f"{type(problem).__name__}: {problem}"}


def main() -> int:
    """Answer until the input ends."""
    parser = argparse.ArgumentParser(prog="python -m sims.films")
    parser.add_argument("bench", type=Path, help="the bench file")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--ideal", action="store_true")
    chosen = parser.parse_args()
    try:
        spec = read(chosen.bench)
        lab = Laboratory.read(spec, chosen.seed)
    except BadBench as problem:
        sys.stderr.write(f"{problem}\n")
        return 2
    except (KeyError, TypeError, ValueError) as problem:
        sys.stderr.write(f"{chosen.bench}: chemistry: {problem!r}\n")
        return 2
    for answer in answers(lab.ideal() if chosen.ideal else lab, sys.stdin):
        sys.stdout.write(f"{json.dumps(answer)}\n")
        sys.stdout.flush()
    return 0


if __name__ == "__main__":
    sys.exit(main())
