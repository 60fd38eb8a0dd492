"""Does the loop learn? Bayes against random search, on the whole simulated lab.

    python -m tests.learning --seeds 5 --trials 40

Each campaign is a `polyloop run` in a process of its own: real ports, real server, real
ledger. Afterwards the best *true* conductivity among the films it made is taken from
what the simulated bench itself wrote down, which no part of polyloop reads.
"""

from __future__ import annotations

import argparse
import statistics
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

from tests.end_to_end.launched import CAMPAIGN, Launched, truth

PLANNERS = ("bayes", "random")


def campaign_with(planner: str, folder: Path) -> Path:
    """Write the campaign of the README with another planner; return its path."""
    text = CAMPAIGN.read_text()
    for name in ("lab", "recipe"):
        (line,) = (one for one in text.splitlines() if one.startswith(f"{name}:"))
        target = (CAMPAIGN.parent / line.split()[1]).resolve()
        text = text.replace(line, f"{name}: {target}")
    path = folder / f"{planner}.yaml"
    path.write_text(text.replace("name: bayes", f"name: {planner}"))
    return path


def best_true(planner: str, seed: int, trials: int, speed: float) -> list[float]:
    """Run one campaign; return the best true conductivity after each trial, S/cm."""
    with tempfile.TemporaryDirectory(prefix="polyloop-") as name:
        folder = Path(name)
        going = Launched(
            folder / "data",
            *("run", campaign_with(planner, folder), "--trials", str(trials)),
            *("--seed", str(seed), "--speed", str(speed), "--no-ui"),
            *("--data", folder / "data"),
        )
        try:
            going.wait(3600.0)
        finally:
            going.kill()
        true = truth(going.data, going.id)
        progress = going.progress
    best, curve = 0.0, []
    for trial in progress.trials.values():
        if trial.observation is not None:
            best = max(best, true[trial.home]["conductivity_S_cm"])
        curve.append(best)
    if len(curve) != trials:
        raise SystemExit(f"{planner}, seed {seed}: only {len(curve)} trials ended")
    return curve


def rows(seeds: int, trials: int, speed: float) -> Iterator[tuple[int, list[float]]]:
    """Yield each seed with the best true conductivity of each planner, S/cm."""
    for seed in range(1, seeds + 1):
        yield seed, [best_true(one, seed, trials, speed)[-1] for one in PLANNERS]


def main() -> None:
    """Print a row a seed, then how often and by how much the loop was better."""
    parser = argparse.ArgumentParser(prog="python -m tests.learning")
    parser.add_argument("--seeds", type=int, default=5)
    parser.add_argument("--trials", type=int, default=40)
    parser.add_argument("--speed", type=float, default=400.0)
    options = parser.parse_args()
    say = sys.stdout.write
    say(f"best true conductivity after {options.trials} trials, S/cm\n")
    say(f"{'seed':>6}{'bayes':>10}{'random':>10}{'ratio':>8}\n")
    ratios = []
    for seed, (bayes, random) in rows(options.seeds, options.trials, options.speed):
        ratios.append(bayes / random)
        say(f"{seed:>6}{bayes:>10.0f}{random:>10.0f}{bayes / random:>8.2f}\n")
        sys.stdout.flush()
    wins = sum(ratio > 1 for ratio in ratios)
    mean = statistics.geometric_mean(ratios)
    say(f"bayes better in {wins} of {len(ratios)}; geometric mean ratio {mean:.2f}\n")


if __name__ == "__main__":
    main()
