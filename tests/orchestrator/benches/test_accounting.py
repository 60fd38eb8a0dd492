"""The crash bench can fail: each kind of wrong is found where it is, and nowhere else."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable

import pytest

from orchestrator.benches.accounting import Wrong, account, answer
from orchestrator.station.acts import ActState
from tests.orchestrator.benches.journals import Book, electrolyte, honest, without

CUT = {"state": ActState.SENT, "ledger": "step.failed"}


def found(book: Book) -> list[tuple[Wrong, str]]:
    return [(one.wrong, one.text) for one in account(book.evidence)]


def only(book: Book, wrong: Wrong, text: str) -> None:
    """Exactly one thing is wrong."""
    (one,) = account(book.evidence)
    assert one.wrong is wrong
    assert text in one.text


@pytest.mark.parametrize("made", [honest, electrolyte])
def test_an_honest_campaign_has_nothing_wrong(made: Callable[[], Book]) -> None:
    assert found(made()) == []


# -- repeated ------------------------------------------------------------------------


def on_the_chuck() -> Book:
    book = Book()
    book.carry("chuck")
    return book


def over(book: Book) -> Book:
    """Observe, put the sample back and end."""
    book.observe()
    book.carry("rack.1")
    book.finish()
    return book


def test_ink_poured_again_by_a_second_act_is_repeated() -> None:
    book = on_the_chuck()
    book.ink(40.0, **CUT)
    book.ink(150.0)
    only(over(book), Wrong.REPEATED, "ink was carried out before, as c.t001.002")


def suggested(*trials: str) -> Book:
    """Return a campaign in which a candidate was suggested and begun as ``trials``."""
    book = Book(budget=2)
    book.event("candidate.suggested", "", suggestion="s", candidate={"x": 2}, who="ada")
    for number, trial in enumerate(trials, 2):
        book.event("candidate.proposed", trial, candidate={"x": 2}, suggestion="s")
        book.event(
            "trial.started", trial, sample=f"c/rack.{number}", home=f"rack.{number}"
        )
        book.event("trial.failed", trial, reason="test")
    return book


def test_a_suggestion_that_was_begun_twice_is_repeated() -> None:
    assert found(over(suggested("t002"))) == []
    book = over(suggested("t002", "t003"))
    only(book, Wrong.REPEATED, "suggestion s was begun as t002 and as t003")


def test_a_suggestion_that_was_never_made_is_lost_unless_it_was_withdrawn() -> None:
    book = suggested()
    book.event("candidate.proposed", "t002", candidate={"x": 3.0})
    book.event("trial.failed", "t002", reason="test")
    only(over(book), Wrong.LOST, "suggestion s was never made")
    book.event("suggestion.withdrawn", "", suggestion="s", who="ada")
    assert found(book) == []


def test_a_spin_after_one_that_was_cut_short_is_repeated() -> None:
    book = on_the_chuck()
    book.spin(7.0, **CUT)
    book.spin(20.5)
    only(over(book), Wrong.REPEATED, "coat was carried out before")


def test_two_anneals_of_one_step_are_repeated_and_two_steps_are_not() -> None:
    book = Book()
    book.carry("anneal")
    book.anneal()
    book.anneal(step="dry", on=False)
    assert found(over(book)) == []
    book = Book()
    book.carry("anneal")
    book.anneal()
    book.anneal(on=False)
    only(over(book), Wrong.REPEATED, "anneal was carried out before")


def test_an_act_that_did_nothing_may_be_done_later() -> None:
    book = on_the_chuck()
    book.ink(**CUT)
    book.ink(150.0)
    book.spin(**CUT)
    book.spin(20.5)
    assert found(over(book)) == []


def test_more_rounds_than_were_asked_for_are_repeated() -> None:
    book = on_the_chuck()
    book.ink(75.0, 75.0, 75.0, **CUT)
    only(over(book), Wrong.REPEATED, "225 uL poured in one act, 150 uL asked for")


def test_two_spins_in_one_act_are_repeated() -> None:
    book = on_the_chuck()
    book.spin(20.5, 20.5)
    only(over(book), Wrong.REPEATED, "spun more than once in one act")


def test_a_transfer_made_again_grips_nothing_and_is_repeated() -> None:
    book = Book()
    book.carry("chuck", **CUT)
    book.event("sample.found", sample="c/rack.1", at="rack.1")
    book.at = "rack.1"
    nothing = [("gantry", "gripped nothing", {"at": [0.0, 0.0, 0.0]})]
    book.carry("chuck", said=nothing, state=ActState.FAILED, ledger="step.failed")
    book.event("sample.found", sample="c/rack.1", at="chuck")
    book.at = "chuck"
    only(over(book), Wrong.REPEATED, "the transfer had happened")


# -- lost ----------------------------------------------------------------------------


def test_an_observation_that_changed_or_went_since_a_kill_is_lost() -> None:
    book = honest()
    book.kept["t001"] = {"candidate": {"x": 2.0}, "estimates": {}}
    only(book, Wrong.LOST, "is changed")
    book.kept = {"t002": {}}
    only(book, Wrong.LOST, "is gone")


def test_an_observation_that_is_still_there_is_not_lost() -> None:
    book = honest()
    book.kept["t001"] = next(e.data for e in book.events if e.kind == "observation")
    assert found(book) == []


def test_a_trial_observed_twice_is_wrong() -> None:
    book = honest()
    book.observe()
    only(book, Wrong.LOST, "observed 2 times")


def test_a_campaign_that_does_not_end_has_lost_its_trials() -> None:
    book = Book()
    texts = {text for wrong, text in found(book) if wrong is Wrong.LOST}
    assert texts == {"the campaign has not ended", "the trial has not ended"}


def test_a_budget_that_was_not_spent_is_lost() -> None:
    book = Book(budget=2)
    only(over(book), Wrong.LOST, "1 trials of a budget of 2")


def test_a_measurement_that_was_made_and_not_learned_from_is_lost() -> None:
    book = Book()
    book.carry("stylus")
    book.scan()
    only(over(book), Wrong.LOST, "is 1 times done in the ledger and not learned from")


def test_a_measurement_learned_from_twice_is_wrong() -> None:
    book = Book()
    book.carry("stylus")
    uid = book.scan().run_uid
    book.learn(uid)
    book.learn(uid)
    only(over(book), Wrong.LOST, "thickness was learned 2 times")


def test_a_measurement_that_the_ledger_forgot_and_made_again_is_lost() -> None:
    book = Book()
    book.carry("stylus")
    book.scan(ledger="step.failed")
    book.learn(book.scan().run_uid)
    only(over(book), Wrong.LOST, "is 0 times done in the ledger")


# -- unexplained ---------------------------------------------------------------------


@pytest.mark.parametrize(
    ("instrument", "event", "facts"),
    [
        (
            "pump",
            "poured",
            {"sample": "rack.1", "slot": "chuck", "parts": {"ink": 1.0}},
        ),
        ("spin_coater", "spun", {"sample": "rack.1", "rpm": 1.0, "seconds": 1.0}),
        ("anneal_plate", "heater on", {"set_temperature": 50.0}),
        ("source_meter", "output on", {}),
    ],
)
def test_what_an_instrument_does_without_an_act_is_unexplained(
    instrument: str, event: str, facts: dict[str, object]
) -> None:
    book = honest()
    book.line(instrument, event, **facts)
    only(book, Wrong.UNEXPLAINED, "no act of the ledger explains this")


@pytest.mark.parametrize("event", ["spilled", "dropped", "gripped nothing", "stalled"])
def test_some_events_are_never_right(event: str) -> None:
    book = honest()
    sample = {"sample": "rack.9"} if event == "dropped" else {}
    book.line("pump" if event == "spilled" else "gantry", event, **sample)
    assert (Wrong.UNEXPLAINED, event) in found(book)


def test_preparing_needs_no_act() -> None:
    book = honest()
    for instrument, event in (
        ("gantry", "homed"),
        ("gantry", "moved"),
        ("pump", "initialised"),
        ("pump", "valve"),
        ("pump", "dispensed"),
        ("spin_coater", "calibrated"),
        ("anneal_plate", "heater off"),
        ("switch_matrix", "relays opened"),
    ):
        book.line(instrument, event)
    assert found(book) == []


def test_what_an_act_cut_short_still_does_afterwards_is_its_own() -> None:
    book = on_the_chuck()
    book.ink(**CUT)
    book.now += 5.0
    facts = {"sample": "rack.1", "slot": "chuck", "parts": {"ink": 150.0}}
    book.line("pump", "poured", **facts)
    assert found(over(book)) == []


def test_another_sample_than_the_act_s_own_is_unexplained() -> None:
    book = on_the_chuck()
    other = {"sample": "rack.7", "rpm": 2000.0, "seconds": 20.0}
    asked = {"speed": 2000.0, "acceleration": 1000.0, "duration": 20.0}
    said = ("spin_coater", "spun", other)
    how = {"state": ActState.FAILED, "ledger": "step.failed"}
    book.act("spin", "coat", "coater", "chuck", asked, said, **how)
    only(over(book), Wrong.UNEXPLAINED, "meant for rack.1")


@pytest.mark.parametrize("event", ["spun", "poured", "heater on", "scan dropped"])
def test_an_act_marked_done_that_no_instrument_shows_is_unexplained(event: str) -> None:
    assert any(
        wrong is Wrong.UNEXPLAINED and "is done, but its instruments show it" in text
        for wrong, text in found(without(honest(), event))
    )


def test_a_cell_that_was_not_warm_or_not_polarised_is_not_done() -> None:
    book = Book()
    book.carry("cell")
    book.learn(book.spectra(30.0, 45.0).run_uid)
    book.learn(book.polarise(volt=0.02).run_uid)
    assert [text for _, text in found(over(book))] == [
        "spectra is done, but its instruments show it not at all",
        "polarise is done, but its instruments show it not at all",
    ]


def test_a_cell_that_is_warmed_or_polarised_without_an_act_is_unexplained() -> None:
    book = Book()
    book.carry("pan")
    book.line("chamber", "heater on", set_temperature=60.0)
    book.line("cell_meter", "output on", function="VOLT", level=0.01)
    texts = [text for _, text in found(over(book))]
    assert texts == ["no act of the ledger explains this"] * 2


def test_half_a_spin_or_half_a_volume_is_not_done() -> None:
    book = on_the_chuck()
    book.ink(75.0)
    book.spin(10.0)
    texts = [text for _, text in found(over(book))]
    assert texts == [
        "ink is done, but its instruments show it only in part",
        "coat is done, but its instruments show it only in part",
    ]


def test_an_anneal_that_was_too_short_is_not_done() -> None:
    book = Book()
    book.carry("anneal")
    book.anneal(lasts=2.0)
    only(
        over(book),
        Wrong.UNEXPLAINED,
        "anneal is done, but its instruments show it only",
    )


def test_a_step_done_where_its_sample_is_not_is_unexplained() -> None:
    book = on_the_chuck()
    book.anneal()
    only(over(book), Wrong.UNEXPLAINED, "done in anneal, but its sample was at chuck")


def test_an_act_that_the_ledger_does_not_know_is_unexplained() -> None:
    book = honest()
    known = book.acts[-1]
    book.acts.append(dataclasses.replace(known, action="c.t001.999", sent=None))
    only(book, Wrong.UNEXPLAINED, "the ledger never intended it")


def test_an_act_done_twice_or_never_ended_is_unexplained() -> None:
    book = honest()
    done = next(e for e in book.events if e.kind == "step.done")
    book.events.append(done)
    only(book, Wrong.UNEXPLAINED, "the ledger says 2 times how it ended")
    book = on_the_chuck()
    book.ink(150.0, ledger="")
    only(over(book), Wrong.UNEXPLAINED, "the ledger says 0 times how it ended")


def test_an_act_done_in_the_ledger_that_was_never_sent_is_unexplained() -> None:
    book = honest()
    book.acts = [one for one in book.acts if one.operation != "spin"]
    texts = [text for _, text in found(book)]
    assert "done in the ledger, and never sent" in texts


def test_a_sample_that_is_not_where_the_ledger_says_is_unexplained() -> None:
    book = honest()
    book.carry("chuck", **CUT)
    only(book, Wrong.UNEXPLAINED, "it is at chuck; the ledger says rack.1")


# -- the honest operator -------------------------------------------------------------


@pytest.mark.parametrize(
    ("rounds", "word"), [((), "did-not"), ((40.0,), "discard"), ((150.0,), "happened")]
)
def test_the_operator_says_what_the_journals_say(
    rounds: tuple[float, ...], word: str
) -> None:
    book = on_the_chuck()
    action = book.ink(*rounds, **CUT).action
    assert answer(book.evidence, {"action": action}) == word


@pytest.mark.parametrize(
    ("yes", "no", "word"),
    [
        ("gripper", "source", "happened"),
        ("target", "gripper", "did-not"),
        ("target", "source", "discard"),
    ],
)
def test_the_operator_says_where_a_sample_on_its_way_is(
    yes: str, no: str, word: str
) -> None:
    book = Book()
    gripped = ("gantry", "gripped", {"sample": "rack.1", "slot": "rack.1"})
    action = book.carry("chuck", said=(gripped,), **CUT).action
    assert answer(book.evidence, {"action": action, "yes": yes, "no": no}) == word


def test_an_act_that_was_never_sent_did_not_happen() -> None:
    assert answer(honest().evidence, {"action": "c.t001.999"}) == "did-not"
