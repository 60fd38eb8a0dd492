"""What the instruments act on: slots, samples, liquids, the gripper and the needle.

Positions are of the closed gripper and of the needle's tip, in mm in machine
coordinates; volumes in uL; temperatures in degC; times in bench seconds.
"""

from __future__ import annotations

import importlib
import math
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from sims import spec as checks
from sims.spec import BadBench, Position

if TYPE_CHECKING:
    from sims.bench import Bench
    from sims.physics.cell import Cell

Sample = Any
"""A `physics.sample.Sample`, a `physics.electrolyte.Electrolyte`, or what is like them:
it has a name and a history, may be poured on and spun, lives (`advance`) and has a
`truth`. What an instrument measures of it is between the two."""

AMBIENT = 23.0
GRIP = 1.0
"""The gripper finds a sample, and puts one down, within so many mm."""
DIP = 2.0
"""The needle is in a vial within so many mm of where the vial is found."""
REACH = 5.0
"""A drop from the needle falls on what is within so many mm, sideways ..."""
FALL = 40.0
"""... and at most so many mm below the tip."""
STEP = 2.0
"""Bench seconds between two looks at a film on a hotplate."""
TRACE = 1e-9
SEEN = ("stylus", "cell")
"""Slots after which the truth about a sample is written down: it has been measured."""
LABORATORIES = {
    "films": "sims.physics.laboratory:Laboratory",
    "electrolytes": "sims.physics.electrolyte:ElectrolyteLaboratory",
}
"""What ``chemistry.samples`` of a bench file may be."""
SUBSTRATE = 1.1
"""g of a bare one: glass, 20 mm x 20 mm x 1.1 mm."""


@dataclass
class Slot:
    """A place for one sample, with whatever heats it."""

    name: str
    at: Position
    sample: Sample | None = None
    heat: Callable[[], float] | None = None
    suction: bool | None = None
    """Whether vacuum holds what lies here; None where nothing needs to."""
    turning: bool = False
    arrivals: list[Callable[[], None]] = field(default_factory=list)
    loads: list[Callable[[], float]] = field(default_factory=list)

    @property
    def temperature(self) -> float:
        """What a sample in this slot has, degC."""
        return AMBIENT if self.heat is None else self.heat()

    @property
    def resting(self) -> bool:
        """Whether it is one of a rack, where samples only lie."""
        return "." in self.name


@dataclass
class Vessel:
    """A vial or a reservoir: uL of each liquid."""

    name: str
    at: Position | None = None
    parts: dict[str, float] = field(default_factory=dict)


