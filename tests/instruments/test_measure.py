"""Plans that measure, with the lab file's own drivers, on simulated instruments."""

from __future__ import annotations

import json
import threading
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import pytest
from bluesky import RunEngine
from bluesky.preprocessors import run_wrapper
from bluesky.utils import FailedStatus

from instruments.clock import Clock
from instruments.errors import Rejected
from instruments.plans.measure import light, step_height, van_der_pauw
from orchestrator.analysis import film
from orchestrator.analysis.van_der_pauw import analyse, sheet_resistance
from orchestrator.config.read_lab import load_lab
from orchestrator.lab import build_device
from orchestrator.records import Document
from sims.bench import Bench
from sims.spec import read
from tests.conftest import HOUSE, SIM_BENCH
from tests.sims.film import Film

SPEED = 400.0
NAMES = ("source_meter", "switch_matrix", "power_meter", "profilometer")


class Measuring:
    """A bench in a thread of this process, so that a test can lay films on it."""

    def __init__(self, directory: Path) -> None:
        self.bench = Bench(read(SIM_BENCH), directory, SPEED)
        self.directory = directory
        self.bench.start()
        self._thread = threading.Thread(target=self.bench.run)
        self._thread.start()
        lab = load_lab(HOUSE / "lab_configs" / "sim_bench" / "lab.yaml")
        clock = Clock(SPEED)
        self.devices: Mapping[str, Any] = {
            name: build_device(lab, name, clock, directory) for name in NAMES
        }

    def open(self) -> None:
        for device in self.devices.values():
            device.connect()
            device.prepare()

    def put(self, slot: str, made: Film | None) -> None:
        place: Any = self.bench.world.slots[slot]
        place.sample = made

    def bring(self, slot: str, made: Film) -> None:
        """Have the gripper put a film down, on the bench's own thread."""

        def act() -> None:
            world: Any = self.bench.world
            world.carried = made
            world.release(world.slots[slot].at, by="gantry")

        self.bench.later(0.0, act)

    def journal(self, name: str) -> list[dict[str, Any]]:
        path = self.directory / "journal" / f"{name}.jsonl"
        if not path.exists():
            return []
        return [json.loads(line) for line in path.read_text().splitlines()]

    def run(self, plan: Any) -> list[Document]:
        documents: list[Document] = []
        engine = RunEngine({}, context_managers=[])
        engine.subscribe(lambda name, body: documents.append((name, body)))
        engine(run_wrapper(plan))
        return documents

    def probe(self, current: float = 1e-4) -> list[Document]:
        meter, matrix = self.devices["source_meter"], self.devices["switch_matrix"]
        return self.run(van_der_pauw(meter, matrix, current=current))

    def comes_to(self, name: str, event: str) -> None:
        """Wait until this is the last that an instrument did: bytes take their time."""
        for _ in range(1000):
            if self.journal(name)[-1]["event"] == event:
                return
            threading.Event().wait(0.01)
        raise AssertionError(f"{name}: {self.journal(name)[-3:]}")

    def close(self) -> None:
        for device in self.devices.values():
            device.stop()
            device.disconnect()
        self.bench.stop()
        self._thread.join()


@pytest.fixture
def lab(tmp_path: Path) -> Iterator[Measuring]:
    made = Measuring(tmp_path)
    try:
        made.open()
        yield made
    finally:
        made.close()


@pytest.mark.parametrize(
    ("r_a", "r_b"), [(5.0, 6.0), (20.0, 14.0), (900.0, 1500.0), (3e4, 2e4)]
)
def test_sheet_resistance_is_that_of_the_film_within_its_uncertainty(
    lab: Measuring, r_a: float, r_b: float
) -> None:
    lab.put("probe", Film(r_a=r_a, r_b=r_b))
    found = analyse({"film": lab.probe()}, {})
    truth = sheet_resistance(r_a, r_b)
    assert found.believed, found.doubts
    assert found.details["readings"] == 16
    assert found.value == pytest.approx(truth, abs=4 * found.std)
    assert found.std < 0.01 * truth


