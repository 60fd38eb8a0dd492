"""Several objectives, limits and the stopping rule: from the files to what is decided."""

from __future__ import annotations

import math
from pathlib import Path

import numpy as np
import pytest

from orchestrator.analysis.evaluate import NotBelieved, observe
from orchestrator.best import best_trials, ranked_trials
from orchestrator.campaign import Propose, Rules, Stop, Wait, next_action, rules_of
from orchestrator.config.models import Campaign
from orchestrator.config.read_campaign import load_campaign
from orchestrator.errors import ConfigError
from orchestrator.fold import fold
from orchestrator.records import Measurement
from orchestrator.stopping import StopRule
from planners.data import Candidate, Limit, Objective
from tests.orchestrator.decided import Decided, conductivity
from tests.orchestrator.lab_files import LabFiles
from tests.orchestrator.virtual_lab import VirtualLab

TWO = """
  conductivity: {unit: S/cm, direction: maximise, scale: log}
  sheet_resistance: {unit: kiloohm, direction: minimise, target: "5 ohm"}
limits:
  transmittance: {at_least: "80 percent"}
  thickness: {at_least: "0.02 um", at_most: "150 nm"}
"""


def written(directory: Path, **changes: str) -> LabFiles:
    """Return files of a campaign that the random planner proposes for."""
    files = LabFiles.copied(directory)
    files.edit("campaign.yaml", "name: bayes", "name: random")
    for old, new in changes.items():
        files.edit("campaign.yaml", old, new)
    return files


def two(directory: Path) -> Campaign:
    files = written(directory)
    old = "\n  conductivity: {unit: S/cm, direction: maximise, scale: log}\n"
    files.edit("campaign.yaml", old, TWO)
    return files.load()


def test_objectives_are_in_their_units_and_limits_in_those_of_the_recipe(
    tmp_path: Path,
) -> None:
    campaign = two(tmp_path)
    assert campaign.objectives == (
        Objective("conductivity", "S/cm", "maximise", "log"),
        Objective("sheet_resistance", "kiloohm", "minimise", target=0.005),
    )
    assert campaign.limits == (
        Limit("transmittance", "1", at_least=0.8),
        Limit("thickness", "nm", at_least=20.0, at_most=150.0),
    )


def test_a_limit_on_an_objective_is_in_the_objective_s_unit(tmp_path: Path) -> None:
    limits = 'limits: {conductivity: {at_most: "1000 S/m"}}\nplanner:'
    assert written(tmp_path, **{"planner:": limits}).load().limits == (
        Limit("conductivity", "S/cm", at_most=10.0),
    )


def test_an_observation_has_an_estimate_of_each_objective_and_limit(
    tmp_path: Path,
) -> None:
    campaign = two(tmp_path)
    measured = {
        name: Measurement(name, value, 0.1, unit, "")
        for name, value, unit in (
            ("conductivity", 900.0, "S/cm"),
            ("sheet_resistance", 120.0, "ohm"),
            ("transmittance", 0.7, "1"),
            ("thickness", 60.0, "nm"),
        )
    }
    candidate = Candidate({"x": 1.0})
    goals = campaign.objectives, measured, campaign.limits
    found = observe(candidate, *goals).estimates
    assert {name: one.value for name, one in found.items()} == {
        "conductivity": 900.0,
        "sheet_resistance": 0.12,
        "transmittance": 0.7,
        "thickness": 60.0,
    }
    for name in list(measured):
        less = {key: one for key, one in measured.items() if key != name}
        with pytest.raises(NotBelieved, match=f"{name}: was not measured"):
            observe(candidate, campaign.objectives, less, campaign.limits)


LIMITS = "planner:", "limits: {%s}\nplanner:"
STOP = "in_flight: 2", "stop: {regret_below: %s}"
SECOND = "scale: log}\n\nplanner", "scale: log}\n  %s\n\nplanner"


