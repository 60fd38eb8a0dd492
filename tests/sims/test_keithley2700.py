"""The simulated switch matrix keeps its relays as it was told."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sims.models.matrix_card import MatrixCard
from tests.sims.desk import Desk

relays = st.frozensets(st.integers(1, 50))


@pytest.fixture
def desk(tmp_path: Path) -> Iterator[Desk]:
    desk = Desk(tmp_path, {"instruments": {"matrix": {"panel": "keithley2700"}}})
    yield desk
    desk.close()


def ask(desk: Desk, text: str, wait: float = 1.0) -> str:
    return desk.ask("matrix", text.encode() + b"\n", wait).decode().rstrip("\n")


@given(relays, relays)
def test_closing_adds_and_opening_takes_away(
    one: frozenset[int], two: frozenset[int]
) -> None:
    card = MatrixCard()
    card.close(one)
    card.close(two)
    assert card.closed == one | two
    card.open(one)
    assert card.closed == two - one


def test_a_channel_is_a_crossing_of_row_and_column() -> None:
    card = MatrixCard()
    card.close(frozenset({1, 10, 20, 27, 48, 49}))
    assert card.crosspoints() == {(1, 1), (2, 2), (3, 4), (4, 3), (6, 8)}


def test_a_list_with_one_bad_channel_moves_nothing(desk: Desk) -> None:
    ask(desk, ":ROUT:MULT:CLOS (@101, 151)")
    assert ask(desk, "SYST:ERR?;:ROUT:MULT:CLOS?") == (
        '-222,"Parameter data out of range";(@)'
    )


def test_operation_complete_waits_for_the_relays(desk: Desk) -> None:
    assert ask(desk, ":ROUT:MULT:CLOS (@101:140);*OPC?", wait=0.1) == ""
    assert ask(desk, "", wait=0.1) == "1"


def test_the_system_channel_is_one_and_brings_the_meter_along(desk: Desk) -> None:
    ask(desk, ":ROUT:CLOS (@103)")
    ask(desk, ":ROUT:CLOS (@104)")
    assert ask(desk, ":ROUT:MULT:CLOS?") == "(@104,150)"
    assert ask(desk, ":ROUT:CLOS?") == "(@104)"


def test_a_reset_opens_everything_and_a_second_one_moves_nothing(desk: Desk) -> None:
    ask(desk, ":ROUT:MULT:CLOS (@101,110)")
    ask(desk, "status:queue:clear;*RST;:stat:pres;:*CLS;")
    ask(desk, "*RST")
    assert ask(desk, ":ROUT:MULT:CLOS?") == "(@)"
    assert desk.events("matrix") == ["relays closed", "relays opened"]


def test_the_undocumented_question_of_a_client_is_an_undefined_header(
    desk: Desk,
) -> None:
    assert ask(desk, "ROUTe:MULTiple:STATe? (@101)") == ""
    assert ask(desk, "SYST:ERR?") == '-113,"Undefined header"'


def test_the_display_shows_twelve_letters(desk: Desk) -> None:
    ask(desk, "DISP:TEXT:STAT 1;:DISP:TEXT:DATA 'film 12'")
    assert ask(desk, "DISP:TEXT:STAT?;DATA?") == '1;"film 12"'
    ask(desk, "DISP:TEXT:DATA 'more than twelve'")
    assert ask(desk, "SYST:ERR?").startswith("-222")
    assert ask(desk, "SYST:CARD1:VMAX?") == "42"
