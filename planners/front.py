"""Which observations are the best, with several objectives and limits; pure and exact.

Only the values are compared: two that differ by less than their uncertainty still
differ here, so that what the noise favours may be on the front.
"""

from __future__ import annotations

import math
import operator
from collections.abc import Sequence

from planners.data import Limit, Objective, Observation
from planners.desirability import Desirability

Point = tuple[float, ...]
"""A value for each objective, turned so that more is better; logarithms on a log scale."""


def front(
    observations: Sequence[Observation],
    objectives: Sequence[Objective],
    limits: Sequence[Limit] = (),
) -> list[int]:
    """Return the numbers of the observations that no other one beats, in their order.

    One beats another that is nowhere better and somewhere worse. What is beyond a
    limit, or has no finite estimate of an objective, takes no part. With one objective
    these are the best, more than one only if they are equal.
    """
    found: dict[int, Point] = {}
    for number, one in enumerate(observations):
        point = point_of(one, objectives)
        if point is None or not within(one, limits):
            continue
        if not any(_beats(other, point) for other in found.values()):
            found = {n: other for n, other in found.items() if not _beats(point, other)}
            found[number] = point
    return list(found)


def within(observation: Observation, limits: Sequence[Limit]) -> bool:
    """Whether every limited quantity was estimated and keeps within its bounds."""
    for limit in limits:
        one = observation.estimates.get(limit.name)
        if one is None or not math.isfinite(one.value):
            return False
        if limit.at_least is not None and one.value < limit.at_least:
            return False
        if limit.at_most is not None and one.value > limit.at_most:
            return False
    return True


def point_of(observation: Observation, objectives: Sequence[Objective]) -> Point | None:
    """Return an observation as a point of which more is better, None if it is none.

    What has no desirability at all is of no use, and none either.
    """
    values = []
    for objective in objectives:
        one = observation.estimates.get(objective.name)
        value = math.nan if one is None else one.value
        if objective.scale == "log":
            value = math.log10(value) if value > 0.0 else math.nan
        useless = isinstance(objective, Desirability) and value <= 0.0
        if useless or not math.isfinite(value):
            return None
        values.append(value if objective.direction == "maximise" else -value)
    return tuple(values)


def hypervolumes(
    observations: Sequence[Observation],
    objectives: Sequence[Objective],
    limits: Sequence[Limit] = (),
) -> list[float]:
    """Return how much has been reached after each observation, from 0 to 1.

    It is the part of a box in which at least one observation so far that keeps within
    the limits is nowhere worse. The box reaches from the worst to the best value of
    each objective that was observed at all, in logarithms on a log scale.
    """
    points = [point_of(one, objectives) for one in observations]
    seen = [one for one in points if one is not None]
    if not seen:
        return [0.0] * len(points)
    worst, best = (tuple(map(end, zip(*seen, strict=True))) for end in (min, max))
    reached: list[Point] = []
    volumes: list[float] = []
    for observation, point in zip(observations, points, strict=True):
        last = volumes[-1] if volumes else 0.0
        if point is None or not within(observation, limits):
            volumes.append(last)
            continue
        # Where all are equal there is nothing to be reached: all of it has been.
        placed = tuple(
            (value - low) / (high - low) if high > low else 1.0
            for value, low, high in zip(point, worst, best, strict=True)
        )
        if any(one == placed or _beats(one, placed) for one in reached):
            volumes.append(last)
            continue
        reached = [one for one in reached if not _beats(placed, one)] + [placed]
        volumes.append(volume(reached))
    return volumes


def volume(points: Sequence[Point]) -> float:
    """Return the volume between the origin and points of non-negative coordinates.

    Of two coordinates a sweep; of more, slices along the last one, each a volume of one
    coordinate less (Fonseca, Paquete and Lopez-Ibanez, 2006, describe this recursion
    and faster ones).
    """
    total, above = 0.0, 0.0
    if not points:
        return 0.0
    if len(points[0]) == 1:
        return max(point[0] for point in points)
    if len(points[0]) == 2:
        for width, height in sorted(points, reverse=True):
            total += width * max(height - above, 0.0)
            above = max(height, above)
        return total
    for level in sorted({point[-1] for point in points}):
        slab = [point[:-1] for point in points if point[-1] >= level]
        total += (level - above) * volume(slab)
        above = level
    return total


def _beats(one: Point, other: Point) -> bool:
    return one != other and all(map(operator.ge, one, other))
