"""A film of known resistance, thickness and transmittance, to be put into a slot."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from tests.sims.desk import Desk


@dataclass
class Film:
    """What the measuring panels ask of a sample; resistances in ohm, nm."""

    r_a: float = 20.0
    r_b: float = 14.0
    thickness: float = 80.0
    transmittance: float = 0.83
    bad_contact: int | None = None
    name: str = "film"
    history: list[Any] = field(default_factory=list)
    touched: int = 0

    def contacts(self) -> tuple[float, float]:
        return self.r_a, self.r_b

    def touch(self) -> None:
        self.touched += 1


def put(desk: Desk, slot: str, film: Film | None) -> None:
    """Have a film in a slot, without anybody carrying it there."""
    place: Any = desk.bench.world.slots[slot]
    place.sample = film


def bring(desk: Desk, slot: str, film: Film) -> None:
    """Have the gripper put a film down in a slot."""
    world: Any = desk.bench.world
    world.carried = film
    world.release(world.slots[slot].at, by="gantry")
