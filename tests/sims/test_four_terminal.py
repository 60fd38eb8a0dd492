"""The circuit of film, relays and leads obeys the laws of four-terminal networks."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from sims.models.four_terminal import Response, film_conductances, solve

resistances = st.floats(1e-2, 1e5)
LAYOUTS = {
    "R12,43": (1, 2, 4, 3),
    "R23,14": (2, 3, 1, 4),
    "R34,21": (3, 4, 2, 1),
    "R41,32": (4, 1, 3, 2),
    "R13,42": (1, 3, 4, 2),
}


def read(r_a: float, r_b: float, layout: str, contact: float = 20.0) -> Response:
    closed = [(row, column) for row, column in enumerate(LAYOUTS[layout], start=1)]
    film = film_conductances(r_a, r_b)
    pins, calm = np.full(4, contact), np.zeros(4)
    return solve(film, closed, pins, calm, remote=True)


@given(resistances, resistances)
def test_each_configuration_shows_its_resistance(r_a: float, r_b: float) -> None:
    scale = 1e-5 * (r_a + r_b)
    assert read(r_a, r_b, "R12,43").sense == pytest.approx(r_a, rel=0.0, abs=scale)
    assert read(r_a, r_b, "R23,14").sense == pytest.approx(r_b, rel=0.0, abs=scale)


@given(resistances, resistances)
def test_current_and_voltage_leads_may_be_exchanged(r_a: float, r_b: float) -> None:
    scale = 1e-5 * (r_a + r_b)
    for one, other in (("R12,43", "R34,21"), ("R23,14", "R41,32")):
        assert read(r_a, r_b, one).sense == pytest.approx(
            read(r_a, r_b, other).sense, abs=scale
        )


@given(resistances, resistances)
def test_the_diagonal_is_the_difference_of_the_sides(r_a: float, r_b: float) -> None:
    diagonal = read(r_a, r_b, "R13,42").sense
    assert diagonal == pytest.approx(r_a - r_b, abs=1e-5 * (r_a + r_b))


@given(resistances, resistances)
def test_a_film_takes_power_and_gives_none(r_a: float, r_b: float) -> None:
    film = film_conductances(r_a, r_b)
    assert np.linalg.eigvalsh(film).min() > -1e-9 * np.abs(film).max()
    assert film.sum(axis=0) == pytest.approx(np.zeros(4), abs=1e-9 * np.abs(film).max())


def test_contacts_are_seen_with_two_wires_and_not_with_four() -> None:
    closed = [(1, 1), (2, 2)]
    film, calm = film_conductances(20.0, 14.0), np.zeros(4)
    two = [
        solve(film, closed, np.full(4, ohm), calm, remote=False).sense
        for ohm in (20.0, 50.0)
    ]
    assert two[1] - two[0] == pytest.approx(60.0, rel=1e-4)
    four = [read(20.0, 14.0, "R12,43", ohm).sense for ohm in (20.0, 50.0)]
    assert four[1] == pytest.approx(four[0], rel=1e-6)


def test_an_open_lead_is_an_open_circuit() -> None:
    film, pins, calm = film_conductances(20.0, 14.0), np.full(4, 20.0), np.zeros(4)
    assert solve(film, [(1, 1)], pins, calm, remote=True).force > 1e9
    assert read(np.inf, np.inf, "R12,43").force > 1e9


def test_thermoelectric_voltages_appear_between_the_sense_contacts() -> None:
    film, pins = film_conductances(20.0, 14.0), np.full(4, 20.0)
    closed = [(1, 1), (2, 2), (3, 4), (4, 3)]
    emf = np.array([0.0, 0.0, 5e-6, 30e-6])
    offset = solve(film, closed, pins, emf, remote=True).offset
    assert offset == pytest.approx(25e-6, rel=1e-4)
