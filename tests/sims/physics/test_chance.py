"""Chance in the simulated world: seeded, and of the published size."""

from __future__ import annotations

import json

import numpy as np
import pytest
import yaml

from sims.physics.laboratory import Laboratory
from sims.physics.noise import Luck, Noise
from tests.sims.physics.process import BENCH, coat, ideal, spec, treat

LAB = Laboratory.read(spec(), 1)


def test_the_same_seed_makes_the_same_film() -> None:
    def told(seed: int) -> str:
        film = treat(coat(LAB, seed=seed), "formic acid", 20.0)
        return json.dumps([film.conductivity, film.thickness, film.history])

    assert told(4) == told(4)
    assert told(4) != told(5)


def test_the_same_seed_makes_the_same_laboratory() -> None:
    again = Laboratory.read(spec(), 1)
    assert (again.offset, again.ink, again.pristine) == (
        LAB.offset,
        LAB.ink,
        LAB.pristine,
    )


def test_laboratories_differ_by_about_a_tenth_of_a_decade() -> None:
    offsets = [Laboratory.read(spec(), seed).offset for seed in range(300)]
    assert 0.07 < np.std(offsets) < 0.12
    assert max(np.abs(offsets)) <= 0.15


def test_an_offset_moves_low_orders_and_never_passes_a_perfect_film() -> None:
    lab = Laboratory.read(spec(), 0)
    assert lab.odds(0.01, 1.0) / 0.01 == pytest.approx(10**lab.offset, rel=0.02)
    assert lab.odds(1.0, 1.0) == pytest.approx(1.0)


def test_looking_at_the_contacts_does_not_change_the_film() -> None:
    touched, left = coat(LAB, seed=7), coat(LAB, seed=7)
    for _ in range(5):
        touched.touch()
    treat(touched, "nitric acid", 5.0)
    treat(left, "nitric acid", 5.0)
    assert touched.conductivity == left.conductivity


def test_replicates_scatter_by_about_nine_percent() -> None:
    rng = np.random.default_rng(0)
    drawn = [Luck.draw(Noise(), rng) for _ in range(4000)]
    assert np.std([np.log(one.scatter) for one in drawn]) == pytest.approx(
        0.09, rel=0.1
    )
    outliers = [one.odds for one in drawn if one.odds != 1.0]
    assert len(outliers) / len(drawn) == pytest.approx(0.05, abs=0.015)
    assert np.std(np.log(outliers)) == pytest.approx(0.4, rel=0.2)


def test_films_made_alike_in_the_process_scatter_as_published() -> None:
    films = [treat(coat(LAB, seed=s), "nitric acid", 5.0) for s in range(150)]
    good = [film.conductivity for film in films if not film.flaws]
    spread = float(np.std(np.log(good)))
    assert 0.07 < spread < 0.2


def test_a_contact_is_bad_once_in_fifty_and_a_repeat_mostly_cures_it() -> None:
    film = coat(LAB)
    seen: list[int | None] = []
    for _ in range(5000):
        film.touch()
        seen.append(film.bad_contact)
    bad = [one for one in seen if one is not None]
    assert len(bad) / len(seen) == pytest.approx(0.02, abs=0.008)
    assert set(bad) == {1, 2, 3, 4}


def test_few_films_fail_on_fresh_glass_and_few_more_on_old() -> None:
    failures = LAB.failures
    assert failures.dewetting(0.0) < 0.01
    assert failures.dewetting(100.0) < 0.05
    assert failures.dewetting(100.0) > failures.dewetting(0.0)


def test_a_film_annealed_too_briefly_may_float_off() -> None:
    failures = LAB.failures
    assert failures.floating(2.0) == pytest.approx(0.03, abs=0.005)
    assert failures.floating(15.0) < 1e-6
    assert failures.floating(0.0) > 0.3


def test_thick_films_crack_and_thin_ones_do_not() -> None:
    failures = LAB.failures
    assert failures.cracking(115.0) < 1e-6
    assert 0.02 < failures.cracking(600.0) <= 0.1
    assert failures.cracking_in_acid(200.0, 99.0) == pytest.approx(0.05)
    assert failures.cracking_in_acid(80.0, 99.0) == 0.0


def test_a_few_percent_of_campaign_films_are_flawed_and_show_it() -> None:
    films = [
        treat(
            coat(LAB, seed=s, seconds=120.0, anneal=105.0, at=3e4), "nitric acid", 5.0
        )
        for s in range(400)
    ]
    flawed = [film for film in films if film.flaws]
    assert 0.01 < len(flawed) / len(films) < 0.12
    for film in flawed:
        a, b = film.contacts()
        assert film.conductivity == 0.0 or max(a / b, b / a) > 3.0
    sound = [film.contacts() for film in films if not film.flaws]
    assert all(max(a / b, b / a) < 2.0 for a, b in sound)


def test_an_ideal_laboratory_makes_every_film_alike() -> None:
    lab = ideal()
    made = {treat(coat(lab, seed=s), "formic acid", 9.0).conductivity for s in range(5)}
    assert len(made) == 1


def test_bench_and_lab_file_agree_on_what_is_in_the_bottles() -> None:
    lab = yaml.safe_load((BENCH.parent / "lab.yaml").read_text())
    bottles = {
        name: float(entry["concentration"].split()[0])
        for name, entry in lab["inventory"]["liquids"].items()
        if entry.get("kind") == "acid"
    }
    assert {n: acid.stock for n, acid in LAB.acids.items()} == bottles
