"""From the documents of one run to the rows an analysis works on.

A field is found by the end of its name and checked by its unit, never by its full
name: which instrument it came from is the lab's business.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

from orchestrator.errors import PolyloopError
from orchestrator.records import Document

OVERFLOW = 9e37
"""SCPI instruments say 9.9E37 for "too large" and 9.91E37 for "not a number"."""


class AnalysisError(PolyloopError):
    """The documents do not hold what an analysis needs; says what is missing."""


def finite(value: float) -> bool:
    """Whether a reading is a number, and not an instrument's word for none.

    Examples
    --------
    >>> finite(-0.01), finite(9.9e37), finite(float("nan"))
    (True, False, False)
    """
    return math.isfinite(value) and abs(value) < OVERFLOW


def run_uid(documents: Sequence[Document]) -> str:
    """Return the uid of the run, which must have a start and have ended well."""
    start = next((body for name, body in documents if name == "start"), None)
    if start is None:
        raise AnalysisError("no documents: the run has no start")
    uid = str(start["uid"])
    stop = next((body for name, body in documents if name == "stop"), None)
    if stop is None:
        raise AnalysisError(f"run {uid}: has no stop: it did not reach its end")
    if stop.get("exit_status") != "success":
        raise AnalysisError(
            f"run {uid}: exit status {stop.get('exit_status')!r} is not 'success'"
        )
    return uid


def rows(
    documents: Sequence[Document], units: dict[str, str], *, stream: str = "primary"
) -> list[dict[str, Any]]:
    """Return the events of a stream, in order, as values by the end of their name.

    Parameters
    ----------
    documents:
        All documents of one run.
    units:
        What is looked for: the end of a field's name, and the unit it must have.
    stream:
        The stream that holds the fields.

    Raises
    ------
    AnalysisError
        If the run did not end well, or a field is missing, there twice, or in
        another unit.
    """
    uid = run_uid(documents)
    names = {
        body["uid"]: _names(uid, body["data_keys"], units)
        for name, body in documents
        if name == "descriptor" and body.get("name") == stream
    }
    events = [
        body
        for name, body in documents
        if name == "event" and body["descriptor"] in names
    ]
    if not events:
        raise AnalysisError(f"run {uid}: stream {stream!r} has no event")
    events.sort(key=lambda body: int(body["seq_num"]))
    return [
        {end: body["data"][full] for end, full in names[body["descriptor"]].items()}
        for body in events
    ]


def _names(uid: str, keys: dict[str, Any], units: dict[str, str]) -> dict[str, str]:
    """Return the full name of each field that is looked for."""
    found = {}
    for end, unit in units.items():
        fits = [key for key in keys if key.endswith(f"_{end}")]
        if len(fits) != 1:
            many = "no field" if not fits else f"{len(fits)} fields ({', '.join(fits)})"
            raise AnalysisError(
                f"run {uid}: {many} ending in _{end}; one is needed, in {unit or 'text'}"
            )
        given = keys[fits[0]].get("units") or ""
        if given != unit:
            raise AnalysisError(
                f"run {uid}: {fits[0]} is in {given!r}; {unit!r} is needed"
            )
        found[end] = fits[0]
    return found
