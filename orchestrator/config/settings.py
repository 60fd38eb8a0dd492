"""An instrument's settings: from text with units to the dataclass of its driver."""

from __future__ import annotations

import dataclasses
import math
import types
import typing
from collections.abc import Mapping
from typing import Any, Union

from orchestrator import units
from orchestrator.config.strict_yaml import Key, Source, Where, near

CABLE = ("driver", "port", "folder")
"""Keys of an instrument that are not its driver's settings."""


def read_settings(source: Source, instrument: str, settings: type[Any]) -> Any:
    """Return a driver's settings, filled from the instrument's keys in the lab file.

    Parameters
    ----------
    source:
        The lab file.
    instrument:
        The instrument's name in it.
    settings:
        The driver's dataclass. ``Annotated[float, "unit"]`` is written as text with a
        unit, ``Annotated[tuple[float, ...], "unit"]`` as a list of such text.

    Raises
    ------
    ConfigError
        If a key is unknown or missing, a value is of another kind, or the dataclass
        itself refuses.
    """
    where: Where = ("instruments", instrument)
    written = {
        key: value
        for key, value in source.data["instruments"][instrument].items()
        if key not in CABLE
    }
    hints = typing.get_type_hints(settings, include_extras=True)
    fields = {one.name: one for one in dataclasses.fields(settings) if one.init}
    for key, value in written.items():
        if key not in fields:
            rule = f"unknown key: {near(key, [*CABLE, *fields])}"
            raise source.refusal((*where, key), value, rule)
    made = {
        key: _value(source, (*where, key), value, hints[key])
        for key, value in written.items()
    }
    for name, one in fields.items():
        if name not in made and _required(one):
            raise source.refusal(where, name, f"missing: {_wanted(hints[name])}")
    try:
        return settings(**made)
    except (ValueError, TypeError) as error:
        raise source.refusal(where, "settings", str(error)) from error


def unit_of(settings: Any, name: str) -> str:
    """Return the unit of a settings field, or nothing."""
    hints = typing.get_type_hints(type(settings), include_extras=True)
    return _split(hints.get(name))[1]


def _required(one: dataclasses.Field[Any]) -> bool:
    missing = dataclasses.MISSING
    return one.default is missing and one.default_factory is missing


def _split(hint: Any) -> tuple[Any, str]:
    """Return a hint without ``Annotated`` and ``| None``, and the unit it states."""
    unit = ""
    while True:
        if typing.get_origin(hint) is typing.Annotated:
            unit = next((m for m in hint.__metadata__ if isinstance(m, str)), unit)
            hint = hint.__origin__
        elif typing.get_origin(hint) in (Union, types.UnionType):
            kinds = [k for k in typing.get_args(hint) if k is not type(None)]
            if len(kinds) != 1:
                return hint, unit
            hint = kinds[0]
        else:
            return hint, unit


def _wanted(hint: Any) -> str:
    kind, unit = _split(hint)
    if unit and typing.get_origin(kind) is tuple:
        return f'write a list, e.g. ["{units.example(unit)}", ...]'
    if unit:
        return f'write it with its unit, e.g. "{units.example(unit)}"'
    if typing.get_origin(kind) is typing.Literal:
        return f"one of {', '.join(str(one) for one in typing.get_args(kind))}"
    names = {
        str: "text",
        int: "a whole number",
        bool: "true or false",
        float: "a number",
    }
    return names.get(kind, "see the driver")


def _value(source: Source, where: Where, value: Any, hint: Any) -> Any:
    kind, unit = _split(hint)
    origin, arguments = typing.get_origin(kind), typing.get_args(kind)
    if origin is tuple:
        return _list(source, where, value, arguments, unit)
    if unit:
        try:
            return units.parse(value, unit)
        except units.UnitError as error:
            raise source.refusal(where, value, str(error)) from None
    if isinstance(origin, type) and issubclass(origin, Mapping):
        if not isinstance(value, dict):
            raise source.refusal(where, value, "write keys and values")
        return {
            key: _value(source, (*where, key), one, arguments[1])
            for key, one in value.items()
        }
    if origin is typing.Literal:
        if value not in arguments or isinstance(value, bool):
            raise source.refusal(where, value, f"must be {_wanted(hint)}")
        return value
    if kind is float and type(value) is int:
        value = float(value)
    if isinstance(kind, type) and type(value) is not kind:
        raise source.refusal(where, value, f"must be {_wanted(hint)}")
    if isinstance(value, float) and not math.isfinite(value):
        raise source.refusal(where, value, "the number is not finite")
    return value


def _list(
    source: Source, where: Where, value: Any, kinds: tuple[Any, ...], unit: str
) -> tuple[Any, ...]:
    if not isinstance(value, list):
        raise source.refusal(where, value, "write a list in [ ]")
    open_ended = len(kinds) == 2 and kinds[1] is Ellipsis
    if not open_ended and len(value) != len(kinds):
        raise source.refusal(where, value, f"must have {len(kinds)} values")
    made = []
    for index, one in enumerate(value):
        kind = kinds[0] if open_ended else kinds[index]
        place: tuple[Key, ...] = (*where, index)
        hint = typing.Annotated[kind, unit] if unit else kind
        made.append(_value(source, place, one, hint))
    return tuple(made)
