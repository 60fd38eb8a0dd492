"""Plots of impedance spectra and of conductivity against temperature.

Each function takes spectra with their fits, or points with their law, and returns a
figure. `plots.svg` and `plots.png` turn it into text and bytes.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import matplotlib as mpl
import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import FuncFormatter, LogLocator, MaxNLocator, NullFormatter

from orchestrator import units
from orchestrator.analysis.impedance import Bulk
from orchestrator.analysis.kramers_kronig import ACCEPTABLE, GOOD
from orchestrator.analysis.temperature import ZERO, Law, Point
from orchestrator.reporting.plots import (
    ACCENT,
    COLOURS,
    FAILED,
    FAINT,
    INK,
    MARKERS,
    STYLE,
)

REACH = 2.2
"""How many bulk resistances of a Nyquist plot are shown; a spike may be a thousand."""
_PREFIXES = ((1e9, "GΩ"), (1e6, "MΩ"), (1e3, "kΩ"), (1.0, "Ω"), (1e-3, "mΩ"))


def spectrum_figure(found: Bulk, title: str = "") -> Figure:
    """Nyquist plot with equal axes, size and phase, and Kramers-Kronig residuals."""
    mpl.rcParams.update(STYLE)
    figure = Figure(figsize=(9.6, 5.6), layout="constrained")
    grid = figure.add_gridspec(
        3, 2, width_ratios=[1.15, 1.0], height_ratios=[1, 1, 0.9]
    )
    left = figure.add_subplot(grid[:, 0])
    size = figure.add_subplot(grid[0, 1])
    phase = figure.add_subplot(grid[1, 1], sharex=size)
    rest = figure.add_subplot(grid[2, 1], sharex=size)
    _nyquist(left, found, COLOURS[0], legend=True)
    _bode(size, phase, found)
    _residuals(rest, found)
    for one in (size, phase):
        one.tick_params(labelbottom=False)
    figure.align_ylabels([size, phase, rest])
    if title:
        figure.suptitle(title, x=0.01, ha="left", fontsize=11, color=INK)
    return figure


def nyquist_by_temperature(found: Sequence[tuple[float, Bulk]]) -> Figure | None:
    """Nyquist plots with fits, one small plot for each temperature (degC)."""
    if not found:
        return None
    mpl.rcParams.update(STYLE)
    columns = min(3, len(found))
    rows = math.ceil(len(found) / columns)
    figure = Figure(figsize=(7.4, 2.65 * rows), layout="constrained")
    places = list(figure.subplots(rows, columns, squeeze=False).flat)
    shades = mpl.colormaps["viridis"](np.linspace(0.05, 0.85, len(found)))
    for place, (degc, one), shade in zip(places, found, shades, strict=False):
        _nyquist(place, one, shade, legend=False)
        known = one.resistance
        said = units.resistance(known.value, known.std) if known else "not identifiable"
        place.set_title(f"{degc:.0f} °C: {said}", fontsize=8.5, loc="left")
        place.tick_params(labelsize=7.5)
        place.xaxis.label.set_size(8)
        place.yaxis.label.set_size(8)
    for place in places[len(found) :]:
        place.set_visible(False)
    return figure


def _nyquist(axes: Axes, found: Bulk, colour: Any, *, legend: bool) -> None:
    """Draw -Im Z over Re Z with equal axes, as far as the bulk is to be seen."""
    z = found.spectrum.impedance
    f = found.spectrum.frequency
    fine = np.geomspace(f[-1], f[0], 400)
    fit = found.fit.impedance(fine)
    whole = float(max(z.real.max(), (-z.imag).max()))
    total = found.fit.resistance("bulk")[0]
    span = whole if found.resistance is None else min(REACH * total, whole)
    scale, unit = _scale(span)
    axes.axhline(0.0, color=FAINT, lw=0.7, zorder=1)
    axes.plot(fit.real / scale, -fit.imag / scale, color=ACCENT, lw=1.4, zorder=2, label=f"fit: {found.fit.circuit.name}")  # fmt: skip
    axes.plot(z.real / scale, -z.imag / scale, "o", color=colour, ms=4.2, mec="white", mew=0.5, zorder=3, label="measured")  # fmt: skip
    if found.resistance is not None:
        axes.plot(
            [total / scale], [0.0], "|", color=FAILED, ms=13, mew=1.6, zorder=4, clip_on=False,
            label="bulk and contacts",
        )  # fmt: skip
    lowest = min(float((-z.imag).min()), 0.0)
    bottom = max(lowest, -0.35 * span) * 1.1 - 0.05 * span
    left = min(float(z.real.min()), 0.0) - 0.04 * span
    axes.set_xlim(left / scale, 1.05 * span / scale)
    axes.set_ylim(bottom / scale, (bottom + 1.09 * span) / scale)
    axes.set_aspect("equal", adjustable="box")
    axes.xaxis.set_major_locator(MaxNLocator(5 if legend else 3))
    axes.yaxis.set_major_locator(MaxNLocator(5 if legend else 3))
    axes.set_xlabel(f"Re Z ({unit})")
    axes.set_ylabel(f"−Im Z ({unit})")
    beyond = int(((z.real > 1.05 * span) | (-z.imag > bottom + 1.09 * span)).sum())
    if legend:
        axes.legend(loc="upper left")
        if beyond:
            axes.text(
                0.98, 0.13, f"{beyond} points beyond, up to {_ohm(whole)}", fontsize=8,
                color=FAINT, ha="right", va="bottom", transform=axes.transAxes,
            )  # fmt: skip


def _bode(size: Axes, phase: Axes, found: Bulk) -> None:
    """Draw |Z| and its phase over frequency."""
    f, z = found.spectrum.frequency, found.spectrum.impedance
    fine = np.geomspace(f[-1], f[0], 400)
    fit = found.fit.impedance(fine)
    for axes, of in ((size, np.abs), (phase, lambda one: np.degrees(np.angle(one)))):
        axes.plot(fine, of(fit), color=ACCENT, lw=1.4, zorder=2)
        axes.plot(
            f, of(z), "o", color=COLOURS[0], ms=3.6, mec="white", mew=0.4, zorder=3
        )
        axes.set_xscale("log")
        axes.xaxis.set_minor_formatter(NullFormatter())
    size.set_yscale("log")
    decades = math.log10(abs(z).max() / abs(z).min())
    size.yaxis.set_major_locator(
        LogLocator(subs=(1.0, 2.0, 5.0) if decades < 1.5 else (1.0,))
    )
    size.yaxis.set_major_formatter(FuncFormatter(lambda value, _: _ohm(value)))
    size.yaxis.set_minor_formatter(NullFormatter())
    size.set_ylabel("|Z|")
    phase.yaxis.set_major_locator(MaxNLocator(5, steps=[1, 1.5, 3, 4.5, 10]))
    phase.set_ylabel("phase (°)")


def _residuals(axes: Axes, found: Bulk) -> None:
    """Draw the Kramers-Kronig residuals, with the limits of good and acceptable."""
    f, off = found.spectrum.frequency, 100.0 * found.quality.residuals
    limit = ACCEPTABLE if found.quality.residual > GOOD else GOOD
    axes.axhspan(-100 * limit, 100 * limit, color="#eef3f3", zorder=0)
    axes.axhline(0.0, color=FAINT, lw=0.7)
    for part, marker, colour, name in (
        (off.real, "o", COLOURS[0], "real"),
        (off.imag, "s", COLOURS[4], "imaginary"),
    ):
        axes.plot(
            f, part, marker, color=colour, ms=3.2, mec="white", mew=0.3, label=name
        )
    top = 1.7 * max(100 * limit, float(abs(off).max()))
    axes.set_ylim(-top, top)
    axes.set_xscale("log")
    axes.xaxis.set_minor_formatter(NullFormatter())
    axes.yaxis.set_major_locator(MaxNLocator(5, symmetric=True))
    axes.set_xlabel("frequency (Hz)")
    axes.set_ylabel("KK residual (%)")
    axes.legend(loc="upper right", ncols=2, borderaxespad=0.1, handletextpad=0.2, columnspacing=1.0)  # fmt: skip
    axes.text(
        0.01,
        0.04,
        f"shaded: ±{100 * limit:g} %",
        fontsize=8,
        color=FAINT,
        transform=axes.transAxes,
    )


def temperature_lines(
    series: Sequence[tuple[str, Sequence[Point], Law | None]],
    target: float | None = None,
) -> Figure | None:
    """Conductivity over 1000/T with the law of each series; degC on top.

    Parameters
    ----------
    series:
        Name, points, and the law through them or None.
    target:
        A conductivity in S/cm to be drawn as a line of reference.
    """
    series = [one for one in series if one[1]]
    if not series:
        return None
    mpl.rcParams.update(STYLE)
    figure = Figure(figsize=(7.4, 4.0), layout="constrained")
    axes = figure.subplots()
    values, inverse = [], []
    for k, (name, points, law) in enumerate(series):
        colour, marker = COLOURS[k % len(COLOURS)], MARKERS[k % len(MARKERS)]
        t = np.array([one.temperature for one in points])
        y = np.array([one.value for one in points])
        values += y.tolist()
        inverse += (1e3 / (t + ZERO)).tolist()
        axes.errorbar(
            1e3 / (t + ZERO), y, yerr=[min(p.std, 0.9 * p.value) for p in points], fmt=marker,
            color=colour, ms=5, mec="white", mew=0.5, lw=1, label=_law_label(name, law),
        )  # fmt: skip
        if law is not None:
            fine = np.linspace(t.min(), t.max(), 80)
            axes.plot(
                1e3 / (fine + ZERO), [law.at(one).value for one in fine], color=colour, lw=1.1,
                ls="-" if law.name == "VTF" else "--",
            )  # fmt: skip
    axes.set_yscale("log")
    low, high = min(values), max(*values, target or 0.0)
    axes.set_ylim(low / 3.0, high * 3.0)
    margin = 0.06 * (max(inverse) - min(inverse)) or 0.1
    axes.set_xlim(min(inverse) - margin, max(inverse) + margin)
    if target is not None:
        axes.axhline(target, color=FAILED, lw=1.1, ls=":")
        axes.annotate(
            f"target {target:g} S/cm", (0.99, target), xycoords=("axes fraction", "data"),
            xytext=(0, 3), textcoords="offset points", ha="right", fontsize=8, color=FAILED,
        )  # fmt: skip
    axes.set_xlabel("1000 / T (1/K)")
    axes.set_ylabel("conductivity (S/cm)")
    _degrees(axes)
    figure.legend(loc="outside right upper", handletextpad=0.5, labelspacing=0.45)
    return figure


def _law_label(name: str, law: Law | None) -> str:
    if law is None:
        return name
    key = "Ea_kJ_per_mol" if law.x.size == 2 else "B_kJ_per_mol"
    energy, std = law.parameters[key]
    said = units.show(energy, "kJ/mol", std if std < energy else None)
    return f"{name}\n{law.name}, {'Ea' if law.x.size == 2 else 'B'} = {said}"


def _degrees(axes: Axes) -> None:
    """Put temperatures in degC on top, at round numbers."""
    low, high = axes.get_xlim()
    step = next(
        s for s in (5, 10, 20, 50, 100) if (1e3 / low - 1e3 / high) / s <= 8 or s == 100
    )
    first = math.ceil((1e3 / high - ZERO) / step) * step
    ticks = np.arange(first, 1e3 / low - ZERO + 1e-9, step)
    top = axes.secondary_xaxis("top")
    top.set_xticks(1e3 / (ticks + ZERO), [f"{one:.0f}" for one in ticks])
    top.set_xlabel("temperature (°C)")


def _scale(size: float) -> tuple[float, str]:
    """Return the unit in which an impedance is written."""
    return next(((s, u) for s, u in _PREFIXES if size >= s), _PREFIXES[-1])


def _ohm(value: float) -> str:
    scale, unit = _scale(value)
    return f"{value / scale:.3g} {unit}"
