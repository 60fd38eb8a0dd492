"""Plots of a campaign, as matplotlib figures made without a display or global figures.

Each function takes a `History` and returns a figure, or None when there is nothing to
show. `svg` and `png` turn a figure into text and bytes.
"""

from __future__ import annotations

import io
import math
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import matplotlib as mpl
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import FuncFormatter, LogLocator, MaxNLocator, NullFormatter

from orchestrator import units
from orchestrator.campaign import Trial
from orchestrator.records import TrialStatus
from orchestrator.reporting.history import History, Parameter
from planners.data import Estimate

INK, FAINT, RULE, ACCENT, FAILED = "#24292f", "#6b7280", "#d8dce2", "#0b6e78", "#b3261e"

COLOURS = (
    "#332288", "#117733", "#cc6677", "#44aa99", "#ddaa33", "#882255",
    "#4477aa", "#999933", "#aa4499", "#66a61e", "#a6611a", "#555555",
)  # fmt: skip
"""Told apart by most eyes; markers differ as well, for the rest and for print."""

MARKERS = "osD^vPXd<>ph"

STYLE: Any = {
    "font.family": "sans-serif",
    "font.sans-serif": ["DejaVu Sans"],
    "font.size": 9,
    "axes.edgecolor": FAINT,
    "axes.labelcolor": INK,
    "axes.linewidth": 0.7,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.grid": True,
    "axes.axisbelow": True,
    "grid.color": RULE,
    "grid.linewidth": 0.5,
    "text.color": INK,
    "xtick.color": FAINT,
    "ytick.color": FAINT,
    "xtick.labelcolor": INK,
    "ytick.labelcolor": INK,
    "legend.frameon": False,
    "legend.fontsize": 8,
    "svg.fonttype": "path",
    "svg.hashsalt": "polyloop",
}


def svg(figure: Figure) -> str:
    """Return a figure as an SVG element that can stand inside HTML."""
    buffer = io.StringIO()
    figure.savefig(buffer, format="svg", metadata={"Date": None}, bbox_inches="tight")
    text = buffer.getvalue()
    return text[text.index("<svg") :]


def png(figure: Figure) -> bytes:
    """Return a figure as a PNG file."""
    buffer = io.BytesIO()
    figure.savefig(buffer, format="png", dpi=144, bbox_inches="tight")
    return buffer.getvalue()


def best_so_far(history: History) -> Figure:
    """Observed objective and the best so far within the limits, against the trial number.

    Hollow marks are beyond a limit.
    """
    figure, axes = new_figure(7.4, 3.7)
    objective = history.objective
    points = _points(history)
    numbers = {trial.id: number for number, trial in enumerate(history.trials, 1)}
    better = max if objective and objective.direction == "maximise" else min
    estimates = {
        trial.id: one for trial, _ in points if (one := history.estimate(trial))
    }
    places = {name: Estimate(numbers[name], 0.0) for name in estimates}
    draw_trials(axes, history, places, estimates, history.within)
    if points:
        x: list[int] = []
        y: list[float] = []
        for trial, value in points:
            if history.within(trial):
                x.append(numbers[trial.id])
                y.append(better(value, y[-1]) if y else value)
        if y:
            x.append(max(len(numbers), x[-1]))
            y.append(y[-1])
            axes.step(
                x, y, where="post", color=ACCENT, lw=1.6, zorder=2, label="best so far"
            )
        target = objective.target if objective else None
        if objective and target is not None:
            axes.axhline(target, color=FAINT, lw=1, ls=(0, (4, 3)), zorder=1)
            axes.annotate(
                f"target {units.show(target, objective.unit)}", (1.0, target),
                xycoords=("axes fraction", "data"), ha="right", va="bottom",
                fontsize=8, color=FAINT,
            )  # fmt: skip
        shown = [] if target is None else [target]
        _value_axis(axes, history, [*shown, *(value for _, value in points)])
    else:
        axes.set_ylim(0, 1)
        axes.set_yticks([])
        say(axes, "nothing observed yet")
    trial_axis(axes, history)
    axes.set_ylabel(axis_label(objective.name, objective.unit) if objective else "")
    add_legend(figure, axes)
    return figure


