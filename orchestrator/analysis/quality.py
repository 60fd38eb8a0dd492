"""When readings are not believed: each check returns doubts, sentences with value and rule.

An empty tuple means that the check found nothing. Limits are those that a careful
person would hold a film against; each is named here and nowhere else.
"""

from __future__ import annotations

POLARITY = 0.01
"""Part of the signal by which the two directions of current may differ, once a constant
thermoelectric voltage is taken off."""
THERMOELECTRIC = 100e-6
"""Volt; more than thermoelectric contacts give (1 to 50 uV)."""
RECIPROCITY = 0.03
"""Part by which a resistance and its reciprocal may differ."""
ANISOTROPY = 3.0
"""Ratio of the two resistances from which on a contact or the film is suspected."""
LINEARITY = 0.01
"""Part by which sheet resistance may change with the current."""
HEATING = 1e-3
"""W/cm2 that a film bears without warming."""
UNCERTAIN = 0.3
"""Relative standard uncertainty beyond which a number says nothing."""
STEADY = 0.02
"""Relative standard deviation of repeated readings of a steady light."""


def polarity(residual: float, offset: float, configuration: str) -> tuple[str, ...]:
    """Doubt readings that change with direction by more than a constant voltage.

    Parameters
    ----------
    residual:
        What remains of the difference of the two directions, over the signal.
    offset:
        The constant voltage that was taken off, in volt.
    configuration:
        Which contacts, for the message.
    """
    doubts = []
    if not residual <= POLARITY:
        doubts.append(
            f"{configuration}: the two polarities differ by {residual:.1%}, "
            f"more than {POLARITY:.0%}"
        )
    if not abs(offset) <= THERMOELECTRIC:
        doubts.append(
            f"{configuration}: a constant voltage of {offset * 1e6:.0f} uV, more than "
            f"{THERMOELECTRIC * 1e6:.0f} uV"
        )
    return tuple(doubts)


def reciprocity(residual: float, pair: str) -> tuple[str, ...]:
    """Doubt a resistance that differs from its reciprocal by too large a part."""
    if residual <= RECIPROCITY:
        return ()
    return (
        (
            f"{pair}: reciprocal resistances differ by {residual:.1%}, "
            f"more than {RECIPROCITY:.0%}"
        ),
    )


def anisotropy(q: float) -> tuple[str, ...]:
    """Doubt a film whose two resistances have a ratio ``q`` of 3 or more."""
    if q < ANISOTROPY:
        return ()
    return (
        (
            f"the two resistances have a ratio of {q:.2g}, not under {ANISOTROPY:g}: "
            f"an anisotropic film or a bad contact"
        ),
    )


def linearity(residual: float, current: float, lower: float) -> tuple[str, ...]:
    """Doubt a sheet resistance that depends on the current (both in ampere)."""
    if residual <= LINEARITY:
        return ()
    return (
        (
            f"sheet resistance at {current:.3g} A and {lower:.3g} A differs by "
            f"{residual:.1%}, more than {LINEARITY:.0%}"
        ),
    )


def compliance(hits: int, readings: int) -> tuple[str, ...]:
    """Doubt readings at which the source could not drive its current."""
    if not hits:
        return ()
    return (
        (
            f"the source reached its voltage limit in {hits} of {readings} readings; "
            f"none is allowed: the film resists too much, or a contact is open"
        ),
    )


def numbers(bad: int, readings: int) -> tuple[str, ...]:
    """Doubt a set in which some readings are no numbers."""
    if not bad:
        return ()
    return (f"{bad} of {readings} readings are no numbers; all must be",)


def heating(power: float, area: float) -> tuple[str, ...]:
    """Doubt a film that takes too much power (W) for its area (cm2)."""
    if power / area <= HEATING:
        return ()
    return (
        (
            f"{power / area * 1e3:.2g} mW/cm2 heat the film, more than "
            f"{HEATING * 1e3:g} mW/cm2"
        ),
    )


def uncertainty(what: str, value: float, std: float, unit: str) -> tuple[str, ...]:
    """Doubt a number that its own uncertainty drowns, or that is not above 0."""
    if not value > 0.0:
        return (f"{what} is {value:.3g} {unit}, not above 0",)
    if not std <= UNCERTAIN * value:
        return (
            (
                f"{what} is {value:.3g} ± {std:.2g} {unit}: uncertain by "
                f"{std / value:.0%}, more than {UNCERTAIN:.0%}"
            ),
        )
    return ()


def steadiness(what: str, mean: float, scatter: float) -> tuple[str, ...]:
    """Doubt repeated readings that scatter by more than a part of their mean."""
    if scatter <= STEADY * abs(mean):
        return ()
    return (
        (
            f"{what}: readings of {mean:.3g} W scatter by {scatter / abs(mean):.1%}, "
            f"more than {STEADY:.0%}"
            if mean
            else f"{what}: no light"
        ),
    )
