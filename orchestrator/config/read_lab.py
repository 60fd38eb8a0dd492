"""From lab.yaml to a `Lab`: what one key says of another is checked here."""

from __future__ import annotations

import dataclasses
import math
import re
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

from orchestrator import units
from orchestrator.config.forms import GridForm, LabForm, StationForm
from orchestrator.config.models import (
    Fault,
    Instrument,
    Lab,
    Limit,
    Liquid,
    Point,
    Station,
    Substrate,
)
from orchestrator.config.settings import CABLE, read_settings, unit_of
from orchestrator.config.strict_yaml import Source, Where, near, read
from orchestrator.hazards import MATERIALS
from orchestrator.lab import (
    OPERATIONS,
    OUTLETS,
    driver,
    drivers,
    recipe_keys,
    signature,
)

_BROKEN = (ImportError, AttributeError, NameError, SyntaxError, TypeError, ValueError)
"""What importing a driver that is not finished raises."""


def load_lab(path: Path, *, check_drivers: bool = True) -> Lab:
    """Read and check a lab.

    Parameters
    ----------
    path:
        Of the lab's YAML file.
    check_drivers:
        Read each instrument's settings with its driver, which imports it. The flow
        process does not: the launcher has checked them before.

    Raises
    ------
    ConfigError
        Naming file, line, key, value and rule.
    """
    source = read(path)
    form = source.fill(LabForm)
    slots = _grids(source, "slots", form.slots)
    vials = _grids(source, "vials", form.vials)
    instruments = _instruments(source, form, check_drivers=check_drivers)
    stations = _stations(source, form, slots, instruments)
    bare, substrates = _substrates(source, form, slots)
    return Lab(
        name=form.lab,
        source=source,
        bench=_bench(source, form.bench),
        instruments=instruments,
        slots=slots,
        vials=vials,
        stations=stations,
        substrate=bare,
        substrates=substrates,
        liquids=_liquids(source, form, vials),
        margin=form.safety.margin,
        inert=form.safety.atmosphere != "air",
        faults=_faults(source, form),
    )


def _substrates(
    source: Source, form: LabForm, slots: Mapping[str, Point]
) -> tuple[Substrate | None, tuple[str, ...]]:
    """Return what a bare substrate is, and the slots that hold one."""
    if form.inventory is None:
        return None, ()
    stock = form.inventory.substrates
    where: Where = ("inventory", "substrates")
    rack = _group(source, (*where, "slots"), stock.slots, slots)
    if stock.count > len(rack):
        rule = f"{stock.slots} has {len(rack)} slots"
        raise source.refusal((*where, "count"), stock.count, rule)
    made = Substrate(stock.material, stock.edge, stock.transmittance)
    return made, rack[: stock.count]


def _bench(source: Source, bench: str | None) -> Path | None:
    if bench is None:
        return None
    path = source.path.parent / bench
    if not path.is_file():
        raise source.refusal(("bench",), bench, "no such file beside this one")
    return path


def _faults(source: Source, form: LabForm) -> tuple[Fault, ...]:
    if form.faults and form.bench is None:
        rule = "only a simulated lab can state them: write `bench`"
        raise source.refusal(("faults",), len(form.faults), rule)
    for index, one in enumerate(form.faults):
        where: Where = ("faults", index)
        if one.instrument not in form.instruments:
            rule = f"no such instrument: {near(one.instrument, form.instruments)}"
            raise source.refusal((*where, "instrument"), one.instrument, rule)
        if one.command is not None:
            try:
                re.compile(one.command)
            except re.error as error:
                rule = f"not a regular expression: {error}"
                raise source.refusal((*where, "command"), one.command, rule) from None
        if one.seconds is not None and one.seconds < 0:
            text = source.data["faults"][index]["seconds"]
            raise source.refusal((*where, "seconds"), text, "must not be below 0 s")
    return tuple(Fault(**one.model_dump()) for one in form.faults)


def _grids(
    source: Source, kind: str, forms: Mapping[str, GridForm]
) -> dict[str, Point]:
    """Return every slot or vial by name; a grid is counted along x, then along y."""
    made: dict[str, Point] = {}
    seen: dict[Point, str] = {}
    for name, form in forms.items():
        x, y, z = form.at
        pitch, count = form.pitch or 0.0, form.columns * form.rows
        for index in range(count):
            row, column = divmod(index, form.columns)
            place = (x + column * pitch, y + row * pitch, z)
            full = name if count == 1 else f"{name}.{index + 1}"
            if place in seen:
                value = ", ".join(f"{length:g} mm" for length in place)
                rule = f"{full} is where {seen[place]} is already"
                raise source.refusal((kind, name, "at"), value, rule)
            seen[place] = full
            made[full] = place
    return made


