from __future__ import annotations

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from orchestrator import units

PAIRS = [
    ("s", "min"),
    ("uL", "mL"),
    ("degC", "K"),
    ("rpm", "rpm"),
    ("mol/L", "mol/m^3"),
]


@given(st.floats(-1e6, 1e6), st.sampled_from(PAIRS))
def test_converting_there_and_back_changes_nothing(
    value: float, pair: tuple[str, str]
) -> None:
    unit, other = pair
    there = units.convert(value, unit, other)
    assert units.convert(there, other, unit) == pytest.approx(value, rel=1e-9, abs=1e-6)


@given(st.floats(-1e6, 1e6), st.sampled_from(["s", "mm", "degC", "rpm/s", "A"]))
def test_text_in_the_wanted_unit_is_read_as_it_is(value: float, unit: str) -> None:
    assert units.parse(f"{value!r} {unit}", unit) == value


@given(st.text(max_size=12))
def test_any_text_is_a_finite_number_or_a_unit_error(text: str) -> None:
    try:
        value = units.parse(text, "s")
    except units.UnitError:
        return
    assert math.isfinite(value)


@pytest.mark.parametrize(
    ("text", "unit", "value"),
    [
        ("500 ms", "s", 0.5),
        ("2 hour", "s", 7200.0),
        ("25 °C", "degC", 25.0),
        ("298.15 K", "degC", 25.0),
        ("150 ul", "uL", 150.0),
        ("150uL", "uL", 150.0),
        ("150 µL", "uL", 150.0),  # micro sign
        ("150 μL", "uL", 150.0),  # Greek mu
        ("0.5 M", "mol/L", 0.5),
        ("12000 mm/min", "mm/s", 200.0),
        ("1e3 rpm", "rpm", 1000.0),
        ("-30 mm", "mm", -30.0),
        ("1 uA", "A", 1e-6),
    ],
)
def test_text_with_a_unit_is_read(text: str, unit: str, value: float) -> None:
    assert units.parse(text, unit) == pytest.approx(value, rel=1e-12)


@pytest.mark.parametrize("bare", [5, 0.5, True, None, "5", "0.5", " 1e3 ", [], "5."])
def test_a_bare_number_is_refused_with_an_example(bare: object) -> None:
    with pytest.raises(units.UnitError, match=r'write the unit, e\.g\. "30 s"'):
        units.parse(bare, "s")


@pytest.mark.parametrize(
    ("text", "unit"),
    [
        ("500 ms", "degC"),
        ("20 mm", "uL"),
        ("100 Hz", "rpm"),  # for pint, 1 Hz is 9.5 rpm
        ("5 degC/min", "degC"),
        ("1 mol", "mol/L"),
    ],
)
def test_a_quantity_of_another_kind_is_refused(text: str, unit: str) -> None:
    with pytest.raises(units.UnitError, match=r"is wanted, e\.g\."):
        units.parse(text, unit)


@pytest.mark.parametrize(
    "text",
    ["nan s", "inf s", "1e999 s", "1 parsec_or_so", "1 s; stop", "1 s\n", "", "s"],
)
def test_what_is_no_finite_quantity_is_refused(text: str) -> None:
    with pytest.raises(units.UnitError):
        units.parse(text, "m" if "parsec" in text else "kg")


def test_an_unknown_unit_is_named() -> None:
    with pytest.raises(units.UnitError, match="'secnds' is not a unit"):
        units.parse("5 secnds", "s")


PLAIN = str.maketrans("⁻⁰¹²³⁴⁵⁶⁷⁸⁹", "-0123456789")


@given(st.floats(1e-6, 1e9), st.floats(1e-3, 0.3))
def test_what_is_shown_differs_by_less_than_the_uncertainty(
    value: float, relative: float
) -> None:
    shown = units.show(value, "S/cm", value * relative)
    power = shown.partition("·10")[2].split(" ")[0].translate(PLAIN)
    read = float(shown.split("±")[0].strip("( ").replace(" ", "") + f"e{power or 0}")
    assert abs(read - value) <= 0.06 * value * relative


@pytest.mark.parametrize(
    ("value", "unit", "std", "text"),
    [
        (3120.4, "S/cm", 183.0, "3 120 ± 180 S/cm"),
        (5.0123, "ohm", 0.0312, "5.012 ± 0.031 Ω"),
        (0.9151, "", 0.0021, "0.9151 ± 0.0021"),
        (99.96, "nm", 0.996, "100.0 ± 1.0 nm"),
        (120.0, "degC", None, "120 °C"),
        (12345.6, "uL", None, "12 346 µL"),
        (0.0001, "A", None, "100 µA"),
        (0.0, "s", None, "0 s"),
        (math.nan, "S/cm", None, "nan S/cm"),
        (5.0, "S/cm", math.inf, "5 S/cm"),
    ],
)
def test_numbers_are_shown_with_unit_and_uncertainty(
    value: float, unit: str, std: float | None, text: str
) -> None:
    assert units.show(value, unit, std) == text


@pytest.mark.parametrize("text", ["#", "'", "?", "(", "()", "-"])
def test_what_pint_cannot_even_parse_is_no_unit(text: str) -> None:
    with pytest.raises(units.UnitError, match="is not a unit that is known here"):
        units.same_kind(text, "S/cm")
