"""Bulk resistance from a spectrum: found where it can be, and honestly not elsewhere."""

from __future__ import annotations

import numpy as np
import pytest

from orchestrator.analysis.circuit_fit import fits, possible
from orchestrator.analysis.impedance import Bulk, Geometry, Ohms, bulk, conductivity
from orchestrator.analysis.spectrum import Spectrum
from tests.orchestrator.analysis.cells import VACUUM, Cell, spectrum, sweep

CELL = Geometry(0.01, 0.785)


def seen(cell: Cell, seed: int = 0, **words: object) -> Bulk:
    return bulk(spectrum(cell, np.random.default_rng(seed)), **words)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("area", "thickness"), [(0.785, 0.01), (0.1, 0.02), (2.0, 0.005)]
)
def test_the_arc_peaks_at_a_frequency_that_does_not_depend_on_the_cell(
    area: float, thickness: float
) -> None:
    """Oracle 9."""
    sigma = 1e-7
    cell = Cell(sigma, area=area, thickness=thickness, n_bulk=1.0, contact=0.0)
    found = bulk(spectrum(cell)).fit
    (ohm, tau, _), *_ = found.arcs
    assert 1 / (2 * np.pi * tau) == pytest.approx(
        sigma / (2 * np.pi * VACUUM * 10), rel=2e-3
    )
    assert ohm == pytest.approx(cell.bulk, rel=2e-3)


@pytest.mark.parametrize("interface", [None, 200.0])
@pytest.mark.parametrize("sigma", [1e-9, 1e-8, 1e-7, 1e-6, 1e-5, 1e-4, 1e-3])
def test_conductivity_is_found_over_six_decades(
    sigma: float, interface: float | None
) -> None:
    found = seen(Cell(sigma, interface=interface), seed=3)
    assert found.believed, (found.reason, found.doubts)
    value = conductivity(found, CELL)
    assert value.sign == "="
    assert abs(value.value - sigma) <= 3.0 * value.std
    assert value.value == pytest.approx(sigma, rel=0.1)
    assert value.std <= 0.07 * sigma


@pytest.mark.parametrize(
    ("sigma", "interface", "words"),
    [
        (1e-9, None, "arc"),
        (1e-6, None, "arc + spike"),
        (1e-3, None, "R + spike"),
        (3e-6, 200.0, "arc + arc"),
        (1e-3, 200.0, "R + arc"),
    ],
)
def test_the_circuit_is_the_one_that_the_spectrum_shows(
    sigma: float, interface: float | None, words: str
) -> None:
    assert words in seen(Cell(sigma, interface=interface), seed=5).fit.circuit.name


def test_the_interface_of_lithium_is_told_from_the_bulk_by_its_capacitance() -> None:
    value, std = seen(Cell(1e-5, interface=200.0), seed=2).fit.resistance("interface")
    assert value == pytest.approx(200.0 / 0.785, abs=4 * std)
    assert std < 0.15 * value


@pytest.mark.parametrize("seed", range(4))
def test_at_the_target_the_contacts_hide_the_bulk_and_a_bound_is_left(
    seed: int,
) -> None:
    found = seen(Cell(1e-2, contact=0.3 + 0.5 * seed), seed)
    assert found.resistance is None
    assert "leads and contacts" in found.reason
    value = conductivity(found, CELL)
    assert value.sign == ">="
    assert 2e-3 < value.value < 1.05e-2


def test_with_a_short_the_target_is_identified() -> None:
    rng = np.random.default_rng(4)
    f = sweep()
    leads = 1.3 + 2j * np.pi * f * 4e-7
    cell = Cell(1e-2, contact=0.0, inductance=0.0, q_block=1e-5)
    noise = 1 + 0.002 * (rng.normal(size=45) + 1j * rng.normal(size=45))
    found = bulk(
        Spectrum.measured(f, (cell.impedance(f) + leads) * noise),
        short=Spectrum.measured(f, leads),
    )
    assert found.resistance is not None, found.reason
    assert abs(found.resistance.value - cell.bulk) <= 3 * found.resistance.std


def test_a_longer_cell_needs_no_short() -> None:
    """Ten centimetres in plane: 1 kohm at 1e-2 S/cm."""
    cell = Cell(1e-2, area=0.01, thickness=0.1)
    found = seen(cell, 1)
    assert found.resistance is not None
    assert found.resistance.value == pytest.approx(cell.bulk, rel=0.005)


def test_below_the_sweep_there_is_only_a_bound() -> None:
    cell = Cell(1e-11)
    low = sweep(1e6, 200.0)
    found = bulk(spectrum(cell, np.random.default_rng(2), frequency=low))
    assert found.resistance is None
    value = conductivity(found, CELL)
    assert value.sign == "<="
    assert value.value >= 1e-11


