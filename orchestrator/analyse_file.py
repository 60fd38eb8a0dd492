"""``polyloop analyse FILE``: a spectrum from anywhere, from file to conductivity."""

from __future__ import annotations

import json
import math
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer
from rich.console import Console
from rich.table import Table

from orchestrator import units
from orchestrator.errors import Refused

if TYPE_CHECKING:
    from orchestrator.analysis.impedance import Bulk, Conductivity, Geometry
    from orchestrator.reading.spectrum_file import SpectrumFile

console = Console()
Text = str | None


def analyse(
    path: Annotated[
        Path, typer.Argument(metavar="FILE", help="CSV, .mpt, .z or .dta.")
    ],
    thickness: Annotated[
        Text, typer.Option(help='Of the sample, e.g. "100 um".')
    ] = None,
    area: Annotated[
        Text, typer.Option(help='Of an electrode, e.g. "0.785 cm^2".')
    ] = None,
    thickness_std: Annotated[
        Text, typer.Option(help='Standard uncertainty, e.g. "3 um".')
    ] = None,
    area_std: Annotated[
        Text, typer.Option(help='Standard uncertainty, e.g. "0.01 cm^2".')
    ] = None,
    contact: Annotated[
        Text,
        typer.Option(help='Of leads and contacts, e.g. "0.5 ohm"; else 0.1 to 2 ohm.'),
    ] = None,
    short: Annotated[
        Path | None,
        typer.Option(help="Spectrum of the shorted leads, to be taken off."),
    ] = None,
    opened: Annotated[
        Path | None,
        typer.Option("--open", help="Spectrum of the open leads, to be taken off."),
    ] = None,
    sweep: Annotated[int, typer.Option(help="Which, where a file holds several.")] = 1,
    plot: Annotated[Path | None, typer.Option(metavar="FILE.(png|svg|pdf)")] = None,
    as_json: Annotated[
        bool, typer.Option("--json", help="Print JSON instead.")
    ] = False,
) -> None:
    """Work out bulk resistance and conductivity from an impedance spectrum, or why not."""
    from orchestrator.analysis import impedance
    from orchestrator.analysis.readings import AnalysisError
    from orchestrator.reading.spectrum_file import read_spectrum

    cell = _cell(thickness, area, thickness_std, area_std)
    leads = None
    if contact is not None:
        ohm = _quantity("--contact", contact, "ohm", least=-1e-12)
        leads = impedance.Ohms(ohm, max(0.1 * ohm, 0.05))
    read = read_spectrum(path, sweep=sweep)
    others = [
        None if one is None else read_spectrum(one).spectrum for one in (short, opened)
    ]
    try:
        found = impedance.bulk(
            read.spectrum, contact=leads, short=others[0], opened=others[1]
        )
    except AnalysisError as error:
        raise Refused(f"{path}: {error}") from error
    value = None if cell is None else impedance.conductivity(found, cell)
    if as_json:
        typer.echo(
            json.dumps(_plain(path, read, found, value), indent=2, allow_nan=False)
        )
    else:
        console.print(_table(path, read, found, value, cell))
        _verdict(found)
    if plot is not None:
        _draw(plot, found, path.name)
        if not as_json:
            console.print(f"written: {plot}", soft_wrap=True)


def _cell(
    thickness: Text, area: Text, thickness_std: Text, area_std: Text
) -> Geometry | None:
    """Return the cell that the options describe, or None when they do not."""
    from orchestrator.analysis.impedance import Geometry

    if thickness is None and area is None:
        return None
    if thickness is None or area is None:
        raise Refused("--thickness and --area: a conductivity needs both")
    return Geometry(
        _quantity("--thickness", thickness, "cm"),
        _quantity("--area", area, "cm^2"),
        0.0
        if thickness_std is None
        else _quantity("--thickness-std", thickness_std, "cm"),
        0.0 if area_std is None else _quantity("--area-std", area_std, "cm^2"),
    )


def _quantity(option: str, text: str, unit: str, least: float = 0.0) -> float:
    try:
        value = units.parse(text, unit)
    except units.UnitError as error:
        raise Refused(f"{option}: {text!r}: {error}") from error
    if not value > least:
        raise Refused(f"{option}: {text!r}: must be above 0")
    return value


