"""Values that one SCPI header sets and, with a question mark, tells."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

from sims.scpi import boolean, choice, number

Value = float | bool | str


@dataclass(frozen=True, slots=True)
class Setting:
    """A value that one header sets and, with a question mark, tells.

    Parameters
    ----------
    key:
        Its name in `ScpiPanel.values`; several headers may share one.
    header:
        As a manual writes it.
    default:
        The value after *RST.
    read:
        Text to value; refuses with `ScpiError`.
    show:
        Value to text.
    limits:
        What MIN and MAX mean, for numbers.
    """

    key: str
    header: str
    default: Value
    read: Callable[[str], Value]
    show: Callable[[Any], str]
    limits: tuple[float, float] | None = None


def numeric(
    key: str, header: str, default: float, low: float, high: float, form: str = ".6E"
) -> Setting:
    """Describe a number."""
    return Setting(
        key,
        header,
        default,
        lambda text: number(text, low, high, default),
        lambda value: format(round(value) if form == "d" else value, form),
        (low, high),
    )


def switch(key: str, header: str, default: bool) -> Setting:
    """Describe something on or off."""
    return Setting(key, header, default, boolean, lambda value: str(int(value)))


def keyword(key: str, header: str, default: str, options: Sequence[str]) -> Setting:
    """Describe one of several words."""
    return Setting(key, header, default, lambda text: choice(text, options), str)
