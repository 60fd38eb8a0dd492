"""Plots of a campaign with several objectives: what was reached, and the front."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from matplotlib.figure import Figure

from orchestrator.reporting.history import History
from orchestrator.reporting.plots import (
    ACCENT,
    add_legend,
    axis_label,
    draw_trials,
    log_axis,
    new_figure,
    say,
    trial_axis,
)
from planners.data import Estimate, Limit, Objective, Observation
from planners.front import front, hypervolumes, point_of, within


def reached(history: History) -> Figure:
    """How much of what was observed has been reached, against the trial number.

    That is the hypervolume, as a part of the box between the worst and the best value
    of each objective (`planners.front.hypervolumes`).
    """
    figure, axes = new_figure(7.4, 3.2)
    numbers = {trial.id: number for number, trial in enumerate(history.trials, 1)}
    observed = [(t, seen) for t in history.trials if (seen := t.observation)]
    volumes = hypervolumes(
        [seen for _, seen in observed], history.objectives, history.limits
    )
    if observed:
        x = [numbers[trial.id] for trial, _ in observed]
        axes.step(
            [*x, max(len(numbers), x[-1])], [*volumes, volumes[-1]], where="post",
            color=ACCENT, lw=1.6, label="reached so far",
        )  # fmt: skip
        on = {trial.id for trial in history.front()}
        for marks, fill, label in (
            ([t.id in on for t, _ in observed], ACCENT, "on the front now"),
            ([t.id not in on for t, _ in observed], "white", "not, or not any more"),
        ):
            places = [
                (n, v) for n, v, is_so in zip(x, volumes, marks, strict=True) if is_so
            ]
            if places:
                axes.plot(
                    *zip(*places, strict=True),
                    "o",
                    ms=5,
                    mec=ACCENT,
                    mfc=fill,
                    label=label,
                )
    else:
        say(axes, "nothing observed yet")
    trial_axis(axes, history)
    axes.set_ylim(0.0, 1.05)
    axes.set_ylabel("hypervolume (part of the box)")
    add_legend(figure, axes)
    return figure


def of_objectives(history: History) -> Figure | None:
    """Two objectives against each other, the front marked; None of any other number."""
    if len(history.objectives) != 2:
        return None
    seen = {trial.id: o for trial in history.trials if (o := trial.observation)}
    x, y = history.objectives
    return _plane(history, x, y, seen, history.limits)


def trade_off(history: History, x: str, y: str) -> Figure | None:
    """One measured quantity against another, where little ``x`` and much ``y`` is good."""
    seen = {}
    for trial in history.trials:
        found = {name: history.measured(trial, name) for name in (x, y)}
        estimates = {
            name: Estimate(one.value, one.std)
            for name, one in found.items()
            if one and one.believed
        }
        if len(estimates) == len(found):
            seen[trial.id] = Observation(trial.candidate, estimates)
    units = history.quantities()
    little = Objective(x, units.get(x, ""), "minimise", "log")
    return _plane(history, little, Objective(y, units.get(y, "")), seen)


def _plane(
    history: History,
    x: Objective,
    y: Objective,
    seen: Mapping[str, Observation],
    limits: Sequence[Limit] = (),
) -> Figure | None:
    """Draw two objectives, and join the trials that no other beats in both.

    Hollow marks are beyond a limit.
    """
    there = {
        name: one for name, one in seen.items() if point_of(one, (x, y)) is not None
    }
    if not there:
        return None
    figure, axes = new_figure(7.4, 3.7)
    a, b = (
        {name: seen.estimates[one.name] for name, seen in there.items()}
        for one in (x, y)
    )
    draw_trials(axes, history, a, b, lambda trial: within(there[trial.id], limits))
    observations = list(there.values())
    best = sorted(
        tuple(observations[number].estimates[one.name].value for one in (x, y))
        for number in front(observations, (x, y), limits)
    )
    if best:
        # The edge of what is reached: a value of x holds up to the next better one.
        axes.step(
            *zip(*best, strict=True), where="post" if x.direction == "minimise" else "pre",
            color=ACCENT, lw=1.4, zorder=1, label="not beaten in both",
        )  # fmt: skip
        axes.plot(*zip(*best, strict=True), "o", ms=11, mfc="none", mec=ACCENT, mew=1.4)
    for axis, one in ((axes.xaxis, x), (axes.yaxis, y)):
        if one.scale == "log":
            log_axis(axis, [each.estimates[one.name].value for each in observations])
    axes.set_xlabel(axis_label(x.name, x.unit))
    axes.set_ylabel(axis_label(y.name, y.unit))
    add_legend(figure, axes)
    return figure