def _table(
    path: Path,
    read: SpectrumFile,
    found: Bulk,
    value: Conductivity | None,
    cell: Geometry | None,
) -> Table:
    """Return what was found as a table of two columns."""
    f, quality = found.spectrum.frequency, found.quality
    table = Table(box=None, pad_edge=False, show_header=False)
    table.add_column(style="bold", no_wrap=True)
    table.add_column(overflow="fold")
    table.add_row("file", str(path))
    table.add_row("read as", "; ".join(read.notes))
    table.add_row("sweep", f"{f.size} points, {_hertz(f[0])} to {_hertz(f[-1])}")
    table.add_row(
        "Kramers-Kronig",
        f"residual {quality.residual:.2%}, {quality.grade}"
        f"{', with series capacitor' if quality.capacitor else ''}",
    )
    if quality.drift is not None:
        table.add_row(
            "drift", f"{quality.drift:.2%} at the first frequency, measured again"
        )
    table.add_row("circuit", found.fit.circuit.name)
    for name, (number, std) in found.fit.parameters.items():
        unit = _UNITS.get(name.rstrip("012"), "")
        table.add_row(f"  {name}", f"{number:.4g} ± {std:.2g} {unit}".rstrip())
    if found.others:
        also = (
            f"{name} ({weight:.0%}: {units.resistance(r)})"
            for name, weight, r in found.others[:3]
        )
        table.add_row("also possible", ", ".join(also))
    if found.resistance is not None:
        said = units.resistance(found.resistance.value, found.resistance.std)
        table.add_row("bulk resistance", f"[bold]{said}[/bold]")
    else:
        bound = f">= {units.resistance(found.at_least)}; " if found.at_least else ""
        bound = f"<= {units.resistance(found.at_most)}; " if found.at_most else bound
        table.add_row("bulk resistance", f"{bound}not identifiable")
    if value is not None and cell is not None:
        table.add_row("conductivity", f"[bold]{_conductivity(value)}[/bold]")
        if not (cell.thickness_std and cell.area_std):
            table.add_row(
                "",
                "exact thickness and area are assumed where --thickness-std or --area-std is not given",
            )
    return table


_UNITS = {"R": "ohm", "K": "ohm", "tau": "s", "L": "H"}


def _verdict(found: Bulk) -> None:
    """Say what is not identifiable, not believed, or worth knowing."""
    if found.reason:
        console.print(
            f"not identifiable: {found.reason}", style="yellow", soft_wrap=True
        )
    for doubt in found.doubts:
        console.print(f"not believed: {doubt}", style="red", soft_wrap=True)
    for warning in found.warnings:
        console.print(f"warning: {warning}", style="yellow", soft_wrap=True)


def _conductivity(value: Conductivity) -> str:
    if not value.sign:
        return "nothing is known"
    if value.sign != "=":
        return f"{value.sign} {value.value:.2e} S/cm"
    power = math.floor(math.log10(value.value))
    digits = max(
        min(1 + power - math.floor(math.log10(max(value.std, 1e-6 * value.value))), 6),
        1,
    )
    scale = 10.0**power
    return f"({value.value / scale:.{digits}f} ± {value.std / scale:.{digits}f})e{power:+03d} S/cm"


def _hertz(value: float) -> str:
    for size, unit in ((1e6, "MHz"), (1e3, "kHz"), (1.0, "Hz"), (1e-3, "mHz")):
        if value >= size:
            return f"{value / size:.4g} {unit}"
    return f"{value:.3g} Hz"


def _plain(
    path: Path, read: SpectrumFile, found: Bulk, value: Conductivity | None
) -> dict[str, Any]:
    """Return what was found as plain JSON; each key ends in its unit."""
    known = found.resistance
    made: dict[str, Any] = {
        "file": str(path),
        "notes": list(read.notes),
        "points": int(found.spectrum.frequency.size),
        "kramers_kronig_residual": found.quality.residual,
        "series_capacitor": found.quality.capacitor,
        "drift": found.quality.drift,
        "circuit": found.fit.circuit.name,
        "parameters": {
            k: {"value": v, "std": u} for k, (v, u) in found.fit.parameters.items()
        },
        "resistance_ohm": known and known.value,
        "resistance_std_ohm": known and known.std,
        "resistance_at_least_ohm": found.at_least,
        "resistance_at_most_ohm": found.at_most,
        "not_identifiable": found.reason,
        "believed": found.believed,
        "doubts": list(found.doubts),
        "warnings": list(found.warnings),
    }
    if value is not None:
        made["conductivity_S_per_cm"] = value.value if value.sign else None
        made["conductivity_std_S_per_cm"] = (
            value.std if math.isfinite(value.std) else None
        )
        made["conductivity_sign"] = value.sign
    return made


def _draw(plot: Path, found: Bulk, name: str) -> None:
    """Write the plot of a spectrum."""
    from orchestrator.reporting.impedance_plots import spectrum_figure

    if plot.suffix.lower() not in (".png", ".svg", ".pdf"):
        raise Refused(f"--plot: {plot}: must end in .png, .svg or .pdf")
    if not plot.absolute().parent.is_dir():
        raise Refused(f"--plot: {plot}: there is no folder {plot.parent}")
    spectrum_figure(found, name).savefig(plot, dpi=160)
