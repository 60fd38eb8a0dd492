"""Which spectra are believed: oracle 10 of PHYSICS.md D, drift, and the first point."""

from __future__ import annotations

import numpy as np
import pytest

from orchestrator.analysis.kramers_kronig import judge, linear_residuals
from orchestrator.analysis.readings import AnalysisError
from orchestrator.analysis.spectrum import Spectrum, compensate
from tests.orchestrator.analysis.cells import Cell, spectrum, sweep

SIGMAS = (1e-9, 1e-7, 1e-5, 1e-3)
LAST_12 = np.append(np.ones(33), 1 + 0.35 * np.arange(1, 13) / 12)
SMOOTH = 1 + 0.30 * np.arange(45) / 44


@pytest.mark.parametrize("sigma", SIGMAS)
@pytest.mark.parametrize(("per_decade", "limit"), [(7, 1.25e-3), (3, 1.1e-2)])
def test_a_noiseless_cell_obeys_the_relations(
    sigma: float, per_decade: int, limit: float
) -> None:
    clean = spectrum(Cell(sigma))
    residuals = linear_residuals(clean, per_decade=per_decade)
    assert abs(residuals).max() <= limit


@pytest.mark.parametrize("sigma", SIGMAS)
def test_drift_in_the_last_12_of_45_points_leaves_6_to_10_percent(sigma: float) -> None:
    drifted = spectrum(Cell(sigma), drift=LAST_12, again=False)
    found = judge(drifted)
    assert 0.06 <= found.residual <= 0.10
    assert found.grade == "bad"
    assert any("more than 5%" in one for one in found.doubts)


@pytest.mark.parametrize("sigma", SIGMAS)
def test_smooth_drift_leaves_3_percent_and_only_the_first_point_again_shows_it(
    sigma: float,
) -> None:
    unseen = judge(spectrum(Cell(sigma), drift=SMOOTH, again=False))
    assert unseen.residual == pytest.approx(0.03, abs=0.005)
    assert not unseen.doubts
    assert any("was not measured again" in one for one in unseen.warnings)
    seen = judge(spectrum(Cell(sigma), drift=np.append(SMOOTH, 1.30)))
    assert seen.drift == pytest.approx(0.30, abs=1e-9)
    assert any("changed by 30.0%" in one for one in seen.doubts)


def test_a_blocking_cell_needs_the_series_capacitor_and_lithium_does_not() -> None:
    assert judge(spectrum(Cell(1e-4))).capacitor
    rng = np.random.default_rng(1)
    assert not judge(spectrum(Cell(1e-7, interface=200.0), rng)).capacitor


@pytest.mark.parametrize("seed", range(5))
def test_noise_alone_is_good_or_acceptable_and_is_measured(seed: int) -> None:
    noisy = judge(spectrum(Cell(1e-6), np.random.default_rng(seed)))
    assert not noisy.doubts
    assert noisy.residual <= 0.02
    assert noisy.noise == pytest.approx(0.0035, rel=0.4)


def test_a_small_change_of_the_first_point_is_a_warning_with_its_noise() -> None:
    drift = np.append(np.ones(45), 1.03)
    found = judge(spectrum(Cell(1e-6), np.random.default_rng(1), drift=drift))
    assert not found.doubts
    assert any("more than its noise of" in one for one in found.warnings)


def test_a_cell_that_changes_at_the_slow_end_is_said_to() -> None:
    change = np.append(np.ones(33), 1 + 0.15 * np.arange(1, 13) / 12)
    found = judge(spectrum(Cell(1e-6), drift=change, again=False))
    assert any("slow part of the sweep" in one for one in found.warnings)


def test_open_and_short_are_taken_off_exactly() -> None:
    f = sweep()
    true = Cell(1e-2, contact=0.0, inductance=0.0).impedance(f)
    series = 0.8 + 2j * np.pi * f * 5e-7
    parallel = 1e-9 + 2j * np.pi * f * 2e-12
    measured = series + 1 / (1 / true + parallel)
    made = compensate(
        Spectrum.measured(f, measured),
        Spectrum.measured(f, series),
        Spectrum.measured(f, series + 1 / parallel),
    )
    assert made.impedance == pytest.approx(true, rel=1e-9)


def test_a_short_that_does_not_reach_as_far_is_refused() -> None:
    short = Spectrum.measured(sweep(1e5), np.full(45, 0.5 + 0j))
    with pytest.raises(AnalysisError, match="short: reaches from 1 to 100000 Hz"):
        compensate(spectrum(Cell(1e-4)), short, None)


@pytest.mark.parametrize(
    ("frequency", "impedance", "said"),
    [
        (sweep(points=5), np.ones(5), "5 points; at least 8"),
        (np.linspace(100, 900, 9), np.ones(9), "less than a decade"),
        (np.r_[sweep()[:-1], -1.0], np.ones(45), "point 45: frequency -1 Hz"),
        (sweep(), np.r_[np.ones(44), 9.9e37], "point 45, 1 Hz: impedance"),
        (sweep(), np.ones(44), "not one each"),
    ],
)
def test_what_is_no_spectrum_is_refused(
    frequency: np.ndarray, impedance: np.ndarray, said: str
) -> None:
    with pytest.raises(AnalysisError, match=said):
        Spectrum.measured(frequency, impedance)