def draw_trials(
    axes: Axes,
    history: History,
    x: Mapping[str, Estimate],
    y: Mapping[str, Estimate],
    good: Callable[[Trial], bool],
) -> None:
    """Draw trials with their uncertainties, hollow where they are not ``good``."""
    trials = [trial for trial in history.trials if trial.id in x]
    for name, (colour, marker, own) in by_option(history, trials):
        named = False
        for filled in (True, False):
            ones = [trial.id for trial in own if good(trial) is filled]
            if not ones:
                continue
            a, b = ([of[one] for one in ones] for of in (x, y))
            fill = {"mec": "white", "mew": 0.6} if filled else {"mfc": "white"}
            axes.errorbar(
                [one.value for one in a], [one.value for one in b],
                xerr=error_bars(a) if any(one.std for one in a) else None,
                yerr=error_bars(b), fmt=marker, color=colour, ms=5.5, lw=1, ls="",
                label="_" if named else name, zorder=3, **fill,
            )  # fmt: skip
            named = True
    if not all(map(good, trials)):
        axes.plot([], [], "o", mec=FAINT, mfc="white", ms=5.5, label="beyond a limit")


def trial_axis(axes: Axes, history: History) -> None:
    """Make the x axis one of trials: the initial design shaded, crosses at failures."""
    numbers = {trial.id: number for number, trial in enumerate(history.trials, 1)}
    lost = [
        numbers[trial.id]
        for trial in history.trials
        if not trial.in_flight and history.estimate(trial) is None
    ]
    if lost:
        axes.plot(
            lost, [0.02] * len(lost), "x", color=FAILED, ms=6, mew=1.4, clip_on=False,
            transform=axes.get_xaxis_transform(), label="no value (failed)", zorder=4,
        )  # fmt: skip
    # A person's candidate may have been made in between.
    initial = max((numbers[t.id] for t in history.trials if t.initial), default=0)
    if initial:
        axes.axvspan(0.4, initial + 0.5, color="#f1f3f5", zorder=0)
        axes.text(
            0.6, 1.01, "initial design", color=FAINT, fontsize=8, va="bottom",
            transform=axes.get_xaxis_transform(),
        )  # fmt: skip
    axes.set_xlim(0.4, max(len(numbers), 1) + 0.6)
    axes.xaxis.set_major_locator(MaxNLocator(integer=True, min_n_ticks=1))
    axes.set_xlabel("trial")


def by_choice(history: History) -> Figure | None:
    """Objective of each option of the first choice, the best option on top."""
    choice, objective, points = history.choice, history.objective, _points(history)
    if choice is None or objective is None or not points:
        return None
    groups = by_option(history, [trial for trial, _ in points])
    sign = 1 if objective.direction == "maximise" else -1
    values = {trial.id: value for trial, value in points}
    groups.sort(key=lambda one: max(sign * values[t.id] for t in one[1][2]))
    figure, axes = new_figure(7.4, 0.9 + 0.3 * len(groups))
    for row, (_, (colour, marker, trials)) in enumerate(groups):
        ones = [one for trial in trials if (one := history.estimate(trial))]
        gap = 0.36 / max(len(ones) - 1, 1)
        middle = (len(ones) - 1) / 2
        axes.errorbar(
            [one.value for one in ones],
            [row + gap * (nth - middle) for nth in range(len(ones))],
            xerr=error_bars(ones), fmt=marker, color=colour, ms=5.5, mec="white", mew=0.6,
            lw=1, ls="",
        )  # fmt: skip
    axes.set_yticks(
        range(len(groups)),
        [f"{name}  ({len(rest[2])})" for name, rest in groups],
    )
    axes.set_ylim(-0.6, len(groups) - 0.4)
    _value_axis(axes, history, list(values.values()), of_y=False)
    axes.set_xlabel(axis_label(objective.name, objective.unit))
    axes.grid(visible=False, axis="y")
    return figure