def _group(
    source: Source, where: Where, name: str, slots: Mapping[str, Point]
) -> tuple[str, ...]:
    """Return the slot of this name, or the slots of its grid."""
    found = tuple(s for s in slots if s == name or s.rpartition(".")[0] == name)
    if not found:
        groups = dict.fromkeys(slot.partition(".")[0] for slot in slots)
        raise source.refusal(where, name, f"no such slot: {near(name, groups)}")
    return found


def _instruments(
    source: Source, form: LabForm, *, check_drivers: bool
) -> dict[str, Instrument]:
    made: dict[str, Instrument] = {}
    for name, one in form.instruments.items():
        where: Where = ("instruments", name)
        key = "port" if one.port is not None else "folder"
        port = str(one.port if one.port is not None else one.folder)
        absolute = "://" in port or Path(port).is_absolute()
        if key == "port" and not absolute and form.bench is None:
            rule = 'a lab without `bench` is real: write "/dev/serial/by-id/..."'
            raise source.refusal((*where, key), port, rule)
        if one.driver not in drivers():
            rule = f"no such driver: {near(one.driver, drivers())}"
            raise source.refusal((*where, "driver"), one.driver, rule)
        settings = _settings(source, name, one.driver) if check_drivers else None
        texts = {k: v for k, v in (one.model_extra or {}).items() if k not in CABLE}
        _materials(source, (*where, "materials"), texts.get("materials", []))
        instrument = Instrument(
            name, one.driver, port, key == "folder", texts, settings
        )
        for other in made.values():
            if other.port == port:
                _check_shared(source, (*where, key), instrument, other)
        made[name] = instrument
    return made


def _check_shared(
    source: Source, where: Where, one: Instrument, other: Instrument
) -> None:
    """Refuse a second instrument on a port, unless both can tell what is for them."""
    bus = driver(one.driver).bus if one.settings is not None else ("",)
    if not bus or one.driver != other.driver:
        rule = f"{other.name} is on it already: one instrument on one {where[-1]}"
        raise source.refusal(where, one.port, rule)
    if one.settings is None:  # the launcher has read it with its drivers
        return
    if one.settings.address == other.settings.address:
        rule = (
            f"{other.name} is on it already, and both have address "
            f"{one.settings.address}: give each its own"
        )
        raise source.refusal(where, one.port, rule)
    for key in bus:
        mine, its = getattr(one.settings, key), getattr(other.settings, key)
        if mine != its:
            rule = (
                f"{other.name} is on it with {key} {its}, so it cannot be {mine} here"
            )
            raise source.refusal(where, one.port, rule)


def _materials(source: Source, where: Where, listed: object) -> None:
    """Refuse materials of which the gate does not know what they stand."""
    if not isinstance(listed, list):
        raise source.refusal(where, listed, "write a list in [ ]")
    for index, name in enumerate(listed):
        if not isinstance(name, str) or name not in MATERIALS:
            rule = f"no such material: {near(str(name), MATERIALS)}"
            raise source.refusal((*where, index), name, rule)


def _settings(source: Source, instrument: str, name: str) -> Any:
    try:
        made = driver(name)
    except _BROKEN as error:
        where: Where = ("instruments", instrument, "driver")
        raise source.refusal(where, name, f"cannot be imported: {error}") from error
    return read_settings(source, instrument, made.Settings)


