from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from orchestrator.records import Recipe
from tests.orchestrator.virtual_lab import ARM, RECIPE, VirtualLab, step


def run(lab: VirtualLab, order: list[int], trials: int) -> list[str]:
    """Run trials to the end, ending the acts under way in the order asked for."""
    done: list[str] = []
    turn = 0
    while True:
        for one in lab.ready():
            lab.begin(one)
        acting = list(lab.progress.acting.values())
        if not acting:
            return done
        held = [a.sample for a in acting]
        assert len(held) == len(set(held)), "a sample is in two acts at once"
        stations = [a.station for a in acting]
        assert len(stations) == len(set(stations)), "a station does two acts at once"
        act = acting[order[turn % len(order)] % len(acting)]
        turn += 1
        assert turn < 60 * trials, "the campaign does not end"
        lab.end(act.id)
        places = [t.at for t in lab.progress.in_flight if t.id != act.trial]
        trial = lab.progress.trials[act.trial]
        if act.operation == "transfer" and act.sample == trial.sample:
            assert trial.at not in places, "two samples in one slot"
        if trial.in_flight and trial.next_step is None:
            lab.write("observation", act.trial, candidate={"x": 1.0}, estimates={})
        done.append(f"{act.trial}.{act.step}")


@given(
    order=st.lists(st.integers(0, 5), min_size=1, max_size=40),
    trials=st.integers(1, 4),
)
def test_whatever_ends_first_every_trial_ends_and_no_two_samples_meet(
    order: list[int], trials: int
) -> None:
    lab = VirtualLab()
    for number in range(1, trials + 1):
        lab.start(f"t{number}", f"rack.{number}")
    done = run(lab, order, trials)
    for number in range(1, trials + 1):
        steps = [one for one in done if one.startswith(f"t{number}.")]
        recipe = [f"t{number}.{step.name}" for step in RECIPE.steps]
        assert [one for one in steps if not one.endswith("transfer")] == recipe
    assert not lab.progress.strays


@given(order=st.lists(st.integers(0, 5), min_size=1, max_size=40))
def test_nothing_but_the_chain_happens_to_a_film_under_acid(order: list[int]) -> None:
    lab = VirtualLab()
    lab.start("t1", "rack.1")
    lab.start("t2", "rack.2")
    done = run(lab, order, 2)
    for number in (1, 2):
        own = [one for one in done if one.startswith(f"t{number}.")]
        acid = own.index(f"t{number}.acid")
        assert own[acid + 1 : acid + 4] == [
            f"t{number}.dwell",
            f"t{number}.transfer",
            f"t{number}.rinse",
        ]


def test_acid_waits_until_the_rinse_is_free() -> None:
    lab = VirtualLab()
    lab.start("t1", "rack.1")
    while lab.progress.trials["t1"].following < 4:
        lab.end(lab.begin(lab.ready()[0]))
    lab.start("t2", "rack.2")
    lab.write("sample.found", "t2", sample="c/rack.2", at="rinse")
    assert [(one.trial, one.step.name) for one in lab.ready()] == [("t2", "transfer")]


def test_a_reference_is_taken_while_its_slot_is_empty() -> None:
    lab = VirtualLab()
    lab.start("t1", "rack.1")
    while lab.progress.trials["t1"].following < 8:
        lab.end(lab.begin(lab.ready()[0]))
    (lamp,) = lab.ready()
    assert lamp.step.name == "lamp"
    assert lab.progress.trials["t1"].at == "anneal"


def test_a_sample_whose_trial_failed_is_put_away() -> None:
    lab = VirtualLab()
    lab.start("t1", "rack.1")
    for _ in range(3):
        lab.end(lab.begin(lab.ready()[0]))
    lab.write("trial.failed", "t1", reason="test")
    (away,) = lab.ready()
    assert away.step.station == ARM
    assert away.step.parameters == {"source": "chuck", "target": "rack.1"}
    lab.end(lab.begin(away))
    assert not lab.progress.strays
    assert not lab.ready()


def test_an_arm_that_reported_a_fault_keeps_what_its_gripper_holds() -> None:
    lab = VirtualLab()
    lab.start("t1", "rack.1")
    lab.write("sample.found", "t1", sample="c/rack.1", at="gripper")
    facts = {"subject": "station", "name": ARM, "who": "polyloop", "note": "limit"}
    lab.write("control", "", verb="pause", via="fault", **facts)
    assert lab.ready() == []
    lab.write("control", "", verb="in_service", via="fault", **facts)
    (put,) = lab.ready()
    assert put.step.operation == "put_away"


def test_a_sample_in_the_gripper_is_put_down_before_anything_else() -> None:
    lab = VirtualLab()
    lab.start("t1", "rack.1")
    lab.write("sample.found", "t1", sample="c/rack.1", at="gripper")
    (put,) = lab.ready()
    assert (put.step.operation, put.step.parameters) == (
        "put_away",
        {"target": "chuck"},
    )
    lab.end(lab.begin(put))
    assert lab.progress.trials["t1"].at == "chuck"


def test_two_that_want_each_others_slots_do_not_wait_for_a_third() -> None:
    recipe = Recipe(
        name="electrolyte",
        candidate={"x": 1.0},
        steps=(
            step("mixed", "balance", "pan"),
            step("dry", "dryer", "dryer"),
            step("dried", "balance", "pan"),
            step("spectra", "cell", "cell"),
        ),
        measurements=RECIPE.measurements,
    )
    lab = VirtualLab()

    def until(trial: str, name: str) -> str:
        """Carry on with a trial; return its act of that name, begun."""
        while True:
            (one,) = [one for one in lab.ready() if one.trial == trial]
            act = lab.begin(one)
            if one.step.name == name:
                return act
            lab.end(act)

    for number in (1, 2, 3):
        lab.start(f"t{number}", f"rack.{number}", recipe)
        if number == 1:
            until("t1", "spectra")
        elif number == 2:
            drying = until("t2", "dry")
        else:
            lab.end(until("t3", "mixed"))
    lab.end(drying)
    places = [lab.progress.trials[trial].at for trial in ("t1", "t2", "t3")]
    assert places == ["cell", "dryer", "pan"]
    (aside,) = lab.ready()
    assert (aside.trial, aside.step.slot) == ("t2", "rack.2")
    lab.end(lab.begin(aside))
    (dry,) = lab.ready()
    assert (dry.trial, dry.step.slot) == ("t3", "dryer")
