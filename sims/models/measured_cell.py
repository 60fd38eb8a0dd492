"""The cell before an instrument: what lies in its slot, or one that the bench file fixes.

A fixed cell is written ``cell: short``, ``cell: open``, or
``cell: {conductivity_S_cm: 1.0e-6, thickness_um: 100, area_cm2: 0.785}`` with, where
wanted, ``molality_mol_kg`` (PEO-LiTFSI) or ``glass_K`` (a single-ion polymer) instead of
the conductivity, ``activation_kJ_mol``, ``transference``, ``electrodes: lithium`` and
``temperature_degC``. YAML takes 1e-6 for a text.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any

from sims import spec as checks
from sims.physics.cell import DISC, Cell, assembled, shorting_piece
from sims.physics.conduction import Arrhenius, Ions, PeoLiTfsi, Plain, SingleIon
from sims.spec import BadBench

if TYPE_CHECKING:
    import numpy as np

    from sims.bench import Bench

ROOM = 25.0
KEYS = (
    "conductivity_S_cm",
    "molality_mol_kg",
    "glass_K",
    "activation_kJ_mol",
    "transference",
    "thickness_um",
    "area_cm2",
    "electrodes",
    "temperature_degC",
)


def cell_before(
    bench: Bench, name: str, settings: Mapping[str, Any]
) -> tuple[Callable[[], Cell | None], Callable[[], float]]:
    """Return what gives the cell before an instrument, and its temperature in degC.

    A cell that the bench file fixes comes before the one in the slot.
    """
    where = f"instruments.{name}.cell"
    slot = settings.get("slot")
    if "cell" in settings:
        fixed = fixed_cell(settings["cell"], where, bench.fresh_rng(f"{name} cell"))
        warm = _temperature(settings["cell"], where)
        if slot is None:
            return lambda: fixed, lambda: warm
    if slot is None:
        return lambda: None, lambda: ROOM
    place = checks.text(slot, f"instruments.{name}.slot")
    world = bench.world
    world.slot(place)

    if "cell" in settings:
        return lambda: fixed, lambda: world.slot(place).temperature
    return lambda: world.cell_in(place), lambda: world.slot(place).temperature


def fixed_cell(spec: Any, where: str, rng: np.random.Generator) -> Cell | None:
    """Return the cell that a bench file fixes; None for none."""
    if spec == "short":
        return shorting_piece()
    if spec == "open":
        return None
    keys = checks.mapping(spec, where)
    for key in keys:
        if key not in KEYS:
            raise BadBench(f"{where}: {key!r} is not one of {', '.join(KEYS)}")
    electrodes = keys.get("electrodes", "steel")
    if electrodes not in {"steel", "lithium"}:
        raise BadBench(f"{where}.electrodes: {electrodes!r} is not steel or lithium")
    return assembled(
        _ions(keys, where),
        rng,
        scatter=0.0,
        failed=0.0,
        thickness=_above_0(keys, "thickness_um", 100.0, where),
        area=_above_0(keys, "area_cm2", DISC, where),
        lithium=electrodes == "lithium",
    )


def _ions(keys: Mapping[str, Any], where: str) -> Ions:
    given = [one for one in KEYS[:3] if one in keys]
    if len(given) != 1:
        raise BadBench(f"{where}: state one of {', '.join(KEYS[:3])}, not {given}")
    value = _above_0(keys, given[0], 0.0, where)
    if given[0] == "molality_mol_kg":
        return PeoLiTfsi(value)
    if given[0] == "glass_K":
        return SingleIon(value)
    energy = checks.number(
        keys.get("activation_kJ_mol", 0.0), f"{where}.activation_kJ_mol", 0.0
    )
    share = checks.number(keys.get("transference", 0.2), f"{where}.transference", 0.0)
    return Plain(Arrhenius(value, energy), share)


def _above_0(keys: Mapping[str, Any], key: str, default: float, where: str) -> float:
    value = checks.number(keys.get(key, default), f"{where}.{key}")
    if value <= 0.0:
        raise BadBench(f"{where}.{key}: {value:g} is not above 0")
    return value


def _temperature(spec: Any, where: str) -> float:
    if not isinstance(spec, Mapping):
        return ROOM
    return checks.number(
        spec.get("temperature_degC", ROOM), f"{where}.temperature_degC"
    )
