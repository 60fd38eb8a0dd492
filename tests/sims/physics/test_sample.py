"""A sample goes through the process of the first campaign as the literature says."""

from __future__ import annotations

from dataclasses import replace
from math import inf, log10

import numpy as np
import pytest

from sims.physics import film
from sims.physics.laboratory import Laboratory
from sims.physics.noise import Noise
from sims.physics.sample import Sample
from tests.sims.physics.process import coat, ideal, molar, spec, treat

LAB = ideal()
TOLERANCE = 0.25
"""Decades."""


def dried_on(percent: float, temperature: float, times: int = 1) -> float:
    sample = coat(LAB)
    strength = molar(LAB.acids["sulfuric acid"], percent)
    for _ in range(times):
        treat(
            sample,
            "sulfuric acid",
            strength,
            seconds=300.0,
            temperature=temperature,
            anneal=160.0,
        )
    return sample.conductivity


def soaked(acid: str, concentration: float, minutes: float = 10.0) -> float:
    sample = coat(LAB)
    treat(sample, acid, concentration, seconds=60.0 * minutes, volume=450.0)
    return sample.conductivity


def check(conductivity: float, measured: float) -> None:
    assert abs(log10(conductivity / measured)) < TOLERANCE


@pytest.mark.parametrize(
    ("temperature", "measured"),
    [
        (100, 1600),
        (120, 1704),
        (140, 1893),
        (150, 1999),
        (160, 2182),
        (170, 2034),
        (180, 1805),
        (200, 1724),
    ],
)
def test_sulfuric_acid_dried_on_at_each_temperature(
    temperature: float, measured: float
) -> None:
    check(dried_on(9.0, temperature), measured)


@pytest.mark.parametrize(
    ("percent", "measured"),
    [
        (0.09, 571),
        (0.36, 1048),
        (0.8, 1257),
        (1.7, 1356),
        (4.4, 1879),
        (7, 2049),
        (9, 2194),
        (13, 2410),
        (25, 2361),
    ],
)
def test_sulfuric_acid_dried_on_at_each_concentration(
    percent: float, measured: float
) -> None:
    check(dried_on(percent, 160.0), measured)


@pytest.mark.parametrize(("times", "measured"), [(1, 2156), (3, 3088)])
def test_sulfuric_acid_dried_on_once_and_three_times(
    times: int, measured: float
) -> None:
    check(dried_on(9.3, 140.0, times), measured)


# The published 31 wt% films differ by a factor of twelve (123 and 1539 S/cm, washed with
# water and with methanol): the law lies between them, and misses both.
@pytest.mark.parametrize(
    ("percent", "measured"),
    [(62, 1178), (83, 3718), (98, 4175), (55, 1695), (73, 1982), (88, 2566)],
)
def test_a_soak_in_sulfuric_acid(percent: float, measured: float) -> None:
    check(soaked("sulfuric acid", molar(LAB.acids["sulfuric acid"], percent)), measured)


def test_a_soak_in_31_percent_sulfuric_acid_lies_between_the_two_published() -> None:
    strength = molar(LAB.acids["sulfuric acid"], 31.0)
    assert 123 < soaked("sulfuric acid", strength) < 1539


@pytest.mark.parametrize(
    ("anneal", "measured"), [(110, 4055), (120, 4156), (140, 3801), (160, 3405)]
)
def test_a_final_anneal_beyond_120_degrees_costs_conductivity(
    anneal: float, measured: float
) -> None:
    sample = treat(coat(LAB), "sulfuric acid", 18.4, anneal=anneal)
    check(sample.conductivity, measured)


@pytest.mark.parametrize(
    ("concentration", "minutes", "measured"),
    [
        (3, 1, 535),
        (3, 5, 1241),
        (3, 10, 1598),
        (3, 30, 1742),
        (3, 60, 1656),
        (14, 1.7, 2735),
        (14, 6, 3400),
        (14, 10, 3755),
        (14, 30, 3613),
        (14, 60, 3910),
    ],
)
def test_a_soak_in_nitric_acid(
    concentration: float, minutes: float, measured: float
) -> None:
    check(soaked("nitric acid", concentration, minutes), measured)


@pytest.mark.parametrize(
    ("acid", "rinsed", "unrinsed"),
    [
        ("hydrochloric acid", 426, 388),
        ("formic acid", 1297, 1221),
        ("nitric acid", 2120, 1249),
        ("sulfuric acid", 2953, 1382),
    ],
)
def test_ten_minutes_in_the_acid_of_the_bottle(
    acid: str, rinsed: float, unrinsed: float
) -> None:
    stock = LAB.acids[acid].stock
    check(treat(coat(LAB), acid, stock).conductivity, rinsed)
    check(treat(coat(LAB), acid, stock, rinse=False).conductivity, unrinsed)


def test_hydrochloric_below_formic_below_nitric_below_sulfuric_acid() -> None:
    names = ["hydrochloric acid", "formic acid", "nitric acid", "sulfuric acid"]
    got = [soaked(name, LAB.acids[name].stock) for name in names]
    assert got == sorted(got)


