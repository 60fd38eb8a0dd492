"""Plots of a campaign that wants a desirability: what its quantities make together."""

from __future__ import annotations

import numpy as np
from matplotlib.figure import Figure

from orchestrator.desirable import desirability_of
from orchestrator.reporting.history import History
from orchestrator.reporting.plots import (
    ACCENT,
    FAINT,
    add_legend,
    axis_label,
    draw_trials,
    log_axis,
    new_figure,
)
from planners.data import Estimate
from planners.desirability import Desire

LEVELS = (0.01, 0.2, 0.4, 0.6, 0.8, 0.99)
"""Desirabilities whose lines are drawn; the outer ones stand for 0 and 1."""

FINE = 200
"""Points along each axis at which the desirability is worked out for the lines."""


def of_quantities(history: History) -> Figure | None:
    """Draw the two quantities of a desirability, with lines of equal desirability.

    None where it has another number of them, or nothing was observed.
    """
    whole = desirability_of(history.objectives)
    if whole is None or len(whole.desires) != 2:
        return None
    a, b = (
        {
            trial.id: one
            for trial in history.trials
            if (one := history.estimate(trial, desire.name))
        }
        for desire in whole.desires
    )
    if not a:
        return None
    figure, axes = new_figure(7.4, 3.7)
    draw_trials(axes, history, a, b, history.within)
    for best in history.front()[:1]:
        x, y = a[best.id].value, b[best.id].value
        axes.plot(x, y, "o", ms=11, mfc="none", mec=ACCENT, mew=1.4, label="best")
    places = []
    for axis, desire, seen in zip(
        (axes.xaxis, axes.yaxis), whole.desires, (a, b), strict=True
    ):
        if desire.scale == "log":
            log_axis(axis, [one.value for one in seen.values()])
        places.append(_along(desire, list(seen.values())))
        axis.set_label_text(axis_label(desire.name, desire.unit))
    across, up = np.meshgrid(*places)
    scaled = [
        np.log10(one) if desire.scale == "log" else one
        for one, desire in zip((across, up), whole.desires, strict=True)
    ]
    shares = [d.share(v) for d, v in zip(whole.desires, scaled, strict=True)]
    lines = axes.contour(
        across, up, whole.combined(shares), LEVELS, colors=FAINT, linewidths=0.8, zorder=1
    )  # fmt: skip
    ends = {LEVELS[0]: "0", LEVELS[-1]: "1"}
    axes.clabel(lines, fmt=lambda level: ends.get(level, f"{level:g}"), fontsize=7.5)
    axes.set_xlim(places[0][0], places[0][-1])
    axes.set_ylim(places[1][0], places[1][-1])
    add_legend(figure, axes)
    return figure


def _along(desire: Desire, seen: list[Estimate]) -> np.ndarray:
    """Return values along an axis that shows what was seen, and both ends of the wish."""
    every = [bound for ramp in desire.ramps for bound in ramp]
    every += [one.value for one in seen]
    if desire.scale == "log":
        low, high = min(every), max(every)
        margin = (high / low) ** 0.06
        return np.geomspace(low / margin, high * margin, FINE)
    margin = 0.06 * (max(every) - min(every))
    return np.linspace(min(every) - margin, max(every) + margin, FINE)
