"""A folder that files drop into: each counts once, and only if it is a profile."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from instruments.clock import Clock
from instruments.errors import BadReply, LinkError, LinkTimeout, Stopped
from instruments.profile import Profile, read_profile, step_of
from instruments.profilometer_folder import Profilometer, ProfilometerSettings

HEAD = [
    "# program: P-7 profile export 1.2",
    "# scanned: 2026-03-01T12:00:00+00:00",
    "# stylus force: 1 mg",
    "# x unit: um",
    "# z unit: nm",
    "x,z",
]


def profile(
    height: float, *, tilt: float = 0.0, noise: float = 0.0, seed: int = 0
) -> Profile:
    rng = np.random.default_rng(seed)
    x = np.arange(0.0, 1001.0)
    z = np.where((x > 400) & (x < 650), 0.0, height) + tilt * x + 30.0
    return Profile("test", x, z + rng.normal(0.0, noise, x.size))


def text_of(made: Profile) -> str:
    rows = [f"{x:.1f},{z:.3f}" for x, z in zip(made.x, made.z, strict=True)]
    return "\n".join([*HEAD, *rows, "# end"]) + "\n"


@settings(max_examples=50, deadline=None)
@given(st.floats(10.0, 1000.0), st.floats(-0.2, 0.2))
def test_the_step_does_not_depend_on_the_tilt(height: float, tilt: float) -> None:
    assert step_of(profile(height, tilt=tilt)).height == pytest.approx(height, abs=1e-6)


@settings(max_examples=50, deadline=None)
@given(st.floats(20.0, 300.0), st.floats(-0.1, 0.1), st.integers(0, 10_000))
def test_noise_moves_the_step_by_less_than_its_uncertainty(
    height: float, tilt: float, seed: int
) -> None:
    step = step_of(profile(height, tilt=tilt, noise=1.5, seed=seed))
    assert abs(step.height - height) < step.uncertainty


def test_the_uncertainty_is_that_of_the_instrument_and_of_the_plateaus() -> None:
    quiet, noisy = step_of(profile(100.0)), step_of(profile(100.0, noise=20.0))
    assert quiet.uncertainty == pytest.approx(np.hypot(2.5, 3.0), rel=1e-6)
    assert noisy.uncertainty > quiet.uncertainty


@pytest.mark.parametrize("seed", range(20))
def test_bare_glass_has_no_step_within_its_uncertainty(seed: int) -> None:
    step = step_of(profile(0.0, tilt=0.05, noise=1.5, seed=seed))
    assert abs(step.height) < step.uncertainty


def test_what_is_written_is_read() -> None:
    made = profile(65.0, tilt=0.03)
    found = read_profile(text_of(made), "scan")
    assert found.program == "P-7 profile export 1.2"
    np.testing.assert_allclose(found.z, made.z, atol=1e-3)


@pytest.mark.parametrize(
    ("old", "new", "rule"),
    [
        ("# z unit: nm\n", "# z unit: A\n", "line 6: 'x,z': '# z unit: nm' must come"),
        ("# x unit: um\n", "", "line 5: 'x,z': '# x unit: um' must come before it"),
        ("# program: P-7 profile export 1.2\n", "", "'# program: ...' must come"),
        ("\n10.0,", "\nten,", "line 17: .*two numbers"),
        ("\n10.0,", "\n10.0,1.0,", "line 17: .*two numbers"),
        ("\n10.0,", "\n10.0,nan\n10.1,", "line 17: .*finite"),
        ("\n10.0,", "\n3.0,", "x must rise"),
        ("x,z\n", "x;z\n", "line 6: 'x;z': must be"),
        ("# end\n", "# end\n1.0,1.0\n", "'# end': must be the last line"),
        ("# end\n", "", "must end in '# end': cut off"),
        ("# x unit: um\n", "# x unit: um\n# x unit: um\n", "'x unit' is there twice"),
    ],
)
def test_what_is_no_profile_is_refused_with_its_line_and_rule(
    old: str, new: str, rule: str
) -> None:
    text = text_of(profile(65.0)).replace(old, new, 1)
    with pytest.raises(BadReply, match=rule) as refusal:
        read_profile(text, "scan_0001.csv")
    assert "scan_0001.csv" in str(refusal.value)


def test_a_profile_of_few_points_is_refused() -> None:
    text = "\n".join([*HEAD, "0.0,1.0", "1.0,2.0", "# end"])
    with pytest.raises(BadReply, match="2 points; at least 100"):
        read_profile(text, "scan")


def test_a_text_of_any_kind_is_refused_and_never_crashes() -> None:
    for text in ("", "\n", "# end", "x,z", "\x00", "# a: b\n" * 3):
        with pytest.raises(BadReply):
            read_profile(text, "scan")


@pytest.fixture
def device(tmp_path: Path) -> Iterator[Profilometer]:
    made = Profilometer(
        "stylus",
        port=str(tmp_path),
        settings=ProfilometerSettings(),
        clock=Clock(2000.0),
    )
    yield made
    made.stop()
    made.disconnect()


def drop(folder: Path, name: str, height: float, *, age: int = 0) -> None:
    part = folder / f"{name}.part"
    part.write_text(text_of(profile(height)))
    os.utime(part, ns=(10**18 - age, 10**18 - age))
    part.rename(folder / f"{name}.csv")


def read_one(device: Profilometer) -> float:
    device.trigger().wait(timeout=10)
    return float(device.thickness.get())


def test_a_file_that_came_before_the_trigger_counts_exactly_once(
    device: Profilometer, tmp_path: Path
) -> None:
    drop(tmp_path, "old", 10.0, age=9)
    device.connect()
    device.prepare()
    drop(tmp_path, "first", 60.0, age=5)
    assert read_one(device) == pytest.approx(60.0, abs=0.01)
    assert device.file.get() == "first.csv"
    status = device.trigger()
    assert not status.done
    drop(tmp_path, "second", 80.0)
    status.wait(timeout=10)
    assert device.thickness.get() == pytest.approx(80.0, abs=0.01)


def test_of_several_new_files_the_newest_is_taken_and_the_others_never(
    device: Profilometer, tmp_path: Path
) -> None:
    device.prepare()
    drop(tmp_path, "b_earlier", 40.0, age=5)
    drop(tmp_path, "a_later", 50.0)
    assert read_one(device) == pytest.approx(50.0, abs=0.01)
    status = device.trigger()
    device.stop()
    with pytest.raises(Stopped):
        status.wait(timeout=10)


def test_an_unfinished_file_is_waited_for(device: Profilometer, tmp_path: Path) -> None:
    device.prepare()
    text = text_of(profile(70.0))
    (tmp_path / "scan.csv").write_text(text[:2000])
    status = device.trigger()
    assert not status.done
    (tmp_path / "scan.csv").write_text(text)
    status.wait(timeout=10)
    assert device.thickness.get() == pytest.approx(70.0, abs=0.01)


def hasty(folder: Path) -> Profilometer:
    clock = Clock(1e6)  # the grace of five real seconds would be waited out
    settings = ProfilometerSettings(patience=1.0)
    return Profilometer("stylus", port=str(folder), settings=settings, clock=clock)


@pytest.mark.slow
def test_a_file_that_stays_unfinished_is_refused_with_its_last_line(
    tmp_path: Path,
) -> None:
    device = hasty(tmp_path)
    device.prepare()
    (tmp_path / "scan.csv").write_text(text_of(profile(70.0))[:2000])
    with pytest.raises(BadReply, match=r"scan\.csv: line .*cut off"):
        device.trigger().wait(timeout=30)


@pytest.mark.slow
def test_no_file_is_a_timeout_that_names_the_folder(tmp_path: Path) -> None:
    device = hasty(tmp_path)
    device.prepare()
    with pytest.raises(LinkTimeout, match=rf"{tmp_path}.*no new file .*last is none"):
        device.trigger().wait(timeout=30)


def test_a_folder_that_is_not_there_is_a_lost_link(tmp_path: Path) -> None:
    device = hasty(tmp_path / "nowhere")
    with pytest.raises(LinkError, match="no such folder"):
        device.connect()


def test_the_program_of_the_last_file_says_who_it_is(
    device: Profilometer, tmp_path: Path
) -> None:
    assert device.connect().model == f"folder {tmp_path.name}"
    drop(tmp_path, "scan", 10.0)
    assert device.connect().model == "P-7 profile export 1.2"


def test_every_field_has_a_unit(device: Profilometer) -> None:
    units = {key: entry["units"] for key, entry in device.describe().items()}
    assert units == {
        "stylus_thickness": "nm",
        "stylus_uncertainty": "nm",
        "stylus_file": "",
    }
