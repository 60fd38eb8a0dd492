"""Published electrolytes conduct as the tables of the physics dossier say (C1)."""

from __future__ import annotations

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sims.physics.conduction import (
    PEO_LITFSI,
    Arrhenius,
    PeoLiTfsi,
    SingleIon,
    carried,
)

BINS = (1.0, 1.4, 1.9, 2.6)
"""Middle molality of the bins 0.8-1.2, 1.2-1.6, 1.6-2.2 and 2.2-3 mol/kg."""
ROWS = {
    28.5: (-5.16, -5.05, -5.17, -5.29),
    60.0: (-3.43, -3.40, -3.51, -3.69),
    80.5: (-3.06, -3.11, -3.15, -3.26),
}
DILUTE = {28.5: (-5.66, -5.75), 60.0: (-3.65, -3.76), 80.5: (-3.38, -3.43)}
"""0-0.5 and 0.5-0.8 mol/kg: few papers, of which each has its own polymer."""


def log(value: float) -> float:
    return math.log10(value)


@pytest.mark.parametrize(("celsius", "value"), [(25, -4.04), (60, -3.31), (80, -3.02)])
def test_amorphous_peo_follows_its_line(celsius: float, value: float) -> None:
    # Oracle 11.
    assert log(PEO_LITFSI.conductivity(celsius)) == pytest.approx(value, abs=0.01)


@pytest.mark.parametrize("celsius", ROWS)
def test_peo_conducts_as_the_median_of_its_papers(celsius: float) -> None:
    for molality, median in zip(BINS, ROWS[celsius], strict=True):
        made = log(PeoLiTfsi(molality).conductivity(celsius))
        assert made == pytest.approx(median, abs=0.2)


@pytest.mark.parametrize("celsius", DILUTE)
def test_dilute_peo_conducts_within_a_decade_of_its_papers(celsius: float) -> None:
    for molality, median in zip((0.3, 0.65), DILUTE[celsius], strict=True):
        made = log(PeoLiTfsi(molality).conductivity(celsius))
        assert made == pytest.approx(median, abs=0.9)


@pytest.mark.parametrize("celsius", [25.0, 80.0])
def test_the_best_molality_is_between_1_and_1_5(celsius: float) -> None:
    grid = [0.05 * step for step in range(4, 60)]
    best = max(grid, key=lambda molality: PeoLiTfsi(molality).conductivity(celsius))
    assert 1.0 <= best <= 1.5


def test_crystals_cost_1_1_decades_below_the_melting_point_and_nothing_above() -> None:
    made = PeoLiTfsi(0.9)
    for celsius, decades in ((made.melting - 20.0, 1.1), (made.melting + 20.0, 0.0)):
        lost = log(PEO_LITFSI.conductivity(celsius) / made.conductivity(celsius))
        assert lost == pytest.approx(decades, abs=0.001)


def test_a_line_through_the_melting_of_peo_has_70_to_110_kj_mol() -> None:
    # What Arrhenius plots of few points show between 25 and 65 degC.
    made = PeoLiTfsi(0.9)
    ratio = math.log(made.conductivity(65.0) / made.conductivity(25.0))
    energy = 8.314e-3 * ratio / (1.0 / 298.15 - 1.0 / 338.15)
    assert 70.0 <= energy <= 110.0


@given(st.floats(0.05, 3.0), st.floats(-20.0, 100.0), st.floats(0.1, 20.0))
def test_warmth_always_helps(molality: float, celsius: float, more: float) -> None:
    made = PeoLiTfsi(molality)
    assert made.conductivity(celsius + more) > made.conductivity(celsius)


@pytest.mark.parametrize(
    ("celsius", "median", "best"),
    [(26.0, -6.44, -4.57), (60.0, -5.29, -3.97), (85.0, -4.91, -3.23)],
)
def test_a_single_ion_polymer_is_the_median_of_its_class(
    celsius: float, median: float, best: float
) -> None:
    made = log(SingleIon().conductivity(celsius))
    assert made == pytest.approx(median, abs=0.2)
    soft = log(SingleIon(glass=215.0).conductivity(celsius))
    assert made < soft < best


def test_nothing_moves_in_a_glass() -> None:
    assert SingleIon(glass=400.0).conductivity(25.0) == 0.0


def test_the_share_of_lithium_is_as_published() -> None:
    shares = [PeoLiTfsi(molality).transference() for molality in (0.0, 0.9, 2.0, 5.0)]
    assert shares == sorted(shares, reverse=True)
    assert all(0.15 <= share <= 0.3 for share in shares)
    assert 0.9 <= SingleIon().transference() <= 1.0


def test_arrhenius_goes_through_its_point_with_its_slope() -> None:
    law = Arrhenius(1e-6, activation=69.0, at=25.0)
    assert law.conductivity(25.0) == pytest.approx(1e-6)
    slope = math.log(law.conductivity(60.0) / 1e-6) / (1 / 298.15 - 1 / 333.15)
    assert slope * 8.314e-3 == pytest.approx(69.0, rel=1e-4)


def test_salt_is_measured_from_0_9_mol_per_kg() -> None:
    assert carried(0.9) == 0.0
    assert carried(0.0) == pytest.approx(carried(0.02))
