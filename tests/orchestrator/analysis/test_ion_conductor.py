"""From the runs of a cell to conductivity and transference number."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import pytest

from orchestrator.analysis.ion_conductor import at_30_degc, at_60_degc, lithium, sweeps
from orchestrator.analysis.readings import AnalysisError
from orchestrator.records import Document, Measurement
from tests.orchestrator.analysis.cells import Cell, sweep
from tests.orchestrator.analysis.runs import run
from tests.orchestrator.analysis.test_temperature import peo

UNITS = {
    "lcr_frequency": "Hz",
    "lcr_resistance": "ohm",
    "lcr_reactance": "ohm",
    "lcr_status": "",
    "chamber_temperature": "degC",
}
THICKNESS = {"thickness": Measurement("thickness", 1e5, 2e3, "nm", "gauge")}


def sweep_events(
    cell: Cell, t: float, seed: int, *, again: bool = True, points: int = 45
) -> list[dict[str, Any]]:
    rng = np.random.default_rng(seed)
    f = sweep(points=points)
    f = np.append(f, f[0]) if again else f
    z = cell.impedance(f) * (
        1 + 0.0035 * (rng.normal(size=f.size) + 1j * rng.normal(size=f.size))
    )
    return [
        {
            "lcr_frequency": float(a),
            "lcr_resistance": float(b.real),
            "lcr_reactance": float(b.imag),
            "lcr_status": 0,
            "chamber_temperature": t + 0.2 * math.sin(i),
        }
        for i, (a, b) in enumerate(zip(f, z, strict=True))
    ]


def impedance_run(
    events: list[dict[str, Any]], uid: str = "eis", area: Any = 0.785
) -> list[Document]:
    documents = run(UNITS, events, uid=uid)
    documents[0][1]["parameters"] = {"area": area}
    return documents


def over(temperatures: tuple[float, ...], **words: Any) -> list[Document]:
    events: list[dict[str, Any]] = []
    for i, t in enumerate(temperatures):
        events += sweep_events(Cell(peo(t)), t, i, **words)
    return impedance_run(events)


def test_conductivity_at_30_and_60_degc_comes_from_all_temperatures() -> None:
    documents = over((25.0, 40.0, 55.0, 70.0))
    for analysis, t in ((at_30_degc, 30.0), (at_60_degc, 60.0)):
        found = analysis({"spectra": documents}, THICKNESS)
        assert found.believed, found.doubts
        assert found.unit == "S/cm"
        assert abs(found.value - peo(t)) <= 3 * found.std
        assert 0.02 < found.std / found.value < 0.08
        assert f"interpolated at {t:g} degC" in found.method
        assert len(found.details["temperatures"]) == 4
        assert found.runs == ("eis",)


def test_one_temperature_answers_for_itself_only() -> None:
    documents = over((30.4,))
    assert at_30_degc({"spectra": documents}, THICKNESS).believed
    other = at_60_degc({"spectra": documents}, THICKNESS)
    assert not other.believed
    assert "nothing was measured near 60 degC" in other.doubts[0]


def test_an_extrapolation_is_not_believed() -> None:
    found = at_60_degc({"spectra": over((20.0, 30.0, 40.0))}, THICKNESS)
    assert not found.believed
    assert any("an extrapolation" in one for one in found.doubts)


def test_sweeps_are_told_apart_at_one_temperature_too() -> None:
    cell = Cell(1e-5)
    for again in (True, False):
        events = sweep_events(cell, 30.0, 1, again=again) + sweep_events(
            cell, 30.0, 2, again=again
        )
        found, faults = sweeps(impedance_run(events))
        assert not faults
        assert [one.spectrum.frequency.size for one in found] == [45, 45]
        assert all((one.spectrum.again is not None) == again for one in found)


def test_a_bad_temperature_is_left_out_and_said() -> None:
    events = [*sweep_events(Cell(peo(25.0)), 25.0, 1)]
    events += sweep_events(Cell(peo(45.0)), 45.0, 2, points=5, again=False)
    events += sweep_events(Cell(peo(65.0)), 65.0, 3)
    found = at_30_degc({"spectra": impedance_run(events)}, THICKNESS)
    assert found.believed
    assert any("45.0 degC: 5 points" in one for one in found.details["left_out"])


def test_beyond_the_analyser_there_is_a_bound_and_no_belief() -> None:
    documents = impedance_run(sweep_events(Cell(1e-2), 30.0, 1))
    found = at_30_degc({"spectra": documents}, THICKNESS)
    assert not found.believed
    assert "conductivity >= " in found.method
    assert "leads and contacts" in found.doubts[0]


def test_overloaded_readings_are_left_out_until_they_are_too_many() -> None:
    events = sweep_events(Cell(1e-5), 30.0, 1)
    for one in events[5:10]:
        one |= {"lcr_resistance": 9.9e37, "lcr_reactance": 9.9e37, "lcr_status": 1}
    assert at_30_degc({"spectra": impedance_run(events)}, THICKNESS).believed
    for one in events[10:30]:
        one["lcr_status"] = 3
    with pytest.raises(AnalysisError, match="25 of 46 readings are none"):
        at_30_degc({"spectra": impedance_run(events)}, THICKNESS)


def test_a_short_in_the_run_is_taken_off() -> None:
    cell = Cell(1e-2, contact=0.0, inductance=0.0, q_block=1e-5)
    f = sweep()
    leads = 1.5 + 2j * np.pi * f * 4e-7
    events = sweep_events(cell, 30.0, 1, again=False)
    for one, z in zip(events, leads, strict=True):
        one["lcr_resistance"] += z.real
        one["lcr_reactance"] += z.imag
    documents = impedance_run(events)
    keys = {name: {"units": unit} for name, unit in UNITS.items()}
    documents.insert(
        2, ("descriptor", {"uid": "short", "name": "short", "data_keys": keys})
    )
    for i, (one, z) in enumerate(zip(events, leads, strict=True), 1):
        data = one | {"lcr_resistance": z.real, "lcr_reactance": z.imag}
        documents.insert(
            -1, ("event", {"descriptor": "short", "seq_num": i, "data": data})
        )
    found = at_30_degc({"spectra": documents}, THICKNESS)
    assert found.believed, found.doubts
    assert found.value == pytest.approx(1e-2, abs=3 * found.std)


def test_without_an_area_the_run_is_named() -> None:
    documents = impedance_run(sweep_events(Cell(1e-5), 30.0, 1), area=None)
    with pytest.raises(AnalysisError, match="run eis: parameter area is None"):
        at_30_degc({"spectra": documents}, THICKNESS)


def polarise_run(end: float = 8.0) -> list[Document]:
    rng = np.random.default_rng(5)
    t = np.linspace(0, end * 1000.0, 120)
    i = 4e-6 + 8e-6 * np.exp(-t / 1000.0) + 1e-8 * rng.normal(size=t.size)
    units = {"smu_time": "s", "smu_current": "A", "smu_voltage": "V"}
    events = [
        {"smu_time": float(a), "smu_current": float(b), "smu_voltage": 0.01}
        for a, b in zip(t, i, strict=True)
    ]
    return run(units, events, uid="pol")


def lithium_run(uid: str, interface: float) -> list[Document]:
    return impedance_run(sweep_events(Cell(2e-5, interface=interface), 60.0, 3), uid)


def test_transference_takes_the_interfaces_from_spectra_before_and_after() -> None:
    runs = {
        "polarise": polarise_run(),
        "before": lithium_run("b", 200.0),
        "after": lithium_run("a", 230.0),
    }
    found = lithium(runs, {})
    r_0, r_s = 200.0 / 0.785, 230.0 / 0.785
    true = 4e-6 * (0.01 - 12e-6 * r_0) / (12e-6 * (0.01 - 4e-6 * r_s))
    assert found.believed, found.doubts
    assert abs(found.value - true) <= 3 * found.std
    assert found.std < 0.15 * true
    assert found.runs == ("pol", "b", "a")


def test_transference_is_not_believed_before_the_current_is_steady() -> None:
    runs = {
        "polarise": polarise_run(2.0),
        "before": lithium_run("b", 200.0),
        "after": lithium_run("a", 200.0),
    }
    found = lithium(runs, {})
    assert not found.believed
    assert any("is not steady" in one for one in found.doubts)


def test_blocking_electrodes_have_no_interface_to_take_off() -> None:
    blocking = impedance_run(sweep_events(Cell(2e-5), 60.0, 3))
    found = lithium(
        {"polarise": polarise_run(), "before": blocking, "after": blocking}, {}
    )
    assert any("no arc of an interface" in one for one in found.doubts)
