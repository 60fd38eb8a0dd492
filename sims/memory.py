"""What a bench still knows after it was switched off and on again: its matter.

Samples stay where they lie, half made or finished, liquids stay in their vials and in
the syringe, carriage and plunger stay where they stood, a plate is as hot as it was, and
bench time goes on from where it stopped. Instruments forget: they were without power.
A fault that happened has happened. The file is the bench's own and is read by nobody
else.
"""

from __future__ import annotations

import pickle
from pathlib import Path
from typing import TYPE_CHECKING

from sims.world import Vessel, World

if TYPE_CHECKING:
    from sims.bench import Bench

FILE = "memory.pickle"


def save(bench: Bench) -> None:
    """Write down what the bench holds, all at once or not at all."""
    world = bench.world
    content = {
        "now": bench.now,
        "rngs": bench.rngs,
        "resting": _resting(world),
        "samples": {
            name: slot.sample for name, slot in world.slots.items() if not slot.resting
        },
        "carried": world.carried,
        "vessels": {name: dict(one.parts) for name, one in world.vessels.items()},
        "lived": world.lived,
        "told": world.told,
        "matter": {name: one.matter() for name, one in bench.instruments.items()},
        "faults": bench.faults.stated,
    }
    path = bench.directory / FILE
    part = path.with_suffix(".part")
    part.write_bytes(pickle.dumps(content))
    part.replace(path)


def _resting(world: World) -> bytes:
    """Return what lies in racks, packed: anew only when something there has moved."""
    if world.packed is None or world.packed[0] != world.moved:
        samples = {
            name: slot.sample for name, slot in world.slots.items() if slot.resting
        }
        world.packed = world.moved, pickle.dumps(samples)
    return world.packed[1]


def recall(bench: Bench) -> bool:
    """Put everything back where it was; return False where there is no memory."""
    path: Path = bench.directory / FILE
    if not path.exists():
        return False
    content = pickle.loads(path.read_bytes())  # noqa: S301 - our own file
    world = bench.world
    bench.go_on_from(content["now"], content["rngs"])
    resting = pickle.loads(content["resting"])  # noqa: S301
    for name, sample in (*content["samples"].items(), *resting.items()):
        world.slots[name].sample = sample
    world.carried = content["carried"]
    for name, parts in content["vessels"].items():
        world.vessels.setdefault(name, Vessel(name)).parts = parts
    world.lived = content["lived"]
    world.told = content["told"]
    for name, matter in content.get("matter", {}).items():
        if name in bench.instruments:
            bench.instruments[name].place_matter(matter)
    bench.faults.recall(content.get("faults", {}))
    return True
