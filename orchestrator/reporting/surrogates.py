"""What the report says of the surrogates behind the proposals, from their cards. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from orchestrator.best import gain_left
from orchestrator.reporting.history import History
from planners.desirability import quantities


def card_rows(history: History) -> list[dict[str, Any]]:
    """Return one row for each surrogate that stood behind a proposal, or fell back."""
    rows = []
    for trial, card in history.cards.items():
        for name, surrogate in _surrogates(history, card).items():
            if not surrogate and not card.get("fallback"):
                continue
            check = surrogate.get("leave_one_out") or {}
            lengths = surrogate.get("lengthscales") or {}
            weight = surrogate.get("importance") or {
                key: -length for key, length in lengths.items()
            }
            observations = surrogate.get("observations", card.get("observed", ""))
            rows.append(
                {
                    "trial": " ".join((trial, name.replace("_", " "))).strip(),
                    "observations": observations,
                    "target": surrogate.get("target", ""),
                    "coverage": check.get("coverage_of_90_percent"),
                    "rms": check.get("rms"),
                    "noise": surrogate.get("noise"),
                    "leading": sorted(weight, key=lambda key: -weight[key])[:3],
                    "fallback": card.get("fallback") or "",
                }
            )
    return rows


def last_learned(history: History) -> dict[str, Any] | None:
    """Return what the last surrogates say of each parameter, and of what is left to gain.

    ``rows`` holds a parameter, or a way to describe a molecule, and for each objective its
    importance and slope as text. None if the cards have none of that.
    """
    said = [
        (trial, {name: one for name, one in found.items() if one.get("importance")})
        for trial, card in history.cards.items()
        for found in (_surrogates(history, card),)
    ]
    trial, found = next(((t, s) for t, s in reversed(said) if s), ("", {}))
    if not found:
        return None
    most = {
        name: max(float(one["importance"].get(name, 0.0)) for one in found.values())
        for one in found.values()
        for name in one["importance"]
    }
    return {
        "trial": trial,
        "objectives": [name for name in found if name],
        "rows": [
            (name, [_weight_of(one, name) for one in found.values()])
            for name in sorted(most, key=lambda name: -most[name])
        ],
        "gain": gain_left(history.progress, history.objectives),
    }


def earlier_rows(history: History) -> list[tuple[str, str, str]]:
    """Return what the last card says of earlier campaigns: name, objective, what it gave."""
    notes: Mapping[str, str] = {}
    for card in history.cards.values():
        notes = card.get("earlier campaigns") or notes
    rows = []
    for both, note in notes.items():
        name, _, objective = both.rpartition(": ")
        rows.append((name, objective, note))
    return rows


def _weight_of(surrogate: Mapping[str, Any], name: str) -> tuple[str, str]:
    """Return importance and slope as text; a dash where there is none."""
    weight = surrogate["importance"].get(name)
    slope = (surrogate.get("slope") or {}).get(name)
    return (
        "—" if weight is None else f"{100.0 * weight:.0f} %",
        "—" if slope is None else _signed(slope),
    )


def _signed(slope: float) -> str:
    text = f"{slope:+.2f}".replace("-", "\N{MINUS SIGN}")
    return "0" if text.endswith("0.00") else text


def _surrogates(
    history: History, card: Mapping[str, Any]
) -> Mapping[str, Mapping[str, Any]]:
    """Return the surrogate of each objective, by name if there are several."""
    others = card.get("others") or {}
    names = [one.name for one in quantities(history.objectives)]
    first = names[0] if others and names else ""
    return {first: card.get("surrogate") or {}, **others}
