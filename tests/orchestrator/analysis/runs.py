"""Runs as a run engine would record them, for analyses to read."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from orchestrator.analysis.van_der_pauw import PAIR_A, PAIR_B
from orchestrator.records import Document

ORDER = (PAIR_A[0], PAIR_B[0], PAIR_A[1], PAIR_B[1])
CURRENT = 1e-4


def run(
    units: Mapping[str, str],
    events: Iterable[Mapping[str, Any]],
    *,
    uid: str = "run-1",
    stream: str = "primary",
    exit_status: str = "success",
) -> list[Document]:
    """Return the documents of a run with one stream."""
    keys = {name: {"units": unit} for name, unit in units.items()}
    documents: list[Document] = [
        ("start", {"uid": uid}),
        ("descriptor", {"uid": f"{uid}-d", "name": stream, "data_keys": keys}),
    ]
    documents += [
        ("event", {"descriptor": f"{uid}-d", "seq_num": i, "data": dict(one)})
        for i, one in enumerate(events, start=1)
    ]
    return [*documents, ("stop", {"uid": "s", "exit_status": exit_status})]


VDP_UNITS = {
    "smu_voltage": "V",
    "smu_current": "A",
    "smu_compliance": "",
    "matrix_configuration": "",
}


def vdp_events(
    r_a: float,
    r_b: float,
    *,
    currents: tuple[float, ...] = (CURRENT, CURRENT / 3),
    offset: Mapping[str, float] | None = None,
    changes: Mapping[str, float] | None = None,
) -> list[dict[str, Any]]:
    """Return ideal readings of a film; ``changes`` multiply a configuration's ohm."""
    events = []
    for current in currents:
        for name in ORDER:
            ohm = (r_a if name in PAIR_A else r_b) * (changes or {}).get(name, 1.0)
            for sign in (1.0, -1.0):
                i = sign * current
                v = ohm * i + (offset or {}).get(name, 0.0)
                events.append(
                    {
                        "smu_voltage": v,
                        "smu_current": i,
                        "smu_compliance": 0,
                        "matrix_configuration": name,
                    }
                )
    return events


def vdp_run(*args: Any, **words: Any) -> dict[str, list[Document]]:
    """Return a run of ideal readings, by role."""
    return {"film": run(VDP_UNITS, vdp_events(*args, **words))}


def light_run(powers: Iterable[float], uid: str) -> list[Document]:
    """Return a run of a power meter."""
    units = {"pm_power": "W", "pm_dark": "W"}
    return run(units, [{"pm_power": p, "pm_dark": 2e-9} for p in powers], uid=uid)


def step_run(thickness: float, uncertainty: float) -> dict[str, list[Document]]:
    """Return a run of a profilometer, by role."""
    units = {"prof_thickness": "nm", "prof_uncertainty": "nm", "prof_file": ""}
    event = {
        "prof_thickness": thickness,
        "prof_uncertainty": uncertainty,
        "prof_file": "scan_0001.csv",
    }
    return {"profile": run(units, [event], uid="profile")}