def test_conductivity_rises_with_sulfuric_acid_in_a_soak() -> None:
    got = [soaked("sulfuric acid", c) for c in (0.1, 0.3, 1, 2, 4, 6, 9, 12, 15, 18.4)]
    assert got == sorted(got)


def test_the_best_plate_for_drying_on_is_between_150_and_180_degrees() -> None:
    best = max(range(90, 201, 5), key=lambda t: dried_on(9.0, float(t)))
    assert 150 <= best <= 180


def test_no_cliff_lies_between_soak_and_drying_on() -> None:
    plates = range(25, 161, 3)
    got = [
        treat(coat(LAB), "sulfuric acid", 2.0, temperature=t).conductivity
        for t in plates
    ]
    jumps = np.abs(np.diff(np.log10(got)))
    assert float(jumps.max()) < 0.15


def test_a_rinse_keeps_absorbance_and_thins_the_film() -> None:
    sample = coat(LAB)
    before = sample.state
    treat(sample, "sulfuric acid", 18.4)
    after = sample.state
    assert film.absorbance(after) == pytest.approx(film.absorbance(before))
    assert 0.5 < after.thickness / before.thickness < 0.67
    expected = (1.0 + 1.12 * after.pss_ratio) / (1.0 + 1.12 * before.pss_ratio)
    assert after.thickness / before.thickness == pytest.approx(expected)


def test_displaced_pss_stays_until_the_rinse() -> None:
    sample = treat(coat(LAB), "sulfuric acid", 18.4, rinse=False)
    assert sample.state.pss_ratio == pytest.approx(2.5)
    poor = sample.conductivity
    sample.pour({"water": 3000.0}, sample.at)
    assert sample.state.pss_ratio < 1.4
    assert sample.conductivity > 1.5 * poor


@pytest.mark.parametrize(
    ("acid", "concentration", "temperature"),
    [
        ("sulfuric acid", 18.4, 90.0),
        ("sulfuric acid", 1.0, 140.0),
        ("formic acid", 20.0, 60.0),
        ("hydrochloric acid", 6.0, 80.0),
        ("p-toluenesulfonic acid", 2.0, 110.0),
    ],
)
def test_the_result_does_not_depend_on_how_finely_time_is_cut(
    acid: str, concentration: float, temperature: float
) -> None:
    whole, cut = (
        treat(coat(LAB, cut=c), acid, concentration, temperature=temperature, cut=c)
        for c in (1e9, 0.7)
    )
    assert cut.conductivity == pytest.approx(whole.conductivity, rel=0.02)
    assert cut.thickness == pytest.approx(whole.thickness, rel=0.02)


def test_a_sample_without_ink_neither_conducts_nor_absorbs() -> None:
    sample = Sample("bare", LAB, np.random.default_rng(0))
    sample.spin(2000.0, 45.0, 50.0)
    sample.pour({"sulfuric acid": 120.0}, 60.0)
    sample.advance(600.0, 160.0)
    assert sample.conductivity == 0.0
    assert sample.sheet_resistance == inf
    assert sample.thickness == 0.0
    assert sample.transmittance == pytest.approx(0.915)
    assert sample.contacts() == (inf, inf)


def test_an_untreated_film_conducts_0_2_to_5_siemens_per_cm() -> None:
    for seed in range(20):
        lab = Laboratory.read(spec(), seed)
        assert 0.2 < replace(lab, noise=Noise.none()).pristine < 5.0
        assert 0.1 < coat(lab.ideal()).conductivity < 5.0


def test_a_film_is_as_thick_as_its_speed_says() -> None:
    assert coat(LAB, rpm=2000.0).thickness == pytest.approx(80.0, abs=1.0)
    assert coat(LAB, rpm=1000.0).thickness == pytest.approx(114.0, abs=1.0)


def test_ink_that_is_never_spun_dries_to_microns() -> None:
    sample = Sample("thick", LAB, np.random.default_rng(0))
    sample.pour({"ink": 150.0}, 0.0)
    sample.advance(600.0, 120.0)
    assert sample.thickness > 1000.0


def test_a_trace_of_water_in_the_ink_does_not_matter() -> None:
    sample = Sample("wet", LAB, np.random.default_rng(0))
    sample.pour({"ink": 150.0, "water": 1.0}, 0.0)
    sample.spin(2000.0, 45.0, 50.0)
    sample.advance(350.0, 120.0)
    assert sample.thickness == pytest.approx(coat(LAB).thickness, rel=0.01)


def test_little_ink_leaves_holes() -> None:
    sample = Sample("holes", LAB, np.random.default_rng(0))
    sample.pour({"ink": 60.0}, 0.0)
    sample.spin(2000.0, 45.0, 50.0)
    sample.advance(350.0, 120.0)
    assert sample.flaws == ("incomplete coverage",)
    assert sample.conductivity == 0.0


def test_contacts_stand_on_the_true_sheet_resistance() -> None:
    lab = Laboratory.read(spec(), 3)
    for seed in range(20):
        sample = treat(coat(lab, seed=seed), "nitric acid", 10.0)
        if sample.conductivity == 0.0:
            continue
        a, b = np.array(sample.contacts()) * np.pi / sample.sheet_resistance
        assert np.exp(-a) + np.exp(-b) == pytest.approx(1.0)