@pytest.mark.parametrize(
    ("where", "text", "message"),
    [
        (LIMITS, 'transmitance: {at_least: "80 percent"}',
         "limits.transmitance: transmitance — the recipe does not measure it: did you mean transmittance"),
        (LIMITS, 'transmittance: {at_least: "80 ohm"}',
         "limits.transmittance.at_least: 80 ohm — a quantity in 1 is wanted"),
        (LIMITS, "transmittance: {at_least: 0.8}", "limits.transmittance.at_least: 0.8 — write the unit"),
        (LIMITS, "transmittance: {}", "write at_least, at_most or both"),
        (LIMITS, 'transmittance: {at_least: "90 percent", at_most: "80 percent"}',
         "90 percent to 80 percent — empty: at_least must be below at_most"),
        (STOP, '"50 S/cm"', 'stop.regret_below: 50 S/cm — on a log scale a part is wanted, e.g. "5 percent"'),
        (STOP, '"0 percent"', "stop.regret_below: 0 percent — must be above 0"),
    ],
)  # fmt: skip
def test_goals_that_cannot_be_meant_are_refused_by_their_line(
    tmp_path: Path, where: tuple[str, str], text: str, message: str
) -> None:
    files = LabFiles.copied(tmp_path)
    old, new = where
    files.edit("campaign.yaml", old, new % text)
    with pytest.raises(ConfigError) as refused:
        files.load()
    line = files.line("campaign.yaml", text.strip('"'))
    assert f"campaign.yaml:{line}: " in str(refused.value)
    assert message in str(refused.value)


UP, DOWN = Objective("up", "1"), Objective("down", "1", "minimise")


def observed(*rows: tuple[float, float]) -> VirtualLab:
    lab = VirtualLab()
    for number, values in enumerate(rows, 1):
        lab.start(f"t{number}", f"rack.{number}")
        estimates = {
            name: {"value": v, "std": 0.1}
            for name, v in zip(("up", "down"), values, strict=True)
        }
        lab.write(
            "observation", f"t{number}", candidate={"x": 1.0}, estimates=estimates
        )
    return lab


def test_the_best_trials_are_those_that_no_other_beats_best_of_the_first_first() -> (
    None
):
    lab = observed((1.0, 1.0), (3.0, 5.0), (2.0, 6.0), (2.0, 2.0))
    both = [one.id for one in best_trials(lab.progress, [UP, DOWN])]
    assert both == ["t2", "t4", "t1"]
    ranked = [one.id for one in ranked_trials(lab.progress, [UP, DOWN])]
    assert ranked == ["t2", "t4", "t1", "t3"]
    limited = [Limit("down", "1", at_most=4.0)]
    assert [one.id for one in best_trials(lab.progress, [UP], limited)] == ["t4"]
    assert [t.id for t in ranked_trials(lab.progress, [UP], limited)] == ["t4", "t1"]


# -- the stopping rule ------------------------------------------------------------------

RULES = Rules(
    trials=99, in_flight=1, substrates=99, stop=StopRule(50.0, "S/cm", proposals=3)
)


def proposed(lab: VirtualLab, *bounds: float | None, end: bool = True) -> None:
    """Have one trial proposed and made for each bound."""
    for bound in bounds:
        number = len(lab.progress.trials) + 1
        card = {} if bound is None else {"regret_bound": bound}
        lab.write(
            "candidate.proposed", f"t{number}", candidate={"x": float(number)},
            card=card, proposal=number,
        )  # fmt: skip
        home = f"rack.{number}"
        lab.write("trial.started", f"t{number}", sample=f"c/{home}", home=home)
        if end:
            lab.write("observation", f"t{number}", candidate={"x": 1.0}, estimates={})


def test_a_campaign_stops_when_three_proposals_in_a_row_promise_too_little() -> None:
    lab = VirtualLab()
    proposed(lab, 400.0, 40.0, 30.0, 60.0, 45.0, 20.0)
    assert next_action(RULES, lab.progress) == Propose(1)
    proposed(lab, 12.34, end=False)
    assert next_action(RULES, lab.progress) == Wait()
    lab.write("observation", "t7", candidate={"x": 1.0}, estimates={})
    why = "stopped: no more than 12 S/cm to be gained (95 %)"
    assert next_action(RULES, lab.progress) == Stop(why, good=True)


def test_with_room_for_more_in_flight_it_asks_no_more_and_waits() -> None:
    rules = Rules(trials=99, in_flight=3, substrates=99, stop=RULES.stop)
    lab = VirtualLab()
    proposed(lab, 9.0, 9.0, end=False)
    assert next_action(rules, lab.progress) == Propose(1)
    proposed(lab, 9.0)
    assert next_action(rules, lab.progress) == Wait()


@pytest.mark.parametrize("gap", [None, math.nan, math.inf, 50.0])
def test_a_proposal_that_bounds_nothing_breaks_the_row(gap: float | None) -> None:
    lab = VirtualLab()
    proposed(lab, 9.0, 9.0, gap, 9.0, 9.0)
    assert next_action(RULES, lab.progress) == Propose(1)
    proposed(lab, 9.0)
    assert isinstance(next_action(RULES, lab.progress), Stop)


