"""SCPI messages are read as instruments read them."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sims.scpi import (
    Errors,
    ScpiError,
    boolean,
    channels,
    choice,
    commands,
    header_pattern,
    number,
    split_outside,
)

LEVEL = header_pattern(":SOURce#:CURRent[:LEVel][:IMMediate][:AMPLitude]")


@given(st.text(alphabet="ab;,'\"()@ 1", max_size=30))
def test_splitting_loses_nothing(text: str) -> None:
    assert ";".join(split_outside(text, ";")) == text


@given(st.text(max_size=40))
def test_any_text_is_read_without_a_crash(text: str) -> None:
    for command in commands(text):
        assert command.header


@pytest.mark.parametrize(
    "header", [":SOUR:CURR:LEV", ":SOURCE:CURRENT", ":sour1:curr:ampl", ":Sour:Curr"]
)
def test_a_keyword_is_taken_in_its_short_and_its_long_form(header: str) -> None:
    assert LEVEL.fullmatch(header)


@pytest.mark.parametrize(
    "header", [":SOURC:CURR", ":SOU:CURR", ":SOUR:CURR:LE", "SOUR"]
)
def test_a_keyword_is_taken_in_no_other_form(header: str) -> None:
    assert not LEVEL.fullmatch(header)


def headers(message: str) -> list[str]:
    return [command.header for command in commands(message)]


def test_after_a_semicolon_a_header_goes_on_where_the_last_one_was() -> None:
    assert headers("TRIG:COUN 1;DEL 0;:FORM:ELEM VOLT") == [
        ":TRIG:COUN",
        ":TRIG:DEL",
        ":FORM:ELEM",
    ]


def test_a_common_command_keeps_the_path_and_may_wear_a_colon() -> None:
    message = "status:queue:clear;*RST;:stat:pres;:*CLS;"
    assert headers(message) == [":status:queue:clear", "*RST", ":stat:pres", "*CLS"]


def test_parameters_are_cut_at_commas_outside_quotes_and_lists() -> None:
    (command,) = commands("ROUT:CLOS (@101, 110:112), 'a,b', 1e-05")
    assert command.parameters == ("(@101, 110:112)", "'a,b'", "1e-05")


def test_a_question_may_have_a_parameter() -> None:
    (command,) = commands("SENS:CORR:WAV? MIN")
    assert (command.header, command.query) == (":SENS:CORR:WAV", True)
    assert command.parameters == ("MIN",)


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("1e-05", 1e-5),
        ("2e+06", 2e6),
        ("100000.0", 1e5),
        ("0.00010000", 1e-4),
        ("MAX", 2e6),
    ],
)
def test_numbers_come_in_every_form_that_clients_send(text: str, value: float) -> None:
    assert number(text, 0.0, 2e6) == value


@pytest.mark.parametrize(
    ("text", "code"), [("warm", -104), ("nan", -104), ("3e6", -222)]
)
def test_a_bad_number_is_refused_with_the_standard_code(text: str, code: int) -> None:
    with pytest.raises(ScpiError) as refusal:
        number(text, 0.0, 2e6)
    assert refusal.value.code == code


def test_words_are_quoted_or_not() -> None:
    assert choice('"VOLT"', ["VOLTage[:DC]"]) == "VOLT"
    assert choice("'VOLT:DC'", ["VOLTage[:DC]"]) == "VOLT"
    assert boolean("ON")
    assert not boolean("0")


def test_a_channel_list_has_single_channels_and_ranges() -> None:
    assert channels("(@101, 110:112)") == (101, 110, 111, 112)
    assert channels("(@)") == ()


def test_the_error_queue_is_first_in_first_out_and_overflows_at_its_end() -> None:
    errors = Errors(size=2)
    for code in (-113, -222, -104):
        errors.put(code)
    assert [errors.pop()[0] for _ in range(3)] == [-113, -350, 0]
