"""A film shows light, profilometer and four contacts one and the same thing."""

from __future__ import annotations

from math import exp, inf, pi

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sims.physics import film
from sims.physics.film import FilmState
from sims.physics.spin_coating import Ink, dry_thickness

ratios = st.floats(1e-3, 1e3)
sheets = st.floats(1e-2, 1e8)


@given(sheets, ratios)
def test_contact_resistances_obey_van_der_pauw(sheet: float, ratio: float) -> None:
    a, b = film.contact_resistances(sheet, ratio)
    assert exp(-pi * a / sheet) + exp(-pi * b / sheet) == pytest.approx(1.0, abs=1e-9)
    assert a / b == pytest.approx(ratio)


def test_a_square_of_one_ohm_at_each_contact_pair_is_4_532_ohm_per_square() -> None:
    assert film.contact_resistances(4.53236, 1.0) == pytest.approx((1.0, 1.0), rel=1e-5)


def test_a_bare_substrate_has_no_contact_resistance() -> None:
    assert film.contact_resistances(inf, 1.0) == (inf, inf)


def test_5000_siemens_per_cm_and_100_nm_are_20_ohm_per_square() -> None:
    assert film.sheet_resistance(5000.0, 100.0) == pytest.approx(20.0)


@given(st.floats(1.0, 300.0), st.floats(1.0, 2.5), st.floats(1.0, 2.5))
def test_washing_thins_a_film_and_keeps_its_absorbance(
    pedot: float, before: float, after: float
) -> None:
    a, b = FilmState(pedot, before), FilmState(pedot, after)
    assert film.absorbance(b) == pytest.approx(film.absorbance(a))
    expected = (1.0 + 1.12 * after) / (1.0 + 1.12 * before)
    assert b.thickness / a.thickness == pytest.approx(expected)


def test_bare_glass_lets_91_5_percent_through() -> None:
    assert film.transmittance(FilmState()) == pytest.approx(0.915)


def test_a_pristine_100_nm_film_absorbs_6_8_percent() -> None:
    state = FilmState(100.0 * film.pedot_fraction(2.5))
    assert film.absorbance(state) == pytest.approx(0.0684, abs=2e-4)
    assert 0.8 < film.transmittance(state) < 0.86


@pytest.mark.parametrize(
    ("rpm", "nanometres"), [(1000, 114), (2000, 80), (3000, 66), (4000, 57), (6000, 46)]
)
def test_the_spin_curve_is_that_of_the_dossier(rpm: float, nanometres: float) -> None:
    assert dry_thickness(Ink(), rpm) == pytest.approx(nanometres, abs=1.0)


def test_one_percent_more_humidity_thins_a_film_by_0_6_percent() -> None:
    ratio = dry_thickness(Ink(), 2000.0, 41.0) / dry_thickness(Ink(), 2000.0, 40.0)
    assert ratio == pytest.approx(0.994, abs=1e-3)
