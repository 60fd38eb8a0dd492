"""Cells have the spectra and the currents of the physics dossier (C2, C3)."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from sims.physics.cell import Assembly, Cell, assembled, shorting_piece
from sims.physics.conduction import Arrhenius, PeoLiTfsi, Plain, SingleIon

PERFECT = Assembly(inductance=0.0, resistance=0.0, arc_exponent=1.0)
ROOM = 25.0


def film(conductivity: float, **shape: Any) -> Cell:
    """Return a cell of a material that conducts so many S/cm at 25 degC."""
    return Cell(Plain(Arrhenius(conductivity)), **shape)


def arc_peak(cell: Cell) -> float:
    """Return where the arc peaks (Hz), without what is before and behind the film."""
    frequency = np.geomspace(1.0, 1e10, 20001)
    rest = Cell(cell.ions, cell.thickness * 1e-9, cell.area, assembly=cell.assembly)
    bulk = cell.impedance(frequency, ROOM) - rest.impedance(frequency, ROOM)
    return float(frequency[np.argmax(-bulk.imag)])


@pytest.mark.parametrize(
    ("conductivity", "peak", "resistance"),
    [
        (1e-9, 180.0, 1.3e7),
        (1e-7, 18e3, 1.3e5),
        (1e-6, 180e3, 1.3e4),
        (1e-5, 1.8e6, 1.3e3),
        (1e-4, 18e6, 127.0),
        (1e-2, 1.8e9, 1.3),
    ],
)
def test_arc_and_resistance_are_those_of_the_table(
    conductivity: float, peak: float, resistance: float
) -> None:
    cell = film(conductivity, thickness=100.0, area=0.785, assembly=PERFECT)
    assert cell.bulk_resistance(ROOM) == pytest.approx(resistance, rel=0.03)
    assert arc_peak(cell) == pytest.approx(peak, rel=0.03)


@given(st.floats(20.0, 500.0), st.floats(0.1, 5.0), st.floats(0.85, 1.0))
def test_the_arc_peaks_where_the_material_says_whatever_the_geometry(
    thickness: float, area: float, power: float
) -> None:
    # Oracle 9: at σ/(2π ε0 εr).
    made = Assembly(arc_exponent=power)
    cell = film(1e-6, thickness=thickness, area=area, assembly=made)
    expected = 1e-6 / (2.0 * math.pi * 8.8541878e-14 * 10.0)
    assert arc_peak(cell) == pytest.approx(expected, rel=0.002)


@given(st.floats(20.0, 500.0), st.floats(0.1, 5.0))
def test_resistance_is_length_over_conductivity_and_area(
    thickness: float, area: float
) -> None:
    cell = film(1e-6, thickness=thickness, area=area)
    expected = thickness * 1e-4 / (1e-6 * area)
    assert cell.bulk_resistance(ROOM) == pytest.approx(expected)


def test_the_spectrum_is_the_sum_of_its_parts() -> None:
    made = Assembly(4e-7, 1.5, 0.95, 0.7, 3e-6)
    cell = film(1e-6, assembly=made)
    jw = 2j * math.pi * 5e4
    bulk = cell.bulk_resistance(ROOM)
    q_g = cell.capacitance**0.95 * bulk ** (0.95 - 1.0)
    expected = jw * 4e-7 + 1.5 + 1.0 / (1.0 / bulk + q_g * jw**0.95)
    expected += 1.0 / (3e-6 * cell.area * jw**0.7)
    assert cell.impedance(5e4, ROOM) == pytest.approx(expected)


def test_steel_blocks_and_lithium_does_not() -> None:
    for lithium, grows in ((False, True), (True, False)):
        cell = film(1e-5, lithium=lithium)
        low, lower = cell.impedance([1e-4, 1e-6], ROOM).real
        assert (lower > 10.0 * low) == grows


def test_lithium_shows_bulk_layers_and_gradient_one_after_the_other() -> None:
    cell = film(1e-5, lithium=True, assembly=PERFECT)
    bulk, layers = cell.bulk_resistance(ROOM), cell.layer_resistance(ROOM)
    share = cell.ions.transference()
    plateaus = cell.impedance([1e-7], ROOM).real
    assert plateaus[0] == pytest.approx(bulk / share + layers, rel=1e-3)
    assert 50.0 <= cell.ions.interface(60.0) <= 1000.0


def test_the_current_of_bruce_vincent_and_evans_gives_the_share_back() -> None:
    for ions in (PeoLiTfsi(0.9), SingleIon()):
        cell = Cell(ions, lithium=True)
        volt, at = 0.01, 60.0
        first, last = cell.current(volt, 0.0, at), cell.current(volt, 1e9, at)
        before = cell.layer_resistance(at) + cell.assembly.resistance
        after = 1.1 * cell.layer_resistance(at) + cell.assembly.resistance
        share = last * (volt - first * before) / (first * (volt - last * after))
        assert share == pytest.approx(ions.transference(), rel=1e-6)


def test_the_gradient_of_100_um_takes_17_minutes() -> None:
    cell = Cell(PeoLiTfsi(), thickness=100.0, lithium=True)
    assert cell.relaxation(60.0) / 60.0 == pytest.approx(17.0, abs=0.2)
    first, last = cell.current(0.01, 0.0, 60.0), cell.current(0.01, 1e9, 60.0)
    then = cell.current(0.01, cell.relaxation(60.0), 60.0)
    assert (then - last) / (first - last) == pytest.approx(math.exp(-1.0))


def test_between_steel_the_current_dies_away() -> None:
    cell = film(1e-5)
    currents = [cell.current(0.01, seconds, ROOM) for seconds in (0.0, 1.0, 60.0, 3600)]
    assert currents == sorted(currents, reverse=True)
    assert currents[-1] < 1e-4 * currents[0]


def test_cells_made_alike_scatter_by_less_than_a_tenth_of_a_decade() -> None:
    rng = np.random.default_rng(7)
    cells = [assembled(PeoLiTfsi(), rng, failed=0.0) for _ in range(400)]
    assert 0.05 <= np.std(np.log10([one.spread for one in cells])) <= 0.1
    powers = [one.assembly.arc_exponent for one in cells]
    assert 0.85 <= min(powers) <= max(powers) <= 1.0
    assert np.median(powers) == pytest.approx(0.96, abs=0.01)
    tails = [one.assembly.spike_exponent for one in cells]
    assert np.median(tails) == pytest.approx(0.70, abs=0.02)


def test_some_cells_are_no_good() -> None:
    rng = np.random.default_rng(8)
    cells = [assembled(PeoLiTfsi(), rng, failed=0.3) for _ in range(600)]
    bad = [one for one in cells if one.failure or one.spread < 0.4]
    assert 0.2 <= len(bad) / len(cells) <= 0.4
    assert {one.failure for one in bad} == {"short", "open", ""}


def test_a_short_is_its_leads_and_an_open_one_hardly_anything() -> None:
    short, lost = film(1e-5, failure="short"), film(1e-5, failure="open")
    assert short.impedance(1e3, ROOM).real == short.assembly.resistance
    assert abs(lost.impedance(1e3, ROOM)) > 1e8
    assert abs(shorting_piece().impedance(1e3, ROOM)) < 1e-3
    assert lost.current(0.01, 0.0, ROOM) < 1e-12


def test_what_does_not_conduct_is_an_insulator() -> None:
    cell = Cell(SingleIon(glass=400.0))
    assert np.isfinite(cell.impedance([1.0, 1e6], ROOM)).all()
    assert abs(cell.impedance(1.0, ROOM)) > 1e9
