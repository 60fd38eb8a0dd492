"""The report of a campaign: one HTML file that needs nothing beside it.

Everything comes from the ledger, but for the raw readings of the best film, which come
from the catalog of runs. What was measured, what was predicted and what was never
tried are kept apart in its words.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from pathlib import Path
from statistics import fmean
from typing import TYPE_CHECKING, Any

from orchestrator import units
from orchestrator.archive.documents import RunRecord
from orchestrator.best import gain_left
from orchestrator.campaign import Trial, by_text
from orchestrator.desirable import desirability_of, parts, wanted_text
from orchestrator.ledger import Event
from orchestrator.reporting.history import History, read_history
from orchestrator.reporting.spectra import spectra_of_best, temperature_lines
from orchestrator.reporting.surrogates import card_rows, earlier_rows, last_learned
from planners.desirability import quantities

if TYPE_CHECKING:
    from matplotlib.figure import Figure

TEMPLATES = Path(__file__).parent / "templates"

TRADE_OFF = ("sheet_resistance", "transmittance")
"""Drawn when both are measured: a transparent electrode wants little and much."""

ALIKE = 2.0
"""Two values closer than this many standard uncertainties are not told apart."""


def write_report(events: Sequence[Event], data: Path) -> Path:
    """Write ``reports/<campaign id>.html`` in a data directory; return its path."""
    history = read_history(events)
    path = data / "reports" / f"{history.id}.html"
    path.parent.mkdir(parents=True, exist_ok=True)
    raw, nyquist = _raw_of_best(history, data), spectra_of_best(history, data)
    path.write_text(report_html(events, raw, nyquist), encoding="utf-8")
    return path


def report_html(
    events: Sequence[Event],
    raw: Mapping[str, RunRecord] | None = None,
    nyquist: Figure | None = None,
) -> str:
    """Return the report as HTML.

    ``raw`` holds the runs of the best trial by step, ``nyquist`` its spectra.
    """
    from jinja2 import Environment, FileSystemLoader, StrictUndefined

    from orchestrator.reporting import desirability_plots, front_plots, plots

    history = read_history(events)
    several, whole = len(history.objectives) > 1, desirability_of(history.objectives)
    pair = {one.name for one in quantities(history.objectives)} == set(TRADE_OFF)
    figures = {
        "best_so_far": _best_so_far(history),
        "front": front_plots.of_objectives(history),
        "worth": desirability_plots.of_quantities(history),
        "trade_off": None if pair else front_plots.trade_off(history, *TRADE_OFF),
        "timeline": plots.timeline(history),
        "spectra": nyquist,
        "temperature": temperature_lines(history),
    }
    environment = Environment(
        loader=FileSystemLoader(TEMPLATES), autoescape=True, undefined=StrictUndefined,
        trim_blocks=True, lstrip_blocks=True,
    )  # fmt: skip
    return environment.get_template("report.html.j2").render(
        history=history,
        title=words(history.name),
        began=_moment(history.began),
        took=_length(history.last - history.began),
        statuses=plots.statuses(history),
        best=None if several else _best(history),
        front=_front(history) if several else [],
        limits=_limit_texts(history),
        each=[
            {
                "name": one.objective.name if one.objective else "",
                "by_choice": _svg(plots.by_choice(one)),
                "by_parameter": _svg(plots.by_parameter(one)),
                "predicted": _svg(plots.predicted(one)),
            }
            for one in history.each()
        ],
        figures={name: _svg(one) for name, one in figures.items()},
        trade_off=[words(name) for name in TRADE_OFF],
        trials=trial_rows(history),
        columns=[*_measured_columns(history), *history.parameters],
        cards=card_rows(history),
        learned=last_learned(history),
        earlier=earlier_rows(history),
        stations=_stations(history),
        raw=_raw_rows(raw or {}),
        made_of=whole.desires if whole else (),
        wanted=wanted_text,
        words=words,
        pretty=units.pretty,
    )


def best_so_far_pngs(history: History) -> list[bytes]:
    """Return what was reached so far as PNG files: best value, or volume and front."""
    from orchestrator.reporting import front_plots, plots

    figures = [_best_so_far(history), front_plots.of_objectives(history)]
    return [plots.png(one) for one in figures if one is not None]


def _best_so_far(history: History) -> Figure:
    from orchestrator.reporting import front_plots, plots

    several = len(history.objectives) > 1
    return front_plots.reached(history) if several else plots.best_so_far(history)


def _svg(figure: Figure | None) -> str:
    from orchestrator.reporting import plots

    return plots.svg(figure) if figure else ""


def trials_markdown(history: History) -> str:
    """Return the table of trials in markdown, the newest first."""
    columns = history.quantities() | {one.name: one.unit for one in history.parameters}
    titles = [
        f"{words(name)} ({units.pretty(unit)})" if units.pretty(unit) else words(name)
        for name, unit in columns.items()
    ]
    told_by = ["by"] if any(one.whence for one in history.trials) else []
    header = ["trial", *told_by, "status", *titles, "reason"]
    lines = [_markdown_row(header), _markdown_row(["---"] * len(header))]
    for row in reversed(trial_rows(history)):
        cells = [row["cells"].get(name, "") for name in columns]
        by = [row["by"] or row["whence"] or "planner" for _ in told_by]
        head = [row["id"], *by, row["status"]]
        lines.append(_markdown_row([*head, *cells, row["reason"]]))
    return "\n".join(lines)


def trial_rows(history: History) -> list[dict[str, Any]]:
    """Return one row a trial: id, status, sample, cells by column as text, reason.

    The units of the cells belong into the headers.
    """
    best = {trial.id for trial in history.front()}
    rows = []
    quantities = list(history.quantities())
    for trial in history.trials:
        values = {
            one.name: _parameter_text(trial.candidate.values.get(one.name), "")
            for one in history.parameters
        }
        doubted = []
        for name in quantities:
            if one := history.measured(trial, name):
                values[name] = _number_text(one.value, one.std)
                if not one.believed:
                    doubted.append(name)
        rows.append(
            {
                "id": trial.id,
                "status": trial.status.value,
                "sample": trial.sample.rpartition("/")[2],
                "cells": values,
                "doubted": doubted,
                "reason": trial.reason,
                "is_best": trial.id in best,
                "by": trial.suggestion.who if trial.suggestion else "",
                "whence": "" if trial.suggestion else trial.whence,
                "note": trial.suggestion.note if trial.suggestion else "",
            }
        )
    return rows


def words(name: str) -> str:
    """Return a name from a file as a person writes it."""
    return name.replace("_", " ")


def _measured_columns(history: History) -> list[dict[str, str]]:
    return [{"name": name, "unit": unit} for name, unit in history.quantities().items()]


def _parameter_text(value: object, unit: str) -> str:
    return (
        units.show(value, unit) if isinstance(value, int | float) else str(value or "")
    )


def _number_text(value: float, std: float) -> str:
    return units.show(value, "", std) if math.isfinite(value) else "—"


def _best(history: History) -> dict[str, Any] | None:
    """Return what is said of the best film, and how far it may be believed."""
    ranked, objective = history.ranked(), history.objective
    if not ranked or objective is None:
        return None
    top, whole = ranked[0], desirability_of(history.objectives)
    made_of = parts(whole, top) if whole else []
    aside = {objective.name, *(one.name for one in made_of)}
    one = history.estimate(top)
    assert one is not None  # noqa: S101 - ranked trials have one
    return {
        "trial": top,
        "sample": top.sample.rpartition("/")[2],
        "what": "highest" if objective.direction == "maximise" else "lowest",
        "quantity": words(objective.name),
        "value": units.show(one.value, objective.unit, one.std),
        "count": len(ranked),
        "recipe": [
            (words(p.name), _parameter_text(top.candidate.values.get(p.name), p.unit))
            for p in history.parameters
        ],
        "also": [
            (words(name), units.show(other.value, other.unit, other.std))
            for name in history.quantities()
            if name not in aside and (other := history.measured(top, name))
        ],
        "parts": made_of,
        "alike": _alike(history, ranked),
        "predicted": _predicted_text(history, top),
        "edge": [words(name) for name in history.at_edge(top)],
        "replicates": sum(t.candidate.id == top.candidate.id for t in ranked) - 1,
        "by": by_text(top.suggestion),
        "gain": gain_left(history.progress, history.objectives),
    }


def _front(history: History) -> list[dict[str, Any]]:
    """Return one row for each trial that no other beats, with values and recipe."""
    return [
        {
            "id": trial.id,
            "sample": trial.sample.rpartition("/")[2],
            "values": [
                units.show(found.value, one.unit, found.std)
                for one in history.objectives
                if (found := history.estimate(trial, one.name))
            ],
            "recipe": ", ".join(
                _parameter_text(trial.candidate.values.get(one.name), one.unit)
                for one in history.parameters
            ),
        }
        for trial in history.front()
    ]


def _limit_texts(history: History) -> list[str]:
    """Return each limit for people: transmittance at least 0.8."""
    texts = []
    for one in history.limits:
        ends = (("at least", one.at_least), ("at most", one.at_most))
        said = [
            f"{word} {units.show(n, one.unit)}" for word, n in ends if n is not None
        ]
        texts.append(f"{words(one.name)} {' and '.join(said)}")
    return texts


def _alike(history: History, ranked: Sequence[Trial]) -> list[str]:
    """Return the trials whose value the measurement cannot tell from the best one."""
    top = history.estimate(ranked[0])
    alike = []
    for trial in ranked[1:]:
        one = history.estimate(trial)
        # A std that is not finite compares false: nothing is said of such a film.
        if top and one:
            apart = abs(top.value - one.value) / ALIKE
            if apart <= math.hypot(top.std, one.std) < math.inf:
                alike.append(trial.id)
    return alike


def _predicted_text(history: History, trial: Trial) -> str:
    guess, objective = history.prediction(trial), history.objective
    if guess is None or objective is None:
        return ""
    mean, low, high = (f"{units.show(one, '')}" for one in map(_three_digits, guess))
    return f"{mean} {units.pretty(objective.unit)} ({low} to {high})"


def _three_digits(value: float) -> float:
    return float(f"{value:.3g}")


def _stations(history: History) -> list[dict[str, Any]]:
    """Return how many steps each station did, how long, and how much of the time."""
    acts = [act for act in history.acts if math.isfinite(act.ended) and act.station]
    if not acts:
        return []
    span = max(a.ended for a in acts) - min(a.started for a in acts)
    rows = []
    for station in dict.fromkeys(act.station for act in acts):
        here = [act for act in acts if act.station == station]
        busy = sum(act.ended - act.started for act in here)
        lab = sum(act.lab_seconds for act in here if math.isfinite(act.lab_seconds))
        rows.append(
            {
                "name": station,
                "steps": len(here),
                "failed": sum(act.state == "failed" for act in here),
                "lab": _length(lab) if lab else "—",
                "busy": f"{100 * busy / span:.0f} %" if span > 0 else "—",
            }
        )
    return rows


def _raw_of_best(history: History, data: Path) -> dict[str, RunRecord]:
    """Return the runs of the best trial by step name, as far as they are at hand."""
    from orchestrator.archive.uploader import read_runs

    top = next(iter(history.ranked()), None)
    if top is None or not top.runs:
        return {}
    records = read_runs(data, top.runs.values())
    return {step: records[uid] for step, uid in top.runs.items() if uid in records}


def _raw_rows(raw: Mapping[str, RunRecord]) -> list[dict[str, Any]]:
    """Return one row a signal: step, signal, readings, mean and spread, run uid."""
    rows = []
    for step, record in raw.items():
        for stream, table in record.streams.items():
            for name, values in table.columns.items():
                if name == "time":
                    continue
                unit = table.units.get(name, "")
                rows.append(
                    {
                        "step": step,
                        "stream": stream,
                        "signal": name,
                        "unit": units.pretty(unit),
                        "readings": len(values),
                        "summary": _summary(values, unit),
                        "uid": record.uid,
                    }
                )
    return rows


def _summary(values: Sequence[Any], unit: str) -> str:
    """Return a column in a few words: its value, or its mean and its ends."""
    numbers = [v for v in values if isinstance(v, int | float) and math.isfinite(v)]
    if numbers:
        low, high = min(numbers), max(numbers)
        if low == high:
            return units.show(low, unit)
        ends = f"{units.show(low, unit)} to {units.show(high, unit)}"
        return f"{units.show(fmean(numbers), unit)} ({ends})"
    texts = list(dict.fromkeys(str(value) for value in values if value is not None))
    return ", ".join(texts[:4]) + (" …" if len(texts) > 4 else "")


def _moment(at: float) -> str:
    return datetime.fromtimestamp(at, UTC).strftime("%Y-%m-%d %H:%M UTC")


def _length(seconds: float) -> str:
    if seconds < 100:
        return f"{seconds:.0f} s"
    minutes = seconds / 60
    return f"{minutes:.0f} min" if minutes < 100 else f"{minutes / 60:.1f} h"


def _markdown_row(cells: Sequence[str]) -> str:
    safe = (cell.replace("|", "\\|").replace("\n", " ") for cell in cells)
    return f"| {' | '.join(safe)} |"
