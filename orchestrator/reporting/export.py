"""A campaign as a table for other programs: CSV, XLSX or JSON, units in every header.

==== =========================================================================
csv  one row a trial: candidate, every measurement, why it failed
xlsx the same, and sheets of measurements, readings (from Tiled), steps, about
json everything: the same rows, the ledger's events, the readings, a schema version
==== =========================================================================

A file that is there already is replaced, whole: it is written beside it first.
"""

from __future__ import annotations

import csv
import json
import math
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import asdict
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from orchestrator.archive.documents import RunRecord
from orchestrator.desirable import desirability_of, parts, wanted_text
from orchestrator.errors import Refused
from orchestrator.ledger import Event
from orchestrator.reporting.history import History, read_history
from planners.data import Limit

SCHEMA = "polyloop.campaign/1"

Row = dict[str, Any]


def export(events: Sequence[Event], data: Path, to: Path) -> Path:
    """Write a campaign to a file whose extension says how; return its path.

    Raises
    ------
    Refused
        When the extension is not one of csv, xlsx and json, or the folder is not there.
    """
    writers: dict[str, Callable[[Sequence[Event], Path, Path], None]] = {
        ".csv": _write_csv,
        ".xlsx": _write_xlsx,
        ".json": _write_json,
    }
    write = writers.get(to.suffix.lower())
    if write is None:
        raise Refused(
            f"--to {to}: {to.suffix or 'no extension'} — must end in "
            f"{', '.join(one for one in writers)}"
        )
    if not to.parent.is_dir():
        raise Refused(f"--to {to}: there is no folder {to.parent}")
    part = to.with_name(f".{to.name}.part")
    try:
        write(events, data, part)
        part.replace(to)
    except OSError as error:
        raise Refused(f"--to {to}: cannot be written: {error.strerror}") from error
    finally:
        part.unlink(missing_ok=True)
    return to


def trial_rows(history: History) -> list[Row]:
    """Return one row a trial; the keys are the headers, each with its unit."""
    quantities = history.quantities()
    best = {trial.id for trial in history.front()}
    whole = desirability_of(history.objectives)
    rows = []
    for trial in history.trials:
        row: Row = {
            "trial": trial.id,
            "status": trial.status.value,
            "sample": trial.sample,
            "candidate": trial.candidate.id,
            "by": "person" if trial.suggestion else "planner",
            "who": trial.suggestion.who if trial.suggestion else "",
            "note": trial.suggestion.note if trial.suggestion else "",
            "proposed for": trial.why,
            "best": trial.id in best,
        }
        for one in history.parameters:
            row[_header(one.name, one.unit)] = trial.candidate.values.get(one.name)
        for name, unit in quantities.items():
            found = history.measured(trial, name)
            row[_header(name, unit)] = found.value if found else None
            row[_header(f"{name} std", unit)] = found.std if found else None
            row[f"{name} believed"] = found.believed if found else None
        if history.limits:
            row["within limits"] = history.within(trial) if trial.observation else None
        if whole is not None:
            shares = {one.name: one.share for one in parts(whole, trial)}
            for desire in whole.desires:
                row[f"{desire.name} desirability"] = shares.get(desire.name)
        for alone in history.each():
            (objective,), guess = alone.objectives, alone.prediction(trial)
            header = _header(f"predicted {objective.name}", objective.unit)
            row[header] = guess[0] if guess else None
        row["reason of failure"] = trial.reason
        row["runs"] = " ".join(trial.runs.values())
        rows.append(row)
    return rows


def measurement_rows(history: History) -> list[Row]:
    """Return one row a measurement, those that are not believed included."""
    return [
        {
            "trial": trial.id,
            "sample": trial.sample,
            "quantity": one.quantity,
            "value": one.value,
            "std": one.std,
            "unit": one.unit,
            "believed": one.believed,
            "doubts": "; ".join(one.doubts),
            "method": one.method,
            "runs": " ".join(one.runs),
            "details": json.dumps(dict(one.details)),
        }
        for trial in history.trials
        for one in trial.measurements
    ]


def step_rows(history: History) -> list[Row]:
    """Return one row an act: what was done to which sample, where and when."""
    return [
        {
            "trial": act.trial,
            "sample": act.sample,
            "step": act.step,
            "operation": act.operation,
            "station": act.station,
            "state": act.state,
            "started [UTC]": _moment(act.started),
            "ended [UTC]": _moment(act.ended),
            "lab time [s]": act.lab_seconds,
            "action": act.id,
            "run": act.run_uid,
            "reason": act.reason,
        }
        for act in history.acts
    ]


def reading_rows(history: History, records: Mapping[str, RunRecord]) -> list[Row]:
    """Return one row a reading, with the unit of its event descriptor."""
    rows = []
    for act in history.acts:
        record = records.get(act.run_uid)
        for stream, table in record.streams.items() if record else ():
            for name, values in table.columns.items():
                if name == "time":
                    continue
                for at, value in zip(table.columns["time"], values, strict=False):
                    rows.append(
                        {
                            "trial": act.trial,
                            "step": act.step,
                            "run": act.run_uid,
                            "stream": stream,
                            "time [UTC]": _moment(at),
                            "signal": name,
                            "value": value,
                            "unit": table.units.get(name, ""),
                        }
                    )
    return rows