def _stations(
    source: Source,
    form: LabForm,
    slots: Mapping[str, Point],
    instruments: Mapping[str, Instrument],
) -> dict[str, Station]:
    made: dict[str, Station] = {}
    for name, one in form.stations.items():
        where: Where = ("stations", name)
        _roles(source, name, one, form, made)
        station = Station(
            name=name,
            instruments=dict(one.instruments),
            operations=tuple(one.operations),
            slots=_slots(source, (*where, "slots"), one.slots, slots),
            serves=_slots(source, (*where, "serves"), one.serves, slots),
            twin=one.twin or "",
        )
        for other in made.values():
            for slot in station.slots:
                if slot in other.slots:
                    index = one.slots.index(slot) if slot in one.slots else 0
                    rule = f"it belongs to station {other.name} already"
                    raise source.refusal((*where, "slots", index), slot, rule)
            for operation in station.operations:
                for slot in (*station.slots, *station.serves):
                    if other.offers(operation, slot):
                        rule = f"station {other.name} does it in {slot} already"
                        raise source.refusal((*where, "operations"), operation, rule)
        limits = _limits(source, station, one, instruments)
        made[name] = dataclasses.replace(station, limits=limits)
    for station in made.values():
        _check_twin(source, station, made)
    carriers = [s.name for s in made.values() if "transfer" in s.operations]
    if made and len(carriers) != 1:
        rule = "exactly one station must offer transfer, to carry samples"
        raise source.refusal(("stations",), ", ".join(carriers) or "none", rule)
    return made


def _check_twin(source: Source, one: Station, made: Mapping[str, Station]) -> None:
    """Refuse a twin that cannot do what the station does, where it does it."""
    if not one.twin:
        return
    where: Where = ("stations", one.name, "twin")
    twin = made.get(one.twin)
    if twin is None or twin is one:
        others = [name for name in made if name != one.name]
        rule = f"no such other station: {near(one.twin, others)}"
        raise source.refusal(where, one.twin, rule)
    if len(twin.slots) != len(one.slots):
        rule = f"has {len(twin.slots)} slots, not {len(one.slots)} as {one.name}"
        raise source.refusal(where, one.twin, rule)
    for operation in one.operations:
        if operation not in twin.operations:
            raise source.refusal(where, one.twin, f"does not do {operation}")
    for other in made.values():
        for own, its in zip(one.slots, twin.slots, strict=True):
            if own in other.serves and its not in other.serves:
                rule = f"station {other.name} serves {own}, but not {its}"
                raise source.refusal(where, one.twin, rule)


def _slots(
    source: Source, where: Where, names: Iterable[str], slots: Mapping[str, Point]
) -> tuple[str, ...]:
    found: list[str] = []
    for index, name in enumerate(names):
        found += _group(source, (*where, index), name, slots)
    return tuple(dict.fromkeys(found))


def _roles(
    source: Source,
    name: str,
    one: StationForm,
    form: LabForm,
    others: Mapping[str, Station],
) -> None:
    """Refuse roles that no operation wants, that are empty, or filled elsewhere."""
    where: Where = ("stations", name)
    for role, instrument in one.instruments.items():
        if instrument not in form.instruments:
            rule = f"no such instrument: {near(instrument, form.instruments)}"
            raise source.refusal((*where, "instruments", role), instrument, rule)
        for other in others.values():
            if instrument in other.instruments.values():
                rule = f"it belongs to station {other.name} already"
                raise source.refusal((*where, "instruments", role), instrument, rule)
    if len(set(one.instruments.values())) < len(one.instruments):
        listed = ", ".join(one.instruments.values())
        raise source.refusal(
            (*where, "instruments"), listed, "one instrument, one role"
        )
    wanted: set[str] = set()
    for index, operation in enumerate(one.operations):
        place: Where = (*where, "operations", index)
        if operation not in OPERATIONS:
            rule = f"no such operation: {near(operation, OPERATIONS)}"
            raise source.refusal(place, operation, rule)
        wanted.update(signature(operation).optional)
        for role in signature(operation).roles:
            wanted.add(role)
            if role not in one.instruments:
                rule = (
                    f"needs a {role}: name an instrument so, or write "
                    f"instruments: {{{role}: <instrument>}}"
                )
                raise source.refusal(place, operation, rule)
    for role in one.instruments:
        if role not in wanted:
            rule = f"no operation of this station uses it; they use: {_list(wanted)}"
            raise source.refusal((*where, "instruments", role), role, rule)


def _list(names: Iterable[str]) -> str:
    return ", ".join(sorted(names)) or "none"


