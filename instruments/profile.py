"""A stylus profile across a scratch: read strictly, levelled by the film, its step taken.

Pure; the folder that profiles come from is `profilometer_folder`'s business.

::

    # program: P-7 profile export 1.2
    # scanned: 2026-03-01T12:00:00+00:00
    # stylus force: 1 mg
    # x unit: um
    # z unit: nm
    x,z
    0.0,12.31
    ...
    # end
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from instruments.errors import BadReply

Vector = NDArray[np.float64]

END = "# end"
UNITS = {"x unit": "um", "z unit": "nm"}
LEAST_POINTS = 100
OUTER = 0.2
"""Part of a scan at either end that is film for certain."""
FLANK = 0.1
"""Part of the scratch at either side of its edges that is not used."""
NARROWEST = 0.05
"""Part of a scan that a scratch is wide at least."""
SMOOTH = 15
"""Points that a running median takes together to find the edges."""
INSTRUMENT, GAIN = 2.5, 0.03
"""Standard uncertainty of a stylus step: nm, and part of the step."""


@dataclass(frozen=True, slots=True)
class Profile:
    """Way in um and height in nm, with the program that wrote them."""

    program: str
    x: Vector
    z: Vector


@dataclass(frozen=True, slots=True)
class Step:
    """Height of a step and its standard uncertainty, in nm."""

    height: float
    uncertainty: float


def complete(text: str) -> bool:
    """Whether a file has been written to its end."""
    return text.rstrip("\r\n").endswith(f"\n{END}")


def read_profile(text: str, place: str) -> Profile:
    """Read a profile; refuse what is not one, naming file, line and rule.

    Raises
    ------
    BadReply
        At the first line that breaks a rule.
    """
    lines = text.splitlines()
    head: dict[str, str] = {}
    points: list[tuple[float, float]] = []
    titled = False
    for number, line in enumerate(lines, start=1):
        where = f"{place}: line {number}: {line[:60]!r}"
        if line == END:
            if number != len(lines):
                raise BadReply(f"{where}: must be the last line")
            break
        if titled:
            points.append(_point(line, where))
        elif line == "x,z":
            titled = True
            _check_head(head, where)
        elif line.startswith("# ") and ": " in line:
            key, _, value = line[2:].partition(": ")
            if key in head:
                raise BadReply(f"{where}: {key!r} is there twice")
            head[key] = value.strip()
        else:
            raise BadReply(f"{where}: must be '# <key>: <value>' or 'x,z'")
    else:
        raise BadReply(f"{place}: line {len(lines)}: must end in {END!r}: cut off")
    x, z = np.array(points, dtype=float).reshape(-1, 2).T
    if x.size < LEAST_POINTS:
        raise BadReply(f"{place}: {x.size} points; at least {LEAST_POINTS} are needed")
    if not bool(np.all(np.diff(x) > 0)):
        raise BadReply(f"{place}: x must rise from point to point")
    return Profile(head["program"], x, z)


def _check_head(head: dict[str, str], where: str) -> None:
    if "program" not in head:
        raise BadReply(f"{where}: a line '# program: ...' must come before it")
    for key, unit in UNITS.items():
        if head.get(key) != unit:
            raise BadReply(
                f"{where}: '# {key}: {unit}' must come before it, "
                f"not {head.get(key, 'nothing')!r}"
            )


def _point(line: str, where: str) -> tuple[float, float]:
    words = line.split(",")
    try:
        x, z = (float(word) for word in words)
    except ValueError:
        raise BadReply(f"{where}: must be two numbers, x and z") from None
    if not (math.isfinite(x) and math.isfinite(z)):
        raise BadReply(f"{where}: both numbers must be finite")
    return x, z


def step_of(profile: Profile) -> Step:
    r"""Return how high the film stands above the floor of the scratch, in nm.

    The profile is levelled by a straight line through the film at both ends, then once
    more through all of the film. The height is the difference of two medians, and

    .. math:: u^2 = \frac{\pi}{2}\left(\frac{s_f^2}{n_f} + \frac{s_b^2}{n_b}\right)
        + (2.5\,\mathrm{nm})^2 + (0.03\,h)^2

    with standard deviation :math:`s` and number :math:`n` of the points of film and
    floor; :math:`\pi/2` because a median scatters more than a mean.
    """
    x, z = profile.x, profile.z
    way = (x - x[0]) / (x[-1] - x[0])
    outer = (way < OUTER) | (way > 1.0 - OUTER)
    level = _levelled(x, z, outer)
    left, right = _scratch(way, level)
    flank = FLANK * (right - left)
    film = (way < left - flank) | (way > right + flank)
    floor = (way > left + flank) & (way < right - flank)
    level = _levelled(x, z, film)
    height = float(np.median(level[film]) - np.median(level[floor]))
    noise = math.pi / 2.0 * (_square_error(level[film]) + _square_error(level[floor]))
    return Step(height, math.sqrt(noise + INSTRUMENT**2 + (GAIN * height) ** 2))


def _levelled(x: Vector, z: Vector, where: NDArray[np.bool_]) -> Vector:
    slope, offset = np.polyfit(x[where], z[where], 1)
    return np.asarray(z - slope * x - offset)


def _square_error(values: Vector) -> float:
    return float(np.var(values, ddof=1)) / values.size


def _scratch(way: Vector, level: Vector) -> tuple[float, float]:
    """Return where the scratch begins and ends, as parts of the scan.

    Without one that can be seen, the middle fifth: then the step is nought within its
    uncertainty, and it is for the analysis to doubt it.
    """
    windows = np.lib.stride_tricks.sliding_window_view(level, SMOOTH)
    smooth = np.median(windows, axis=-1)
    at = way[SMOOTH // 2 : SMOOTH // 2 + smooth.size]
    low = smooth < np.quantile(smooth, 0.02) / 2.0
    edges = np.flatnonzero(np.diff(np.concatenate(([0], low.astype(int), [0]))))
    runs = [(at[a], at[b - 1]) for a, b in edges.reshape(-1, 2)]
    begin, end = max(runs, key=lambda run: run[1] - run[0], default=(0.0, 0.0))
    if end - begin < NARROWEST or begin < OUTER / 2 or end > 1.0 - OUTER / 2:
        return 0.4, 0.6
    return float(begin), float(end)
