"""The one registry of units; the doors where text becomes numbers and back.

Inside, a number is a float in a unit that its docstring names. Text with a unit is
read by `parse` and nowhere else; what people see is written by `show`.
"""

from __future__ import annotations

import math
import re
from functools import cache
from tokenize import TokenError
from typing import Any

import pint

_NUMBER = r"[-+]?(?:\d+\.?\d*|\.\d+)(?:[eE][-+]?\d{1,3})?"
_NAME = r"[A-Za-zµμΩ°%]+(?:(?:\^|\*\*)-?\d)?"
_UNIT = rf"(?:1\s*/\s*)?{_NAME}(?:\s*[*/·]\s*{_NAME}){{0,4}}"
_TEXT = re.compile(rf"\s*({_NUMBER})\s*({_UNIT})\s*", re.ASCII)
_BARE = re.compile(rf"\s*{_NUMBER}\s*", re.ASCII)

SMALL = 1e-3
"""Below it a number for people is written with a power of ten."""
_RAISED = str.maketrans("-0123456789", "⁻⁰¹²³⁴⁵⁶⁷⁸⁹")

_EXAMPLES = {
    "mm": "20 mm", "uL": "150 uL", "s": "30 s", "degC": "120 degC", "rpm": "2000 rpm",
    "rpm/s": "1000 rpm/s", "mol/L": "0.5 mol/L", "mol/kg": "1 mol/kg",
    "mg": "20 mg", "percent": "20 percent", "g/L": "50 g/L", "A": "100 uA", "V": "10 V",
    "nm": "550 nm", "mm/min": "6000 mm/min", "1": "80 percent",
}  # fmt: skip

_PRETTY = (("degC", "°C"), ("uL", "µL"), ("um", "µm"), ("uA", "µA"),
           ("uV", "µV"), ("uW", "µW"), ("ohm", "Ω"))  # fmt: skip


class UnitError(ValueError):
    """Text that is no quantity of the kind wanted; the message is the rule alone."""


@cache
def registry() -> pint.UnitRegistry[float]:
    """Return the registry; made on first use, since it takes half a second."""
    return pint.UnitRegistry()


@cache
def _base(unit: str) -> tuple[pint.Unit, Any]:
    """Return a unit, and the base units that tell what kind of quantity it is.

    Radians are kept apart from plain numbers: for pint 1 Hz is 9.5 rpm.
    """
    try:
        known = registry().Unit(unit)
        return known, registry().get_base_units(known)[1]
    except (
        pint.PintError, AssertionError, AttributeError, TokenError, TypeError, ValueError
    ) as error:  # fmt: skip
        raise UnitError(f"{unit!r} is not a unit that is known here") from error


def example(unit: str) -> str:
    """Return a quantity as it is written in a file, for messages.

    Examples
    --------
    >>> example("mL")
    '1 mL'
    """
    return _EXAMPLES.get(unit, f"1 {unit}")


def same_kind(unit: str, other: str) -> bool:
    """Whether two units measure the same kind of quantity.

    Examples
    --------
    >>> same_kind("min", "s"), same_kind("ms", "degC"), same_kind("Hz", "rpm")
    (True, False, False)
    """
    return bool(_base(unit)[1] == _base(other)[1])


def convert(value: float, unit: str, to: str) -> float:
    """Return a number of one unit in another of the same kind.

    Examples
    --------
    >>> convert(2.0, "min", "s")
    120.0
    """
    if unit == to:
        return value
    if not same_kind(unit, to):
        raise UnitError(f"{unit} cannot be turned into {to}")
    result = registry().Quantity(value, _base(unit)[0]).to(_base(to)[0]).magnitude
    # Sixteen digits of "150 uL" in uL would read 149.99999999999997.
    return float(f"{result:.14g}")


def interval(unit: str) -> str:
    """Return the unit that differences have: K for a temperature with its own zero.

    Examples
    --------
    >>> interval("degC"), interval("percent")
    ('K', 'percent')
    """
    if same_kind(unit, "K") and convert(0.0, unit, "K") != 0.0:
        return "K"
    return unit


def stretch(unit: str, to: str) -> float:
    """Return the difference between two numbers, one ``unit`` apart, in ``to``.

    Examples
    --------
    >>> stretch("degC", "K"), stretch("g", "mg")
    (1.0, 1000.0)
    """
    return float(f"{convert(1.0, unit, to) - convert(0.0, unit, to):.12g}")


def parse(text: object, unit: str) -> float:
    """Return the number that a text means, in ``unit``.

    Raises
    ------
    UnitError
        If there is no unit, or one of another kind, or no finite number.

    Examples
    --------
    >>> parse("500 ms", "s"), parse("25 °C", "degC"), parse("1 µL", "uL")
    (0.5, 25.0, 1.0)
    """
    rule = f'write the unit, e.g. "{example(unit)}"'
    if not isinstance(text, str) or _BARE.fullmatch(text):
        raise UnitError(rule)
    match = _TEXT.fullmatch(text)
    if match is None:
        raise UnitError(f'write a number and its unit, e.g. "{example(unit)}"')
    number, written = float(match[1]), match[2].replace("·", "*")
    if not same_kind(written, unit):
        raise UnitError(f'a quantity in {unit} is wanted, e.g. "{example(unit)}"')
    value = convert(number, written, unit)
    if not math.isfinite(value):
        raise UnitError("the number is not finite")
    return value


