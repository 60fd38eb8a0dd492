"""What a bench still knows after it was switched off and on again: its matter.

Samples stay where they lie, half made or finished, liquids stay in their vials and in
the syringe, carriage and plunger stay where they stood, a plate is as hot as it was, and
bench time goes on from where it stopped. Instruments forget: they were without power.
A fault that happened has happened. The file is the bench's own and is read by nobody
else.
"""

from __future__ import annotations

import io
import pickle
from pathlib import Path
from typing import TYPE_CHECKING, Any

from sims.physics.chemicals import Chemical
from sims.physics.laboratory import Laboratory, Shared
from sims.world import Vessel, World

if TYPE_CHECKING:
    from sims.bench import Bench
    from sims.physics.sample import Sample

FILE = "memory.pickle"


class Racks:
    """What lies in racks, in a file of its own that is written when something moved.

    A rack may hold thousands; nearly all lie there for days. Each is packed by itself,
    anew when it was looked at, taken or put down.
    """

    def __init__(self) -> None:
        self._packed: dict[str, bytes] = {}
        self._number = 0

    def save(self, world: World, directory: Path) -> int:
        """Return the number of the file that holds what lies in racks now."""
        there = [name for name, slot in world.slots.items() if slot.resting]
        stirred = world.stirred if self._packed else there
        if stirred:
            for name in stirred:
                self._packed[name] = _packed(world.slots[name].sample)
            world.stirred = set()
            self._number += 1
            self._path(directory, self._number).write_bytes(pickle.dumps(self._packed))
        return self._number

    def forget_others(self, directory: Path) -> None:
        """Remove the file before the present one, which nothing names any more."""
        self._path(directory, self._number - 1).unlink(missing_ok=True)

    def recall(self, world: World, directory: Path, number: int) -> None:
        """Put what lay in racks back."""
        self._number = number
        path = self._path(directory, number)
        if number:
            self._packed = pickle.loads(path.read_bytes())  # noqa: S301 - our own file
        for name, packed in self._packed.items():
            world.slots[name].sample = _Unpacker(packed, world.laboratory).load()

    def _path(self, directory: Path, number: int) -> Path:
        return directory / f"racks-{number}.pickle"


class _Packer(pickle.Pickler):
    """Leaves out what all samples of a laboratory share."""

    def persistent_id(self, obj: Any) -> str | None:
        if isinstance(obj, Shared):
            return ""
        return obj.name if isinstance(obj, Chemical) else None


class _Unpacker(pickle.Unpickler):
    """Gives samples the laboratory of this bench."""

    def __init__(self, packed: bytes, laboratory: Shared | None) -> None:
        super().__init__(io.BytesIO(packed))
        self._laboratory = laboratory

    def persistent_load(self, pid: str) -> Any:
        if not pid:
            return self._laboratory
        assert isinstance(self._laboratory, Laboratory)  # noqa: S101
        return self._laboratory.acids[pid]


def _packed(sample: Sample | None) -> bytes:
    file = io.BytesIO()
    _Packer(file).dump(sample)
    return file.getvalue()


def save(bench: Bench) -> None:
    """Write down what the bench holds, all at once or not at all."""
    world = bench.world
    content = {
        "now": bench.now,
        "rngs": bench.rngs,
        "racks": bench.racks.save(world, bench.directory),
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
    bench.racks.forget_others(bench.directory)


def recall(bench: Bench) -> bool:
    """Put everything back where it was; return False where there is no memory."""
    path: Path = bench.directory / FILE
    if not path.exists():
        return False
    content = pickle.loads(path.read_bytes())  # noqa: S301 - our own file
    world = bench.world
    bench.go_on_from(content["now"], content["rngs"])
    bench.racks.recall(world, bench.directory, content["racks"])
    for name, sample in content["samples"].items():
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
