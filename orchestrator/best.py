"""Which trials are the best: the same answer for terminal, Prefect, report and export. Pure."""

from __future__ import annotations

from collections.abc import Sequence

from orchestrator.campaign import Progress, Trial
from orchestrator.desirable import desirability_of
from orchestrator.stopping import gain_text
from planners.data import Limit, Objective
from planners.front import front, point_of, within


def best_trials(
    progress: Progress, objectives: Sequence[Objective], limits: Sequence[Limit] = ()
) -> list[Trial]:
    """Return the trials that no other beats within the limits, the best first.

    The first objective gives the order. With one objective it is the best trial, and
    those that are equal to it.
    """
    return _ordered(
        [trial for trial, on in _placed(progress, objectives, limits) if on], objectives
    )


def ranked_trials(
    progress: Progress, objectives: Sequence[Objective], limits: Sequence[Limit] = ()
) -> list[Trial]:
    """Return the trials within the limits: those that no other beats, then the others."""
    placed = _placed(progress, objectives, limits)
    best = _ordered([trial for trial, on in placed if on], objectives)
    return best + _ordered([trial for trial, on in placed if not on], objectives)


def none_yet(
    progress: Progress, objectives: Sequence[Objective], limits: Sequence[Limit] = ()
) -> str:
    """Return why there is no best trial."""
    seen = any(trial.observation for trial in progress.trials.values())
    use = " of any use" if seen and desirability_of(objectives) else ""
    return f"none{use}{' within the limits' if seen and limits else ''} yet"


def gain_left(progress: Progress, objectives: Sequence[Objective]) -> str:
    """Return what is left to be gained, ``""`` where the last card does not say it."""
    if len(objectives) != 1 or not progress.bounds or progress.bounds[-1][1] is None:
        return ""
    (one,), bound = objectives, progress.bounds[-1][1]
    return gain_text(bound, one.unit, log=one.scale == "log")


def _placed(
    progress: Progress, objectives: Sequence[Objective], limits: Sequence[Limit]
) -> list[tuple[Trial, bool]]:
    """Return the trials that count, each with whether it is on the front."""
    pairs = [(trial, o) for trial in progress.observed if (o := trial.observation)]
    on = set(front([seen for _, seen in pairs], objectives, limits))
    return [
        (trial, number in on)
        for number, (trial, seen) in enumerate(pairs)
        if within(seen, limits) and point_of(seen, objectives) is not None
    ]


def _ordered(trials: list[Trial], objectives: Sequence[Objective]) -> list[Trial]:
    """Return trials with the most of the first objective in front; equals keep order."""

    def merit(trial: Trial) -> float:
        point = trial.observation and point_of(trial.observation, objectives[:1])
        return -point[0] if point else 0.0

    return sorted(trials, key=merit)
