"""Plans on the simulated bench: what they do to matter, in the instruments' journals."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from bluesky.utils import FailedStatus

from instruments.errors import Rejected
from instruments.plans.dispense import dispense, rinse
from instruments.plans.heat import heat, hold
from instruments.plans.places import Place, Portion, rounds
from instruments.plans.spin import spin
from instruments.plans.transfer import transfer
from tests.instruments.conftest import BenchOnPtys

RACK = Place("rack.1", -60.0, -220.0, -90.0)
CHUCK = Place("chuck", -100.0, -60.0, -80.0)
ANNEAL = Place("anneal", -180.0, -60.0, -85.0)
RINSE = Place("rinse", -340.0, -60.0, -90.0)
INK = Place("shelf.1", -60.0, -20.0, -70.0)
ACID = Place("shelf.2", -85.0, -20.0, -70.0)
NOWHERE = Place("nowhere", -100.0, -60.0, -800.0)

Open = Callable[[str], Any]
Run = Callable[[Any], list[tuple[str, dict[str, Any]]]]


def new(bench: BenchOnPtys, name: str, since: int) -> list[dict[str, Any]]:
    return bench.journal(name)[since:]


def events(documents: list[tuple[str, dict[str, Any]]]) -> list[dict[str, Any]]:
    return [document["data"] for name, document in documents if name == "event"]


@pytest.mark.slow
def test_a_film_is_made_annealed_and_rinsed(
    bench: BenchOnPtys, open_device: Open, run: Run
) -> None:
    gantry, pump = open_device("gantry"), open_device("pump")
    chuck, plate = open_device("spin_coater"), open_device("anneal_plate")
    vacuum = open_device("vacuum")
    vacuum.meet({"spin_coater": chuck})
    chuck.meet({"vacuum": vacuum})

    run(transfer(gantry, source=RACK, target=CHUCK))
    run(dispense(gantry, pump, target=CHUCK, portions=(Portion("ink", INK, 150.0),)))
    spun = run(spin(chuck, vacuum, speed=2000.0, acceleration=1000.0, duration=45.0))
    run(transfer(gantry, source=CHUCK, target=ANNEAL))
    heated = run(heat(plate, temperature=80.0, duration=60.0))
    run(transfer(gantry, source=ANNEAL, target=RINSE))
    run(
        rinse(gantry, pump, target=RINSE, portions=(Portion("water", "water", 1500.0),))
    )

    carried = [
        (line["event"], line["slot"])
        for line in bench.journal("gantry")
        if line["event"] in ("gripped", "released", "dropped", "gripped nothing")
    ]
    assert carried == [
        ("gripped", "rack.1"), ("released", "chuck"),
        ("gripped", "chuck"), ("released", "anneal"),
        ("gripped", "anneal"), ("released", "rinse"),
    ]  # fmt: skip
    poured = [
        (line["sample"], line["slot"], line["parts"])
        for line in bench.journal("pump")
        if line["event"] == "poured"
    ]
    assert poured == [
        ("rack.1", "chuck", {"ink": 150.0}),
        ("rack.1", "rinse", {"water": 1000.0}),
        ("rack.1", "rinse", {"water": 500.0}),
    ]
    assert not [one for one in bench.journal("pump") if one["event"] == "spilled"]
    [told] = [one for one in bench.journal("spin_coater") if one["event"] == "spun"]
    assert told["sample"] == "rack.1"
    assert told["rpm"] == pytest.approx(2000.0)
    assert events(spun)[0]["spin_coater_mean_speed"] == pytest.approx(2000.0, rel=0.01)
    # The turns of the spin and of both ramps.
    assert events(spun)[0]["spin_coater_turns"] >= 2000 / 60 * 47
    assert events(heated)[-1]["anneal_plate_held"] >= 60.0
    assert events(heated)[-1]["anneal_plate_temperature"] == pytest.approx(80.0, abs=2)
    # The heater stays on between two plans, although the engine has ended its run.
    assert bench.journal("anneal_plate")[-1]["event"] == "heater on"
    keys = next(one["data_keys"] for name, one in spun if name == "descriptor")
    assert keys["spin_coater_mean_speed"]["units"] == "rpm"


def test_more_than_a_syringe_keeps_its_proportions(
    bench: BenchOnPtys, open_device: Open, run: Run
) -> None:
    gantry, pump = open_device("gantry"), open_device("pump")
    since = len(bench.journal("pump"))
    portions = (
        Portion("sulfuric acid", ACID, 400.0),
        Portion("water", "water", 1200.0),
    )
    run(dispense(gantry, pump, target=RINSE, portions=portions))
    given = [
        line["parts"]
        for line in new(bench, "pump", since)
        if line["event"] == "dispensed" and line["outlet"] == "needle"
    ]
    assert len(given) == 2
    for parts in given:
        assert parts["sulfuric acid"] == pytest.approx(200.0, abs=0.1)
        assert parts["water"] == pytest.approx(600.0, abs=0.1)
    assert gantry.at.get()[2] == pytest.approx(0.0, abs=0.05)


def test_a_transfer_that_fails_half_way_ends_at_the_top(
    open_device: Open, run: Run
) -> None:
    gantry = open_device("gantry")
    with pytest.raises(Rejected, match="z -800 mm"):
        run(transfer(gantry, source=NOWHERE, target=CHUCK))
    assert gantry.at.get()[2] == pytest.approx(0.0, abs=0.05)


def test_what_cannot_be_dispensed_is_refused_before_anything_moves(
    bench: BenchOnPtys, open_device: Open, run: Run
) -> None:
    gantry, pump = open_device("gantry"), open_device("pump")
    since = len(bench.journal("pump")), len(bench.journal("gantry"))
    with pytest.raises(Rejected, match=r"'gin'.* is not one of needle"):
        run(
            dispense(gantry, pump, target=CHUCK, portions=(Portion("gin", "gin", 9.0),))
        )
    with pytest.raises(Rejected, match=r"comes from vial shelf\.1"):
        run(rinse(gantry, pump, target=CHUCK, portions=(Portion("ink", INK, 9.0),)))
    assert not new(bench, "pump", since[0])
    assert not new(bench, "gantry", since[1])


def test_a_plate_does_not_hold_what_it_was_not_set_to(
    open_device: Open, run: Run
) -> None:
    plate = open_device("anneal_plate")
    with pytest.raises(FailedStatus) as failed:
        run(hold(plate, temperature=130.0, duration=5.0))
    assert "cannot hold 130 degC" in str(failed.value.__cause__)
    assert plate.stopped


def test_no_liquid_at_all_is_no_round() -> None:
    assert rounds((Portion("ink", INK, 0.0),), 990.0) == []
