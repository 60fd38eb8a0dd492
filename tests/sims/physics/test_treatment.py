"""The published laws, as formulas."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sims.physics import treatment
from sims.physics.chemicals import acid_factor, size_factor
from sims.physics.treatment import Treatment

potentials = st.floats(0.01, 1.0)
minutes = st.floats(0.01, 60.0)


@given(potentials, minutes, minutes)
def test_a_soak_cut_in_two_is_the_same_soak(
    potential: float, first: float, second: float
) -> None:
    once = treatment.soak_order(potential, first + second)
    cut = treatment.soak_on(treatment.soak_on(0.0, potential, first), potential, second)
    assert cut == pytest.approx(once, rel=1e-6, abs=1e-9)


@given(st.floats(0.01, 0.45), st.floats(0.1, 3.0), st.floats(0.1, 3.0))
def test_treatments_cut_in_two_are_the_same_treatments(
    single: float, first: float, second: float
) -> None:
    once = treatment.dry_on(0.0, single, first + second)
    cut = treatment.dry_on(treatment.dry_on(0.0, single, first), single, second)
    assert cut == pytest.approx(once, rel=1e-6)


@given(st.floats(0.0, 0.9), potentials, minutes)
def test_no_bath_takes_order_away(order: float, potential: float, t: float) -> None:
    assert treatment.soak_on(order, potential, t) >= order


def test_half_of_the_soak_is_over_after_1_6_minutes() -> None:
    assert treatment.soak_order(1.0, 1.65) == pytest.approx(0.5, abs=0.01)


def test_five_minutes_at_200_degrees_cost_a_fifth() -> None:
    damage = Treatment().heat_damage(300.0, 200.0)
    assert treatment.damage_factor(damage) == pytest.approx(0.8)


@pytest.mark.parametrize(
    ("acidity", "anneal", "measured"),
    [
        (-4.7, 120, 1178),
        (-7.36, 120, 3718),
        (-11.1, 110, 4055),
        (-11.1, 120, 4156),
        (-11.1, 140, 3801),
        (-11.1, 160, 3405),
    ],
)
def test_the_soak_law_gives_the_published_sulfuric_films(
    acidity: float, anneal: float, measured: float
) -> None:
    law = treatment.soak_conductivity(acid_factor(acidity), 10.0, anneal=anneal)
    assert law == pytest.approx(measured, rel=10**0.25 - 1)


def test_an_unrinsed_film_keeps_54_percent() -> None:
    rinsed = treatment.soak_conductivity(0.8, 10.0)
    assert treatment.soak_conductivity(0.8, 10.0, rinsed=False) == 0.54 * rinsed


def test_the_best_plate_for_drying_acid_on_is_between_150_and_180_degrees() -> None:
    best = max(range(80, 201), key=lambda t: treatment.dry_conductivity(9.0, t))
    assert 150 <= best <= 180


VOLUMES = {
    "methanesulfonic": (73, 1880),
    "benzenesulfonic": (127, 1967),
    "4-hydroxybenzenesulfonic": (137, 1981),
    "4-chlorobenzenesulfonic": (143, 1841),
    "p-toluenesulfonic": (144, 1912),
    "4-ethylbenzenesulfonic": (161, 1543),
    "2-naphthalenesulfonic": (170, 1353),
    "camphorsulfonic": (183, 617),
}


@pytest.mark.parametrize("acid", VOLUMES)
def test_the_size_law_gives_the_plateau_of_each_additive(acid: str) -> None:
    volume, plateau = VOLUMES[acid]
    assert treatment.additive_plateau(volume) == pytest.approx(plateau, rel=0.08)
    law = pytest.approx(1950.0 * size_factor(volume))
    assert treatment.additive_plateau(volume) == law


def test_camphorsulfonic_acid_in_ink_is_below_0_4_of_benzenesulfonic_acid() -> None:
    def film(volume: float, half: float, hill: float) -> float:
        plateau = treatment.additive_plateau(volume)
        return treatment.additive_conductivity(
            0.1, plateau=plateau, half=half, hill=hill, pristine=1.0
        )

    assert film(183, 0.057, 12) < 0.4 * film(127, 0.034, 12)


def test_an_additive_at_its_half_concentration_reaches_the_geometric_mean() -> None:
    middle = treatment.additive_conductivity(
        0.04, plateau=1600.0, half=0.04, hill=6.0, pristine=1.0
    )
    assert middle == pytest.approx(40.0)