class World:
    """The matter on one bench.

    Parameters
    ----------
    bench:
        Whose time, journals and chance are used.
    spec:
        The bench file.
    """

    def __init__(self, bench: Bench, spec: Mapping[str, Any]) -> None:
        self.bench = bench
        self.gripper: Callable[[], Position] = lambda: (0.0, 0.0, 0.0)
        self.needle_offset = (0.0, 0.0)
        self.carried: Sample | None = None
        self.slots: dict[str, Slot] = {}
        self.heated: list[Slot] = []
        self.stirred: set[str] = set()
        """Slots of racks in which a sample was taken, put down or looked at."""
        self.vessels: dict[str, Vessel] = {}
        self.laboratory: Any = None
        self.lived: dict[str, float] = {}
        self.told: dict[str, int] = {}
        self._ticking = False
        self._place(spec)
        self._fill(spec)

    # -- samples ---------------------------------------------------------------

    def sample_at(self, slot: str) -> Sample | None:
        """Return the sample in a slot as it is now."""
        self.advance()
        place = self.slot(slot)
        self._live(place)
        return place.sample

    def cell_in(self, slot: str) -> Cell | None:
        """Return the electrolyte in a slot between its electrodes; None without one."""
        sample = self.sample_at(slot)
        cell: Cell | None = getattr(sample, "cell", None)
        return cell

    def grip(self, position: Position, by: str) -> None:
        """Close the gripper of instrument ``by``."""
        self.advance()
        if self.carried is not None:
            return
        slot = self._slot_near(position)
        if slot is None or slot.sample is None:
            self.bench.note(by, "gripped nothing", at=position)
            return
        if slot.suction:
            self.bench.note(by, "slipped off", sample=slot.sample.name, slot=slot.name)
            return
        self.bench.acted = True
        self._live(slot)
        self.carried, slot.sample = slot.sample, None
        if slot.name in SEEN:
            self._tell(self.carried)
        self.bench.note(by, "gripped", sample=self.carried.name, slot=slot.name)

    def release(self, position: Position, by: str) -> None:
        """Open the gripper of instrument ``by``."""
        self.advance()
        if self.carried is None:
            return
        self.bench.acted = True
        sample, self.carried = self.carried, None
        slot = self._slot_near(position)
        if slot is None or slot.sample is not None:
            self.bench.note(by, "dropped", sample=sample.name, at=position)
            return
        slot.sample = sample
        self._stir(slot)
        self.bench.note(by, "released", sample=sample.name, slot=slot.name)
        self._tick()
        for call in slot.arrivals:
            call()

    def suck(self, slot: str, on: bool, by: str) -> None:
        """Have vacuum hold what lies in a slot, or no more."""
        self.slot(slot).suction = on
        self._fly(self.slot(slot), by)

    def turn(self, slot: str, turning: bool, by: str) -> None:
        """Have what lies in a slot turn, or stand."""
        self.slot(slot).turning = turning
        self._fly(self.slot(slot), by)

    def _fly(self, slot: Slot, by: str) -> None:
        """Let go of a sample that turns and that nothing holds: it is lost."""
        if slot.turning and slot.suction is False and slot.sample is not None:
            self.bench.acted = True
            self._live(slot)
            self.bench.note(by, "flew off", sample=slot.sample.name, slot=slot.name)
            slot.sample = None

    def spin(self, slot: str, rpm: float, seconds: float, by: str) -> None:
        """Tell the sample in a slot that it was spun; the chuck is at rest again."""
        self.bench.acted = True
        sample = self.sample_at(slot)
        self.bench.note(
            by,
            "spun",
            sample=sample.name if sample else None,
            rpm=round(rpm, 2),
            seconds=round(seconds, 3),
        )
        if sample is not None:
            sample.spin(rpm, seconds, self.bench.now)

    def heat_source(self, slot: str, temperature: Callable[[], float]) -> None:
        """Have a slot at the present temperature of something, degC."""
        place = self.slot(slot)
        place.heat = temperature
        self.heated.append(place)

    def load_on(self, slot: str, mass: Callable[[], float]) -> None:
        """Have something lie in a slot that weighs ``mass()`` g at any moment."""
        self.slot(slot).loads.append(mass)

    def mass_in(self, slot: str) -> float:
        """Return what lies in a slot weighs now, g: what was said by `load_on`.

        A sample's own weight counts too; films and drops on glass weigh nothing.
        """
        sample = self.sample_at(slot)
        own = getattr(sample, "mass", SUBSTRATE * 1e3) * 1e-3 if sample else 0.0
        return own + sum(load() for load in self.slot(slot).loads)

    def on_arrival(self, slot: str, call: Callable[[], None]) -> None:
        """Have ``call`` called whenever a sample is put down in a slot."""
        self.slot(slot).arrivals.append(call)

    def slot(self, name: str) -> Slot:
        """Return a slot by name."""
        if name not in self.slots:
            known = ", ".join(one for one in self.slots if "." not in one)
            raise BadBench(f"slot {name!r} is not one of {known}")
        return self.slots[name]

    def advance(self) -> None:
        """Let the films on plates and in the gripper live until now.

        At the temperature of the room it makes no difference how finely time is cut:
        those there live when somebody looks.
        """
        now = self.bench.now
        for slot in self.heated:
            self._live(slot)
        if self.carried is not None and self.carried.name in self.lived:
            self._advance(self.carried, now, AMBIENT)

    def _live(self, slot: Slot) -> None:
        """Let the film in one slot live until now, at the temperature of its place."""
        self._stir(slot)
        if slot.sample is not None and slot.sample.name in self.lived:
            self._advance(slot.sample, self.bench.now, slot.temperature)

    def _stir(self, slot: Slot) -> None:
        if slot.resting:
            self.stirred.add(slot.name)

    def _advance(self, sample: Sample, now: float, temperature: float) -> None:
        if now > self.lived[sample.name]:
            sample.advance(now, temperature)
            self.lived[sample.name] = now
        if len(sample.history) != self.told.get(sample.name, 0):
            self.told[sample.name] = len(sample.history)
            self._tell(sample)

    def _tick(self) -> None:
        """Keep films on hotplates up with the plate's temperature."""
        hot = any(
            slot.sample is not None and slot.sample.name in self.lived
            for slot in self.heated
        )
        if hot and not self._ticking:
            self._ticking = True
            self.bench.later(STEP, self._tock)

    def _tock(self) -> None:
        self._ticking = False
        self.advance()
        self._tick()

    def _tell(self, sample: Sample) -> None:
        self.bench.tell_truth(sample=sample.name, **sample.truth())

    # -- liquids ---------------------------------------------------------------

    def draw(self, outlet: str, volume: float, by: str) -> dict[str, float]:
        """Take ``volume`` uL in at an outlet of a valve; what is missing is air."""
        self.bench.acted = True
        at_needle = outlet == "needle"
        vessel = self._vial_at_needle() if at_needle else self.vessels.get(outlet)
        there = sum(vessel.parts.values()) if vessel is not None else 0.0
        taken = min(volume, there)
        parts: dict[str, float] = {}
        if vessel is not None and taken > 0.0:
            parts = shares(vessel.parts, taken)
            for liquid, part in parts.items():
                vessel.parts[liquid] -= part
        if volume - taken > TRACE:
            parts["air"] = parts.get("air", 0.0) + volume - taken
        self.bench.note(
            by,
            "aspirated",
            outlet=outlet,
            vessel=vessel.name if vessel is not None else None,
            parts=rounded(parts),
        )
        return parts

    def give(self, outlet: str, parts: Mapping[str, float], by: str) -> None:
        """Let a mixture out at an outlet of a valve."""
        wet = {
            one: part for one, part in parts.items() if one != "air" and part > TRACE
        }
        self.bench.acted = True
        facts = {"outlet": outlet, "parts": rounded(parts)}
        self.bench.note(by, "dispensed", **facts)
        if not wet:
            return
        if outlet != "needle":
            add(self.vessels.setdefault(outlet, Vessel(outlet)).parts, wet)
            return
        vial = self._vial_at_needle()
        slot = self._slot_below_needle()
        if vial is not None:
            add(vial.parts, wet)
        else:
            self._pour(slot, wet, by)

    def drip(self, target: str, parts: Mapping[str, float], by: str) -> None:
        """Let a mixture out of a needle that stands over a slot, or in a vessel."""
        if target not in self.slots:
            self.give(target, parts, by)
            return
        self.bench.acted = True
        wet = {one: p for one, p in parts.items() if one != "air" and p > TRACE}
        if wet:
            self._pour(self.slots[target], wet, by)

    def _pour(self, slot: Slot | None, wet: Mapping[str, float], by: str) -> None:
        if slot is None or slot.sample is None:
            place = slot.name if slot is not None else None
            self.bench.note(by, "spilled", slot=place, parts=rounded(wet))
            return
        self.advance()
        self._live(slot)
        sample = slot.sample
        sample.pour(wet, self.bench.now)
        self.lived.setdefault(sample.name, self.bench.now)
        self.bench.note(
            by, "poured", sample=sample.name, slot=slot.name, parts=rounded(wet)
        )
        self._tick()

    @property
    def needle(self) -> Position:
        """Where the needle's tip is."""
        x, y, z = self.gripper()
        return x + self.needle_offset[0], y + self.needle_offset[1], z

    # -- places ----------------------------------------------------------------

    def _slot_near(self, position: Position) -> Slot | None:
        return next(
            (one for one in self.slots.values() if near(one.at, position, GRIP)), None
        )

    def _slot_below_needle(self) -> Slot | None:
        x, y, z = self.needle
        return next(
            (
                one
                for one in self.slots.values()
                if math.dist(one.at[:2], (x, y)) <= REACH and 0 <= z - one.at[2] <= FALL
            ),
            None,
        )

    def _vial_at_needle(self) -> Vessel | None:
        tip = self.needle
        return next((one for one in self._vials() if near(one.at, tip, DIP)), None)

    def _vials(self) -> Iterator[Any]:
        return (one for one in self.vessels.values() if one.at is not None)

    # -- building --------------------------------------------------------------

    def _place(self, spec: Mapping[str, Any]) -> None:
        for name, entry in checks.section(spec, "slots").items():
            places = checks.grid(name, entry, f"slots.{name}")
            for place, at in places.items():
                self.slots[place] = Slot(place, at)
            bare = checks.number(entry.get("substrates", 0), f"slots.{name}.substrates")
            for place in list(places)[: int(bare)]:
                self.slots[place].sample = self._new_sample(place, spec)

    def _new_sample(self, name: str, spec: Mapping[str, Any]) -> Sample:
        # Imported here: a bench without samples needs no physics of them.
        if self.laboratory is None:
            chemistry = checks.mapping(spec.get("chemistry"), "chemistry")
            kind = checks.text(chemistry.get("samples", "films"), "chemistry.samples")
            if kind not in LABORATORIES:
                known = ", ".join(LABORATORIES)
                raise BadBench(f"chemistry.samples: {kind!r} is not one of {known}")
            module, _, found = LABORATORIES[kind].partition(":")
            laboratory = getattr(importlib.import_module(module), found)
            self.laboratory = laboratory.read(spec, self.bench.seed)
        made: Sample = self.laboratory.new_sample(
            name, self.bench.fresh_rng(f"sample {name}")
        )
        return made

    def _fill(self, spec: Mapping[str, Any]) -> None:
        for name, entry in checks.section(spec, "vials").items():
            for place, at in checks.grid(name, entry, f"vials.{name}").items():
                self.vessels[place] = Vessel(place, at)
        for liquid, entry in checks.section(spec, "liquids").items():
            where = f"liquids.{liquid}"
            keys = checks.mapping(entry, where)
            place = checks.text(keys.get("place"), f"{where}.place")
            volume = checks.number(keys.get("volume"), f"{where}.volume", 0.0)
            if "." in place and place not in self.vessels:
                raise BadBench(f"{where}.place: there is no vial {place!r}")
            vessel = self.vessels.setdefault(place, Vessel(place))
            add(vessel.parts, {liquid: volume})


def near(one: Position | None, other: Position, limit: float) -> bool:
    """Return whether two positions differ by at most ``limit`` mm along each axis."""
    if one is None:
        return False
    return all(abs(a - b) <= limit for a, b in zip(one, other, strict=True))


def shares(parts: Mapping[str, float], volume: float) -> dict[str, float]:
    """Return what ``volume`` uL of a mixture contains."""
    total = sum(parts.values())
    return {one: volume * part / total for one, part in parts.items() if part > 0.0}


def add(into: dict[str, float], parts: Mapping[str, float]) -> None:
    """Add uL of each liquid to a mixture."""
    for liquid, part in parts.items():
        into[liquid] = into.get(liquid, 0.0) + part


def rounded(parts: Mapping[str, float]) -> dict[str, float]:
    """Return uL of each liquid as a journal shows them."""
    return {one: round(part, 3) for one, part in parts.items()}