def _limits(
    source: Source,
    station: Station,
    form: StationForm,
    instruments: Mapping[str, Instrument],
) -> dict[str, tuple[Limit, ...]]:
    """Return the station's own limits and, after them, those of its instruments."""
    known: dict[str, str] = {}
    for operation in station.operations:
        known |= {key: u for key, u in recipe_keys(operation).items() if u}
    made: dict[str, tuple[Limit, ...]] = {}
    for key in form.limits:
        if key not in known:
            where: Where = ("stations", station.name, "limits", key)
            rule = f"no operation of this station has it: {near(key, known)}"
            raise source.refusal(where, key, rule)
    for key, unit in known.items():
        theirs = [
            limit
            for instrument in station.instruments.values()
            if (limit := _instrument_limit(source, instruments[instrument], key, unit))
        ]
        own = _own_limit(source, station, form, key, unit, theirs)
        if own or theirs:
            made[key] = (*own, *theirs)
    return made


def _own_limit(
    source: Source,
    station: Station,
    form: StationForm,
    key: str,
    unit: str,
    theirs: Iterable[Limit],
) -> tuple[Limit, ...]:
    if key not in form.limits:
        return ()
    where: Where = ("stations", station.name, "limits", key)
    written = {"from": form.limits[key].low, "to": form.limits[key].high}
    bounds = {}
    for end, text in written.items():
        try:
            bounds[end] = units.parse(text, unit)
        except units.UnitError as error:
            raise source.refusal((*where, end), text, str(error)) from None
        for limit in theirs:
            if not limit.low <= bounds[end] <= limit.high:
                rule = f"the instrument's own limit: {limit} ({limit.place})"
                raise source.refusal((*where, end), text, rule)
    if bounds["from"] > bounds["to"]:
        text = f"{written['from']} to {written['to']}"
        raise source.refusal(where, text, "from must not be above to")
    return (Limit(bounds["from"], bounds["to"], unit, source.place(*where)),)


def _instrument_limit(
    source: Source, instrument: Instrument, key: str, unit: str
) -> Limit | None:
    """Return the bounds that settings ``min_<key>`` and ``max_<key>`` state, if any."""
    where: Where = ("instruments", instrument.name)
    bounds = {"min": -math.inf, "max": math.inf}
    place = ""
    for end in bounds:
        name = f"{end}_{key}"
        value = getattr(instrument.settings, name, None)
        try:
            if value is not None:
                bounds[end] = units.convert(
                    value, unit_of(instrument.settings, name) or unit, unit
                )
            elif name in instrument.texts:
                bounds[end] = units.parse(instrument.texts[name], unit)
            else:
                continue
        except units.UnitError as error:
            text = instrument.texts.get(name, value)
            raise source.refusal((*where, name), text, str(error)) from None
        place = source.place(*where, name)
    return Limit(bounds["min"], bounds["max"], unit, place) if place else None


def _liquids(
    source: Source, form: LabForm, vials: Mapping[str, Point]
) -> dict[str, Liquid]:
    from planners.chemistry import BadMolecule, canonical

    ports = [
        port
        for one in form.instruments.values()
        for port in _valve(one.model_extra or {})
        if port not in OUTLETS
    ]
    made: dict[str, Liquid] = {}
    used: dict[str, str] = {}
    for name, one in form.inventory.liquids.items() if form.inventory else ():
        where: Where = ("inventory", "liquids", name)
        if one.place not in vials and one.place not in ports:
            rule = f"no such vial or valve port: {near(one.place, [*ports, *vials])}"
            raise source.refusal((*where, "place"), one.place, rule)
        if one.place in used:
            rule = f"{used[one.place]} is there already"
            raise source.refusal((*where, "place"), one.place, rule)
        used[one.place] = name
        for key, value in (
            ("volume", one.volume),
            ("concentration", one.concentration),
            ("content", one.content),
            ("density", one.density),
        ):
            if value is not None and value <= 0:
                text = source.data["inventory"]["liquids"][name][key]
                raise source.refusal((*where, key), text, "must be above 0")
        smiles = ""
        if one.smiles is not None:
            try:
                smiles = canonical(name, one.smiles)
            except BadMolecule:
                rule = "not a SMILES that RDKit can read"
                raise source.refusal((*where, "smiles"), one.smiles, rule) from None
        made[name] = Liquid(
            name, one.place, one.volume, one.kind or "", one.concentration, smiles,
            one.boiling, one.flash, one.content, one.density,
        )  # fmt: skip
    return made


def _valve(settings: Mapping[str, Any]) -> Iterable[str]:
    valve = settings.get("valve")
    return valve if isinstance(valve, dict) else ()
