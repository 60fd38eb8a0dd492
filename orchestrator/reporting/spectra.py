"""Spectra and temperature lines in the report of a campaign that measures impedance.

Which of its steps did is told by the documents, so that any recipe with an impedance
step has them, and no other.
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

from orchestrator.archive.documents import journal_directory
from orchestrator.campaign import Trial
from orchestrator.errors import PolyloopError
from orchestrator.reporting.history import History
from orchestrator.station.journal import read_documents

if TYPE_CHECKING:
    from matplotlib.figure import Figure

    from orchestrator.records import Document

OPERATION = "impedance"
SERIES = 6
"""Trials whose lines are drawn, the best first."""


def spectra_of_best(history: History, data: Path) -> Figure | None:
    """Return Nyquist plots with fits of the best trial, or None without spectra."""
    from orchestrator.analysis.ion_conductor import bulks
    from orchestrator.reporting.impedance_plots import nyquist_by_temperature

    for documents in _impedance_runs(history, data):
        try:
            found, _ = bulks(documents)
        except PolyloopError:
            continue  # what is wrong with it stands beside its trial
        return nyquist_by_temperature(found)
    return None


def temperature_lines(history: History) -> Figure | None:
    """Return conductivity over 1/T of the best trials, or None without such."""
    from orchestrator.analysis.temperature import Point, laws
    from orchestrator.reporting import impedance_plots

    objective = history.objective
    series = []
    for trial in history.ranked()[:SERIES]:
        points = [
            Point(row["temperature_degC"], row["conductivity_S_per_cm"], std)
            for row in _table(history, trial)
            if row.get("sign") == "=" and (std := row["conductivity_std_S_per_cm"])
        ]
        ranked = laws(points)
        series.append((trial.id, points, ranked[0] if ranked else None))
    target = objective.target if objective and objective.unit == "S/cm" else None
    return impedance_plots.temperature_lines(series, target)


def _table(history: History, trial: Trial) -> list[dict[str, Any]]:
    """Return what each sweep of a trial came to; nothing where there was none."""
    name = history.objective.name if history.objective else ""
    measured = history.measured(trial, name)
    table: list[dict[str, Any]] = (
        list(measured.details.get("temperatures", ())) if measured else []
    )
    return table


def _impedance_runs(history: History, data: Path) -> list[list[Document]]:
    top = next(iter(history.ranked()), None)
    found = []
    for uid in top.runs.values() if top else ():
        try:
            documents = list(read_documents(journal_directory(data), uid))
        except FileNotFoundError:
            continue
        start = next((body for name, body in documents if name == "start"), {})
        if start.get("operation") == OPERATION:
            found.append(documents)
    return found