def test_a_film_of_large_resistance_is_read_at_a_smaller_current(
    lab: Measuring,
) -> None:
    lab.put("probe", Film(r_a=4e5, r_b=5e5))
    documents = lab.probe()
    found = analyse({"film": documents}, {})
    assert found.believed, found.doubts
    assert found.details["current_A"] < 2e-6
    assert found.value == pytest.approx(sheet_resistance(4e5, 5e5), rel=0.02)
    streams = {body["name"] for name, body in documents if name == "descriptor"}
    assert streams == {"primary", "ranging"}


def test_relays_switch_only_while_the_output_is_off_and_all_ends_safe(
    lab: Measuring,
) -> None:
    lab.put("probe", Film())
    lab.probe()
    events = lab.journal("source_meter") + lab.journal("switch_matrix")
    output = False
    moved = 0
    for line in sorted(events, key=lambda line: (line["t"], line["wall"])):
        if line["event"] in ("output on", "output off"):
            output = line["event"] == "output on"
        elif line["event"].startswith("relays"):
            assert not output, line
            moved += 1
    assert not output
    assert moved >= 16
    assert lab.journal("switch_matrix")[-1]["event"] == "relays opened"


def test_a_bad_contact_is_not_believed(lab: Measuring) -> None:
    lab.put("probe", Film(bad_contact=3))
    assert not analyse({"film": lab.probe()}, {}).believed


def test_pins_in_the_air_are_not_believed_and_give_a_finite_number(
    lab: Measuring,
) -> None:
    lab.put("probe", None)
    found = analyse({"film": lab.probe()}, {})
    assert not found.believed
    assert found.value > 1e6
    assert any("voltage limit" in doubt for doubt in found.doubts)


def test_too_large_a_current_fails_the_run_with_the_output_off(lab: Measuring) -> None:
    with pytest.raises(Exception, match=r"current 0.5 A is outside"):
        lab.probe(current=0.5)
    assert not any(line["event"] == "output on" for line in lab.journal("source_meter"))


@pytest.mark.slow
def test_stopping_in_the_middle_switches_off_at_once_and_opens_the_relays(
    lab: Measuring,
) -> None:
    lab.put("probe", Film())

    def stop_soon() -> None:
        while len(lab.journal("source_meter")) < 8:
            threading.Event().wait(0.005)
        for name in ("source_meter", "switch_matrix"):
            lab.devices[name].stop()
            lab.devices[name].stop()

    stopper = threading.Thread(target=stop_soon)
    stopper.start()
    with pytest.raises((FailedStatus, Rejected)):  # under way, or at the next word
        lab.probe()
    stopper.join()
    lab.comes_to("source_meter", "output off")
    lab.comes_to("switch_matrix", "relays opened")
    lab.open()  # and it works again once it is prepared
    assert analyse({"film": lab.probe()}, {}).believed


def test_transmittance_is_that_of_the_film(lab: Measuring) -> None:
    meter = lab.devices["power_meter"]
    lab.put("optics", None)
    reference = lab.run(light(meter))
    lab.put("optics", Film(transmittance=0.83))
    sample = lab.run(light(meter))
    found = film.transmittance({"reference": reference, "sample": sample}, {})
    assert found.believed, found.doubts
    assert found.value == pytest.approx(0.83, abs=4 * found.std)
    events = [body for name, body in sample if name == "event"]
    assert len(events) == 10
    keys = next(body for name, body in sample if name == "descriptor")["data_keys"]
    assert {key: one["units"] for key, one in keys.items()} == {
        "power_meter_power": "W",
        "power_meter_dark": "W",
    }


def test_thickness_is_that_of_the_film_and_each_file_counts_once(
    lab: Measuring,
) -> None:
    found = []
    for nm in (80.0, 45.0):
        lab.put("stylus", None)
        lab.bring("stylus", Film(thickness=nm))
        documents = lab.run(step_height(lab.devices["profilometer"]))
        found.append(film.step_height({"profile": documents}, {}))
        assert found[-1].value == pytest.approx(nm, abs=4 * found[-1].std)
        assert found[-1].believed
    assert [one.details["file"] for one in found] == ["scan_0001.csv", "scan_0002.csv"]
