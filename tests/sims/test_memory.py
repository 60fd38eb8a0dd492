from __future__ import annotations

from pathlib import Path

import pytest

from sims import memory
from sims.bench import Bench
from sims.clock import StoppedClock
from sims.spec import read
from tests.conftest import SIM_BENCH


def bench(directory: Path) -> Bench:
    return Bench(read(SIM_BENCH), directory, clock=StoppedClock())


def test_a_bench_that_was_switched_off_still_holds_its_films(tmp_path: Path) -> None:
    one = bench(tmp_path)
    slots = one.world.slots
    slots["chuck"].sample, slots["rack.1"].sample = slots["rack.1"].sample, None
    one.clock.go_on_from(10.0)
    one.run_due()
    sample = slots["chuck"].sample
    assert sample is not None
    sample.pour({"ink": 150.0}, one.now)
    sample.spin(2000.0, 45.0, one.now)
    one.world.vessels["shelf.2"].parts["sulfuric acid"] = 7.0
    thickness = sample.thickness
    assert thickness > 0
    memory.save(one)

    other = bench(tmp_path)
    assert memory.recall(other)
    assert other.now == pytest.approx(10.0)
    film = other.world.slots["chuck"].sample
    assert film is not None
    assert film.name == "rack.1"
    assert film.thickness == thickness
    assert other.world.slots["rack.1"].sample is None
    assert other.world.vessels["shelf.2"].parts["sulfuric acid"] == 7.0


def test_what_lies_in_racks_is_written_when_it_has_changed(tmp_path: Path) -> None:
    one = bench(tmp_path)
    memory.save(one)
    first = list(tmp_path.glob("racks-*"))
    memory.save(one)
    assert list(tmp_path.glob("racks-*")) == first
    world = one.world
    at = world.slots["rack.7"].at
    one.clock.go_on_from(10.0)
    one.run_due()
    world.grip(at, "gantry")
    carried = world.carried
    assert carried is not None
    carried.pour({"ink": 150.0, "sulfuric acid": 20.0}, one.now)
    world.release(at, "gantry")
    memory.save(one)
    assert len(list(tmp_path.glob("racks-*"))) == 1
    assert list(tmp_path.glob("racks-*")) != first
    one.close()

    other = bench(tmp_path)
    assert memory.recall(other)
    film, bare = (other.world.slots[f"rack.{n}"].sample for n in (7, 8))
    assert film is not None
    assert bare is not None
    assert film.history == carried.history
    assert film.puddle.volume == carried.puddle.volume > 0
    assert film.lab is bare.lab is other.world.laboratory
    assert set(film.puddle.acids) <= set(film.lab.acids.values())
    memory.save(other)
    assert memory.recall(bench(tmp_path))


def test_a_new_bench_has_nothing_to_recall(tmp_path: Path) -> None:
    assert not memory.recall(bench(tmp_path))
