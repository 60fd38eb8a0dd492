"""Plots of spectra and of conductivity against temperature."""

from __future__ import annotations

import numpy as np
import pytest

from orchestrator.analysis.impedance import Bulk, bulk
from orchestrator.analysis.temperature import Point, laws
from orchestrator.reporting.impedance_plots import (
    nyquist_by_temperature,
    spectrum_figure,
    temperature_lines,
)
from orchestrator.reporting.plots import png, svg
from tests.orchestrator.analysis.cells import Cell, spectrum
from tests.orchestrator.analysis.test_temperature import peo, points


def found(sigma: float) -> Bulk:
    return bulk(spectrum(Cell(sigma), np.random.default_rng(1)))


@pytest.mark.parametrize("sigma", [1e-9, 1e-6, 1e-4, 1e-2])
def test_a_nyquist_plot_has_equal_axes_and_shows_the_bulk(sigma: float) -> None:
    one = found(sigma)
    figure = spectrum_figure(one, "cell 7")
    axes = figure.axes[0]
    assert axes.get_aspect() == 1.0
    assert "Ω)" in axes.get_xlabel()
    assert [a.get_ylabel() for a in figure.axes[1:]] == [
        "|Z|",
        "phase (°)",
        "KK residual (%)",
    ]
    assert png(figure).startswith(b"\x89PNG")
    if one.resistance is not None:
        (x,) = next(
            line.get_xdata()
            for line in axes.lines
            if line.get_label() == "bulk and contacts"
        )
        low, high = axes.get_xlim()
        assert low < x < high


def test_there_is_a_small_plot_for_each_temperature() -> None:
    figure = nyquist_by_temperature(
        [(t, found(peo(t))) for t in (20.0, 40.0, 60.0, 80.0)]
    )
    assert figure is not None
    titles = [a.get_title(loc="left") for a in figure.axes if a.get_visible()]
    assert [one.split(":")[0] for one in titles] == ["20 °C", "40 °C", "60 °C", "80 °C"]
    assert svg(figure).startswith("<svg")
    assert nyquist_by_temperature([]) is None


def test_what_is_not_identifiable_says_so_in_its_title() -> None:
    figure = nyquist_by_temperature([(30.0, found(1e-2))])
    assert figure is not None
    assert figure.axes[0].get_title(loc="left") == "30 °C: not identifiable"


def test_conductivity_over_temperature_has_its_laws_and_the_target() -> None:
    series = points(peo)
    figure = temperature_lines(
        [
            ("trial 3", series, laws(series)[0]),
            ("trial 4", [Point(30.0, 1e-6, 1e-8)], None),
        ],
        1e-2,
    )
    assert figure is not None
    axes = figure.axes[0]
    assert axes.get_ylabel() == "conductivity (S/cm)"
    assert axes.get_ylim()[1] > 1e-2
    words = [text.get_text() for text in figure.legends[0].get_texts()]
    assert "VTF, B = " in words[0]
    assert words[1] == "trial 4"
    assert png(figure).startswith(b"\x89PNG")
    assert temperature_lines([("none", [], None)]) is None