def by_parameter(history: History) -> Figure | None:
    """Objective against every numeric parameter, one small plot each."""
    axes_of = [one for one in history.parameters if not one.is_choice]
    points, objective = _points(history), history.objective
    if not axes_of or not points or objective is None:
        return None
    columns = min(3, len(axes_of))
    rows = math.ceil(len(axes_of) / columns)
    mpl.rcParams.update(STYLE)
    figure = Figure(figsize=(7.4, 2.2 * rows), layout="constrained")
    grid = figure.subplots(rows, columns, sharey=True, squeeze=False)
    top = next(iter(history.ranked()), None)
    values = {trial.id: value for trial, value in points}
    for place, parameter in zip(grid.flat, axes_of, strict=False):
        for _, (colour, marker, trials) in by_option(history, [t for t, _ in points]):
            place.plot(
                [_number(trial, parameter) for trial in trials],
                [values[trial.id] for trial in trials],
                marker, color=colour, ms=4.5, mec="white", mew=0.5,
            )  # fmt: skip
        if top is not None:
            place.plot(
                _number(top, parameter), values[top.id], "o", ms=11, mfc="none",
                mec=ACCENT, mew=1.4,
            )  # fmt: skip
        _parameter_axis(place, parameter)
        place.set_xlabel(axis_label(parameter.name, parameter.unit), fontsize=8)
        place.tick_params(labelsize=7.5)
    for place in list(grid.flat)[len(axes_of) :]:
        place.set_visible(False)
    _value_axis(grid[0][0], history, list(values.values()))
    for row in grid:
        row[0].set_ylabel(axis_label(objective.name, objective.unit), fontsize=8)
    return figure


def predicted(history: History) -> Figure | None:
    """Measured objective of each trial against what the surrogate expected of it."""
    found = [
        (trial, guess, one)
        for trial in history.trials
        if (guess := history.prediction(trial)) and (one := history.estimate(trial))
    ]
    if not found or history.objective is None:
        return None
    figure, axes = new_figure(4.6, 3.6)
    for trial, (mean, low, high), one in found:
        colour, marker = _look(history, trial)
        axes.errorbar(
            mean, one.value, xerr=[[mean - low], [high - mean]],
            yerr=_bar(one.value, one.std), fmt=marker, color=colour, ms=5.5,
            mec="white", mew=0.6, lw=0.8,
        )  # fmt: skip
    every = [n for _, guess, one in found for n in (*guess, one.value)]
    ends = [min(every), max(every)]
    axes.plot(ends, ends, color=FAINT, lw=1, ls="--", zorder=1)
    _value_axis(axes, history, every)
    _value_axis(axes, history, every, of_y=False)
    axes.set_xlabel(
        f"predicted {axis_label(history.objective.name, history.objective.unit)}"
    )
    axes.set_ylabel(
        f"measured {axis_label(history.objective.name, history.objective.unit)}"
    )
    return figure


def timeline(history: History) -> Figure | None:
    """When each station worked, a bar a step, coloured by trial."""
    acts = [
        act
        for act in history.acts
        if math.isfinite(act.started) and math.isfinite(act.ended) and act.station
    ]
    if not acts:
        return None
    stations = list(dict.fromkeys(act.station for act in acts))
    first = min(act.started for act in acts)
    span = max(act.ended for act in acts) - first
    size, unit = (3600.0, "h") if span > 3 * 3600 else (60.0, "min") if span > 180 else (1.0, "s")  # fmt: skip
    figure, axes = new_figure(7.4, 0.9 + 0.3 * len(stations))
    order = {trial.id: number for number, trial in enumerate(history.trials)}
    for row, station in enumerate(stations):
        here = [act for act in acts if act.station == station]
        axes.broken_barh(
            [
                ((act.started - first) / size, max(act.ended - act.started, span / 2000) / size)
                for act in here
            ],
            (row - 0.36, 0.72),
            facecolors=[
                FAILED
                if act.state == "failed"
                else COLOURS[order.get(act.trial, 0) % len(COLOURS)]
                for act in here
            ],
            linewidth=0,
        )  # fmt: skip
    axes.set_yticks(range(len(stations)), stations)
    axes.set_ylim(len(stations) - 0.4, -0.6)
    axes.set_xlim(left=0)
    axes.grid(visible=False, axis="y")
    axes.set_xlabel(f"real time since the first step ({unit})")
    return figure


def new_figure(width: float, height: float) -> tuple[Figure, Axes]:
    mpl.rcParams.update(STYLE)
    figure = Figure(figsize=(width, height), layout="constrained")
    return figure, figure.subplots()


