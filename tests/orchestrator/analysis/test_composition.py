"""What a film is made of: known amounts are found again, and what is amiss is doubted."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from orchestrator.analysis import composition
from orchestrator.analysis.readings import AnalysisError
from orchestrator.records import Document, Measurement
from tests.orchestrator.analysis.runs import run

UNITS = {"balance_weight": "g", "balance_uncertainty": "g"}
POLYMER = {"mass": 192.0, "solute": 12.0}
SALT = {"mass": 20.88, "amount": 0.012, "solute": 3.444}
ADDITIVE = {"mass": 19.2, "solute": 2.4}


def weighed(mass: float, uid: str = "w") -> list[Document]:
    """Return a run that weighs so many mg three times."""
    event = {"balance_weight": mass * 1e-3, "balance_uncertainty": 7e-5}
    return run(UNITS, [event] * 3, uid=uid)


def dispensed(portion: dict[str, float], uid: str = "d") -> list[Document]:
    documents = run({"pump_plunger": "uL"}, [{"pump_plunger": 0.0}], uid=uid)
    start: dict[str, Any] = documents[0][1]
    start["parameters"] = {"portions": [portion]}
    return documents


def milligram(value: float, std: float = 0.1) -> Measurement:
    return Measurement("mass", value, std, "mg", "weighing", runs=("w",))


RUNS = {
    "polymer": dispensed(POLYMER),
    "salt": dispensed(SALT),
    "additive": dispensed(ADDITIVE),
}


@given(st.floats(5000.0, 7000.0), st.floats(0.1, 500.0))
def test_a_gain_is_a_difference_of_weighings(cup: float, gain: float) -> None:
    runs = {"before": weighed(cup, "b"), "after": weighed(cup + gain, "a")}
    made = composition.mass_difference(runs, {})
    assert made.value == pytest.approx(gain, abs=1e-6)
    assert made.std == pytest.approx(0.099, abs=0.001)
    assert made.believed


def test_a_cup_that_has_lost_mass_is_doubted() -> None:
    runs = {"before": weighed(6000.0), "after": weighed(5990.0)}
    assert not composition.mass_difference(runs, {}).believed


@given(st.floats(0.8, 1.2), st.floats(0.8, 1.2))
def test_molality_follows_what_was_weighed(polymer: float, salt: float) -> None:
    of = {"polymer": milligram(192.0 * polymer), "salt": milligram(20.88 * salt)}
    made = composition.molality(RUNS, of)
    assert made.value == pytest.approx(1.0 * salt / polymer)
    assert made.unit == "mol/kg"
    assert made.believed


def test_a_ratio_is_in_percent() -> None:
    of = {"polymer": milligram(192.0), "additive": milligram(19.2)}
    assert composition.mass_ratio(RUNS, of).value == pytest.approx(20.0)


def test_a_portion_that_did_not_arrive_is_doubted() -> None:
    of = {"polymer": milligram(192.0), "salt": milligram(0.2)}
    made = composition.molality(RUNS, of)
    assert not made.believed
    assert "salt: 0.20 mg was dispensed, and 20.88 mg asked for" in made.doubts[0]


@pytest.mark.parametrize(
    ("film", "believed"), [(17.9, True), (18.1, True), (22.0, False)]
)
def test_a_film_that_is_too_heavy_is_still_wet(film: float, believed: bool) -> None:
    of = {
        "polymer": milligram(192.0),
        "salt": milligram(20.88),
        "additive": milligram(19.2),
        "film": milligram(film),
    }
    made = composition.residue(RUNS, of)
    assert made.value == pytest.approx(100.0 * (film / 17.844 - 1.0))
    assert made.believed is believed


def test_a_stock_of_which_the_lab_says_nothing_is_named() -> None:
    of = {"polymer": milligram(192.0), "salt": milligram(20.0)}
    runs = RUNS | {"salt": dispensed({})}
    with pytest.raises(
        AnalysisError, match="what the portion of salt holds is not known"
    ):
        composition.molality(runs, of)