def test_a_short_circuit_is_not_a_conductivity() -> None:
    rng = np.random.default_rng(6)
    z = 5.0 * (1 + 0.002 * (rng.normal(size=45) + 1j * rng.normal(size=45)))
    found = bulk(Spectrum.measured(sweep(), z))
    assert found.resistance is None
    assert "shorted" in found.reason
    assert conductivity(found, CELL).sign == ""


def test_noise_is_not_believed() -> None:
    rng = np.random.default_rng(7)
    z = 1e4 * np.exp(rng.normal(size=45) + 1j * rng.uniform(-1.5, 0, 45))
    found = bulk(Spectrum.measured(sweep(), z))
    assert not found.believed
    assert found.doubts


def test_drift_that_shows_makes_the_number_less_certain() -> None:
    drift = np.append(np.ones(45), 1.04)
    steady, moved = (
        bulk(spectrum(Cell(1e-6), np.random.default_rng(1), drift=one))
        for one in (1.0, drift)
    )
    assert steady.resistance is not None
    assert moved.resistance is not None
    assert moved.resistance.std > 5 * steady.resistance.std


def test_circuits_that_disagree_make_the_number_less_certain() -> None:
    found = possible(fits(spectrum(Cell(1e-4), np.random.default_rng(3))))
    assert len(found) > 1
    assert sum(weight for _, weight in found) == pytest.approx(1.0)
    assert all(one.aicc >= found[0][0].aicc for one, _ in found)


def test_a_known_contact_resistance_is_taken_off() -> None:
    cell = Cell(1e-3, contact=1.9)
    found = seen(cell, 8, contact=Ohms(1.9, 0.05))
    assert found.resistance is not None
    assert found.resistance.value == pytest.approx(cell.bulk, abs=0.3)
    assert found.resistance.std < 0.2


def test_conductivity_carries_the_doubt_about_thickness_and_area() -> None:
    found = seen(Cell(1e-6))
    exact = conductivity(found, CELL)
    rough = conductivity(found, Geometry(0.01, 0.785, 0.0004, 0.785 * 0.03))
    assert rough.value == exact.value
    assert rough.std / rough.value == pytest.approx(0.05, rel=0.01)
    with pytest.raises(ValueError, match="both must be above 0"):
        conductivity(found, Geometry(0.0, 0.785))


def any_cell(rng: np.random.Generator) -> Cell:
    """Return a cell of the ranges of PHYSICS.md C2, 1e-9 to 1e-2 S/cm."""
    return Cell(
        10 ** rng.uniform(-9, -2),
        contact=rng.uniform(0.1, 2.0),
        inductance=10 ** rng.uniform(-7, -6),
        n_bulk=rng.uniform(0.85, 1.0),
        n_block=rng.uniform(0.6, 0.9),
        q_block=10 ** rng.uniform(-6, -5),
        permittivity=rng.uniform(8, 15),
        interface=10 ** rng.uniform(1.7, 3.0) if rng.random() < 0.5 else None,
        c_interface=10 ** rng.uniform(-6.5, -5.3),
    )


@pytest.mark.slow
@pytest.mark.timeout(1800)
def test_of_200_noisy_spectra_the_stated_uncertainty_covers_what_it_should() -> None:
    rng = np.random.default_rng(7)
    errors, scores, bounds = [], [], []
    for _ in range(200):
        cell = any_cell(rng)
        found = bulk(spectrum(cell, rng))
        assert not found.doubts, (cell, found.doubts)
        if found.resistance is None:
            bounds.append(cell.bulk <= (found.at_most or np.inf))
            assert cell.conductivity > 3e-3, (cell, found.reason)
        else:
            off = found.resistance.value - cell.bulk
            errors.append(abs(off) / cell.bulk)
            scores.append(abs(off) / found.resistance.std)
    assert len(errors) > 180
    assert np.median(errors) < 0.01
    # Contacts are uniform in truth, so a little less than 68 % is within one.
    assert 0.55 < np.mean(np.array(scores) < 1.0) < 0.80
    assert 0.91 < np.mean(np.array(scores) < 2.0) <= 0.99
    assert max(scores) < 4.0
    assert all(bounds)


@pytest.mark.slow
@pytest.mark.timeout(1800)
def test_an_interface_that_hides_under_the_arc_of_the_bulk_is_part_of_the_doubt() -> (
    None
):
    rng = np.random.default_rng(11)
    scores = []
    for _ in range(60):
        cell = any_cell(rng).with_(
            conductivity=10 ** rng.uniform(-7.5, -6.0),
            interface=10 ** rng.uniform(1.7, 3),
        )
        found = bulk(spectrum(cell, rng)).resistance
        assert found is not None
        scores.append(abs(found.value - cell.bulk) / found.std)
    assert np.mean(np.array(scores) < 2.0) > 0.85
    assert max(scores) < 4.0