def test_candidates_of_one_proposal_count_once() -> None:
    lab = VirtualLab()
    for number in (1, 2, 3):
        lab.write(
            "candidate.proposed", f"t{number}", candidate={"x": 1.0},
            card={"regret_bound": 1.0}, proposal=1,
        )  # fmt: skip
        lab.write("trial.failed" if number == 2 else "observation", f"t{number}",
                  reason="", candidate={"x": 1.0}, estimates={})  # fmt: skip
    assert next_action(RULES, lab.progress) == Propose(1)


@pytest.mark.parametrize(
    ("scale", "text", "below", "shown"),
    [
        ("", "50 S/cm", 50.0, "40 S/cm"),
        ("", "5000 S/m", 50.0, "40 S/cm"),
        (", scale: log", "5 percent", math.log10(1.05), "4.0 %"),
    ],
)
def test_a_rule_is_read_in_the_unit_of_the_objective_or_as_a_part_on_a_log_scale(
    tmp_path: Path, scale: str, text: str, below: float, shown: str
) -> None:
    rule = f'stop: {{regret_below: "{text}", proposals: 2}}\nin_flight: 2'
    files = written(tmp_path, **{", scale: log}\n\npl": f"{scale}}}\n\npl"})
    files.edit("campaign.yaml", "in_flight: 2", rule)
    campaign = files.load()
    assert campaign.stop is not None
    assert campaign.stop.below == pytest.approx(below)
    assert campaign.stop.proposals == 2
    rules = rules_of(campaign, {"trials": 9})
    lab = VirtualLab()
    bound = math.log10(1.04) if scale else 40.0
    proposed(lab, bound, bound)
    stop = next_action(rules, lab.progress)
    assert isinstance(stop, Stop)
    gain = shown.replace(".0 %", " %")
    assert stop.reason == f"stopped: no more than {gain} to be gained (95 %)"


def test_a_rule_for_several_objectives_is_refused_by_its_line(tmp_path: Path) -> None:
    files = written(tmp_path)
    old = "\n  conductivity: {unit: S/cm, direction: maximise, scale: log}\n"
    files.edit("campaign.yaml", old, f'{TWO}stop: {{regret_below: "5 percent"}}\n')
    line = files.line("campaign.yaml", "regret_below")
    with pytest.raises(
        ConfigError, match=rf"yaml:{line}: stop.regret_below.*there are"
    ):
        files.load()


@pytest.mark.slow
def test_a_campaign_of_the_real_planner_ends_when_its_cards_promise_too_little(
    tmp_path: Path,
) -> None:
    edits = {
        "in_flight: 2": 'stop: {regret_below: "900 percent"}\nin_flight: 2',
        "{molecule: acid}": "{choice: [nitric acid, formic acid]}",
    }
    decided = Decided.begun(tmp_path, "bayes", 40, edits=edits).run(failing=99)
    events = decided.events()
    campaign = load_campaign(decided.data / events[0].data["config"])
    rules = rules_of(campaign, events[0].data)
    assert rules.stop is not None
    ended = next_action(rules, fold(events))
    assert isinstance(ended, Stop)
    assert ended.good
    assert ended.reason.startswith("stopped: no more than ")
    # It asked until the rule was kept, and not once more.
    proposed = [one for one in events if one.kind == "candidate.proposed"]
    cards = {one.data["proposal"]: one.data["card"] for one in proposed}
    bounds = [card.get("regret_bound", math.inf) for card in cards.values()]
    low = [bound < rules.stop.below for bound in bounds]
    assert low[-3:] == [True] * 3
    assert not any(all(low[n : n + 3]) for n in range(len(low) - 3))
    assert campaign.planner.initial < len(proposed) < 40
    # What it said is true: no film of this space is better by more than the bound.
    space = campaign.space
    (acid,) = space.choices
    middle = dict.fromkeys((one.name for one in space.reals), 0.5)
    possible = [
        conductivity(
            space.candidate(
                {**middle, "acid_concentration": 1.0, "treatment_temperature": place},
                {acid.name: option},
            )
        )
        for option in acid.options
        for place in np.linspace(0.0, 1.0, 100)
    ]
    best = max(conductivity(one.candidate) for one in fold(events).observed)
    assert math.log10(max(possible) / best) <= bounds[-1]
