"""How a planner's card is read where there are several objectives. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any


def of_objective(said: Mapping[str, Any], name: str) -> Mapping[str, Any]:
    """Return what a card says of one objective.

    What it says of the first stands in it as if there were no other; the others have
    the same keys, by name, under ``others``.
    """
    found: Mapping[str, Any] = (said.get("others") or {}).get(name, said)
    return found