def _points(history: History) -> list[tuple[Trial, float]]:
    """Return the observed trials with their objective, in the order of the trials."""
    return [
        (trial, one.value)
        for trial in history.trials
        if (one := history.estimate(trial)) is not None
    ]


Group = tuple[str, tuple[str, str, list[Trial]]]


def by_option(history: History, trials: Sequence[Trial]) -> list[Group]:
    """Return trials by option of the first choice: name, colour, marker, trials."""
    choice = history.choice
    if choice is None:
        return [("observed", (COLOURS[0], MARKERS[0], list(trials)))] if trials else []
    members: dict[str, list[Trial]] = {}
    for trial in trials:
        members.setdefault(str(trial.candidate.values.get(choice.name)), []).append(
            trial
        )
    return [
        (name, (*_look(history, own[0]), own)) for name, own in sorted(members.items())
    ]


def _look(history: History, trial: Trial) -> tuple[str, str]:
    """Return colour and marker of a trial, the same in every plot."""
    choice = history.choice
    if choice is None:
        return COLOURS[0], MARKERS[0]
    name = str(trial.candidate.values.get(choice.name))
    number = choice.options.index(name) if name in choice.options else 0
    return COLOURS[number % len(COLOURS)], MARKERS[number % len(MARKERS)]


def _bar(value: float, std: float) -> list[list[float]]:
    """Return an error bar that a log axis can hold."""
    size = std if math.isfinite(std) and std > 0 else 0.0
    return [[min(size, 0.95 * abs(value))], [size]]


def error_bars(measurements: Sequence[Any]) -> list[list[float]]:
    each = [_bar(one.value, one.std) for one in measurements]
    return [[low[0] for low, _ in each], [high[0] for _, high in each]]


def _number(trial: Trial, parameter: Parameter) -> float:
    value = trial.candidate.values.get(parameter.name)
    return float(value) if isinstance(value, int | float) else math.nan


def _value_axis(
    axes: Axes, history: History, values: Sequence[float], *, of_y: bool = True
) -> None:
    """Make an axis of the objective logarithmic when its scale is."""
    if history.objective and history.objective.scale == "log" and min(values) > 0:
        log_axis(axes.yaxis if of_y else axes.xaxis, values)


def _parameter_axis(axes: Axes, parameter: Parameter) -> None:
    if parameter.low is None or parameter.high is None:
        return
    if parameter.scale == "log" and parameter.low > 0:
        log_axis(axes.xaxis, [parameter.low, parameter.high])
        margin = (parameter.high / parameter.low) ** 0.05
        axes.set_xlim(parameter.low / margin, parameter.high * margin)
    else:
        margin = 0.05 * (parameter.high - parameter.low)
        axes.set_xlim(parameter.low - margin, parameter.high + margin)
        axes.xaxis.set_major_locator(MaxNLocator(4))


def log_axis(axis: Any, values: Sequence[float]) -> None:
    """Make an axis logarithmic with numbers that people read, 200 and not 2 x 10^2."""
    set_scale: Callable[[str], None] = (
        axis.axes.set_yscale if axis.axis_name == "y" else axis.axes.set_xscale
    )
    set_scale("log")
    good = [value for value in values if math.isfinite(value) and value > 0]
    decades = math.log10(max(good) / min(good)) if good else 1.0
    subs = (1.0, 2.0, 5.0) if decades < 2.5 else (1.0,)
    axis.set_major_locator(LogLocator(subs=subs))
    axis.set_major_formatter(FuncFormatter(lambda value, _: units.show(value, "")))
    axis.set_minor_formatter(NullFormatter())


def axis_label(name: str, unit: str) -> str:
    words = name.replace("_", " ")
    shown = units.pretty(unit)
    return f"{words} ({shown})" if shown else words


def say(axes: Axes, text: str) -> None:
    axes.text(
        0.5, 0.5, text, color=FAINT, ha="center", va="center", transform=axes.transAxes
    )


def add_legend(figure: Figure, axes: Axes) -> None:
    if axes.get_legend_handles_labels()[0]:
        figure.legend(loc="outside right upper", handletextpad=0.5, labelspacing=0.35)


def statuses(history: History) -> dict[str, int]:
    """Return how many trials have each status, those that occur only."""
    found = [trial.status for trial in history.trials]
    return {one.value: found.count(one) for one in TrialStatus if one in found}