def written(text: str) -> str:
    """Return the unit that a quantity is written in.

    Raises
    ------
    UnitError
        If there is none, or none that is known.

    Examples
    --------
    >>> written("70 percent"), written("1e3ohm")
    ('percent', 'ohm')
    """
    match = _TEXT.fullmatch(text)
    if match is None:
        raise UnitError('write a number and its unit, e.g. "30 s"')
    unit = match[2].replace("·", "*")
    _base(unit)
    return unit


def over(unit: str, other: str) -> str:
    """Return the unit of so much of one for each of another.

    Examples
    --------
    >>> over("min", "K"), over("min", "mol/L"), over("min", "1")
    ('min/K', 'min*L/mol', 'min')
    """
    above, *below = other.split("/")
    parts = [unit, *(f"*{one}" for one in below)]
    parts += [f"/{one}" for one in above.split("*") if one not in ("", "1")]
    return "".join(parts)


def pretty(unit: str) -> str:
    """Return a unit as people write it.

    Examples
    --------
    >>> pretty("uL"), pretty("degC")
    ('µL', '°C')
    """
    if unit == "1":
        return ""
    for plain, written in _PRETTY:
        unit = re.sub(rf"(?<![A-Za-z]){plain}(?![A-Za-z])", written, unit)
    return unit


def show(value: float, unit: str, std: float | None = None) -> str:
    """Return a number for people: grouped, rounded to its uncertainty, with its unit.

    Parameters
    ----------
    value, std:
        The number and its standard uncertainty, in ``unit``. Two digits of the
        uncertainty are kept; without one, four digits of the value.

    Examples
    --------
    >>> show(3120.4, "S/cm", 183.0)
    '3 120 ± 180 S/cm'
    >>> show(0.91512, "1", 0.0021)
    '0.9151 ± 0.0021'
    >>> show(600.0, "s"), show(0.0001, "A")
    ('600 s', '100 µA')
    >>> show(2.229e-5, "S/cm", 8.6e-7), show(1e-5, "S/cm"), show(5e-5, "")
    ('(2.229 ± 0.086)·10⁻⁵ S/cm', '10⁻⁵ S/cm', '5·10⁻⁵')
    """
    value, std, unit = _prefixed(value, std, unit)
    size = float(f"{max(abs(value), std or 0.0):.3e}")
    if 1e-300 < size < SMALL:
        power = math.floor(math.log10(size))
        scaled = None if std is None else std / 10.0**power
        text = show(value / 10.0**power, "", scaled)
        ten = f"10{str(power).translate(_RAISED)}"
        text = f"({text})·{ten}" if "±" in text else f"{text}·{ten}"
        return f"{text.removeprefix('1·')} {pretty(unit)}".strip()
    if std is not None and math.isfinite(std) and std > 0 and math.isfinite(value):
        decimals = 1 - math.floor(math.log10(float(f"{std:.1e}")))
        text = f"{_grouped(value, decimals)} ± {_grouped(std, decimals)}"
    elif math.isfinite(value) and value != 0:
        decimals = max(3 - math.floor(math.log10(abs(value))), 0)
        text = _grouped(value, min(decimals, 12))
        text = text.rstrip("0").rstrip(".") if "." in text else text
    else:
        text = f"{value:g}"
    return f"{text} {pretty(unit)}".strip()


def resistance(value: float, std: float | None = None) -> str:
    """Return a resistance (ohm) for people, with the prefix that suits its size.

    Examples
    --------
    >>> resistance(64040.0, 140.0), resistance(2.5), resistance(1.277e8)
    ('64.04 ± 0.14 kΩ', '2.5 Ω', '127.7 MΩ')
    """
    sizes = ((1e9, "G"), (1e6, "M"), (1e3, "k"), (1.0, ""))
    size, prefix = next((one for one in sizes if abs(value) >= one[0]), (1e-3, "m"))
    return f"{show(value / size, '', None if std is None else std / size)} {prefix}Ω"


def _prefixed(
    value: float, std: float | None, unit: str
) -> tuple[float, float | None, str]:
    """Return small currents, voltages and powers in milli, micro or nano."""
    if unit in ("A", "V", "W") and 0 < abs(value) < 1:
        for prefix, size in (("m", 1e-3), ("u", 1e-6), ("n", 1e-9)):
            # A hair below, because 1e-6 A is 0.9999999999999999 uA.
            if abs(value) >= size * (1 - 1e-9) or prefix == "n":
                std = None if std is None else std / size
                return float(f"{value / size:.12g}"), std, f"{prefix}{unit}"
    return value, std, unit


def _grouped(value: float, decimals: int) -> str:
    return f"{round(value, decimals):,.{max(decimals, 0)}f}".replace(",", " ")