def _records(history: History, data: Path) -> dict[str, RunRecord]:
    from orchestrator.archive.uploader import read_runs

    uids = [act.run_uid for act in history.acts if act.run_uid]
    return read_runs(data, uids) if uids else {}


def _write_csv(events: Sequence[Event], _data: Path, to: Path) -> None:
    history = read_history(events)
    rows = trial_rows(history)
    with to.open("w", newline="", encoding="utf-8") as file:
        writer = csv.DictWriter(file, fieldnames=list(_headers(history, rows)))
        writer.writeheader()
        writer.writerows({key: _cell(row[key]) for key in row} for row in rows)


def _write_xlsx(events: Sequence[Event], data: Path, to: Path) -> None:
    from openpyxl import Workbook
    from openpyxl.styles import Font
    from openpyxl.utils import get_column_letter

    history = read_history(events)
    trials = trial_rows(history)
    sheets = {
        "trials": trials,
        "measurements": measurement_rows(history),
        "readings": reading_rows(history, _records(history, data)),
        "steps": step_rows(history),
        "about": [{"what": key, "value": value} for key, value in _about(history)],
    }
    book = Workbook()
    book.remove(book.active)
    for name, rows in sheets.items():
        sheet = book.create_sheet(name)
        headers = list(rows[0]) if rows else []
        if name == "trials":
            headers = list(_headers(history, rows))
        sheet.append(headers)
        for cell in sheet[1]:
            cell.font = Font(bold=True)
        for row in rows:
            sheet.append([_cell(row[key]) for key in headers])
        # A text that begins with "=" is a text, whoever wrote it.
        for line in sheet.iter_rows(min_row=2):
            for cell in line:
                if cell.data_type == "f":
                    cell.data_type = "s"
        sheet.freeze_panes = "A2"
        for number, header in enumerate(headers, 1):
            sheet.column_dimensions[get_column_letter(number)].width = max(
                11, min(len(header) + 2, 30)
            )
    book.save(to)


def _write_json(events: Sequence[Event], data: Path, to: Path) -> None:
    history = read_history(events)
    records = _records(history, data)
    content = {
        "schema": SCHEMA,
        "about": dict(_about(history)),
        "space": [asdict(one) for one in history.parameters],
        "objectives": [asdict(one) for one in history.objectives],
        "limits": [asdict(one) for one in history.limits],
        "trials": trial_rows(history),
        "measurements": measurement_rows(history),
        "steps": step_rows(history),
        "runs": {uid: asdict(one) for uid, one in records.items()},
        "events": [asdict(one) for one in events],
    }
    # JSON has no NaN; null is what is not known.
    text = json.dumps(_plain(content), indent=1, allow_nan=False, ensure_ascii=False)
    to.write_text(text + "\n", encoding="utf-8")


def _about(history: History) -> list[tuple[str, Any]]:
    asked = [f"{o.direction} {o.name} [{o.unit}]" for o in history.objectives]
    whole = desirability_of(history.objectives)
    made_of = [
        (f"desirability of {one.name}", f"{wanted_text(one)}, weight {one.weight:g}")
        for one in (whole.desires if whole else ())
    ]
    return [
        ("campaign", history.id),
        ("lab", history.facts.get("lab", "")),
        ("planner", history.facts.get("planner", "")),
        ("seed", history.facts.get("seed", "")),
        ("began [UTC]", _moment(history.began)),
        ("last event [UTC]", _moment(history.last)),
        ("ended", history.progress.ended or "not ended"),
        ("objectives", ", ".join(asked)),
        *made_of,
        ("limits", ", ".join(map(_limit_text, history.limits))),
        ("best", "beaten by no other, within the limits"),
        ("std", "one standard uncertainty, in the unit of the value"),
        ("readings", "raw; from the catalog of runs, units from the event descriptors"),
        ("schema", SCHEMA),
    ]


def _limit_text(limit: Limit) -> str:
    ends = ((">=", limit.at_least), ("<=", limit.at_most))
    return ", ".join(
        f"{limit.name} {sign} {end:g} [{limit.unit}]"
        for sign, end in ends
        if end is not None
    )


def _headers(history: History, rows: Sequence[Row]) -> Iterable[str]:
    """Return the headers of the table of trials, also when there is no trial."""
    if rows:
        return rows[0]
    axes = (_header(one.name, one.unit) for one in history.parameters)
    return [
        "trial",
        "status",
        "sample",
        "candidate",
        "by",
        "who",
        "note",
        "best",
        *axes,
        "reason of failure",
        "runs",
    ]


def _header(name: str, unit: str) -> str:
    return f"{name} [{unit}]" if unit else name


def _moment(at: float) -> str:
    if not math.isfinite(at):
        return ""
    return datetime.fromtimestamp(at, UTC).isoformat(timespec="milliseconds")


def _cell(value: Any) -> Any:
    """Return a value that a cell can hold; what is not a number is left empty."""
    if isinstance(value, float) and not math.isfinite(value):
        return None
    if isinstance(value, list | dict | tuple):
        return json.dumps(value)
    return value


def _plain(value: Any) -> Any:
    if isinstance(value, Mapping):
        return {str(key): _plain(one) for key, one in value.items()}
    if isinstance(value, list | tuple):
        return [_plain(one) for one in value]
    if isinstance(value, float) and not math.isfinite(value):
        return None
    return value
