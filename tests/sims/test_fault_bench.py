"""Faults of a bench that runs: plugs that are pulled, rules that come, and kill -9."""

from __future__ import annotations

import json
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import serial

from sims import memory
from sims.bench import FAULTS, Bench
from sims.clock import StoppedClock
from sims.spec import read
from tests.conftest import HOUSE, SIM_BENCH, RunningBench
from tests.sims.faulty import LONG, QUESTION, Faulty, rule

PORTS = {
    "pump": "cavro",
    "gantry": "grbl",
    "anneal_plate": "ika",
    "source_meter": "keithley2400",
    "switch_matrix": "keithley2700",
    "spin_coater": "odrive",
    "power_meter": "pm100",
}
PATIENCE = 20.0


def until(true: Callable[[], Any], what: str) -> None:
    deadline = time.monotonic() + PATIENCE
    while not true():
        assert time.monotonic() < deadline, what
        time.sleep(0.01)


def ask(port: serial.Serial, question: bytes) -> bytes:
    port.write(question)
    return bytes(port.read_until(b"\n"))


def kinds(bench: RunningBench, name: str, event: str) -> list[Any]:
    return [one for one in bench.journal(name) if one["event"] == event]


def with_faults(directory: Path, *rules: dict[str, Any]) -> Path:
    """Return the bench file of the example with faults."""
    path = directory / "bench.yaml"
    text = SIM_BENCH.read_text("utf-8")
    path.write_text(f"{text}\nfaults: {json.dumps(rules)}\n", "utf-8")
    return path


def state(bench: RunningBench, *rules: dict[str, Any]) -> None:
    """Give a running bench its rules, and wait until it has taken them."""
    concerned = {one["instrument"] for one in rules}
    before = {name: len(kinds(bench, name, "faults stated")) for name in concerned}
    part = bench.directory / "faults.part"
    part.write_text(json.dumps(rules))
    part.rename(bench.directory / FAULTS)
    for name in concerned:
        until(
            lambda name=name: len(kinds(bench, name, "faults stated")) > before[name],
            f"{name} did not take its faults",
        )


@pytest.mark.slow
@pytest.mark.parametrize("side", ["command", "reply"])
def test_every_port_vanishes_and_comes_back_under_its_name(
    side: str, start_bench: Callable[..., RunningBench], tmp_path: Path
) -> None:
    rules = [rule(name, "disconnect", side=side, seconds=40.0) for name in PORTS]
    bench = start_bench(speed=100.0, spec=with_faults(tmp_path, *rules))
    for name, dialect in PORTS.items():
        link = Path(bench.port(name))
        with serial.Serial(str(link), 115200, timeout=PATIENCE) as port:
            if name == "gantry":
                assert port.read_until(b"unlock]\r\n")
            with pytest.raises((serial.SerialException, OSError)):
                ask(port, QUESTION[dialect])
            until(link.exists, f"{name} did not come back")
        with serial.Serial(str(link), 115200, timeout=PATIENCE) as port:
            if name == "gantry":
                assert port.read_until(b"unlock]\r\n")
            assert ask(port, QUESTION[dialect])
        assert [one["kind"] for one in kinds(bench, name, "fault")] == ["disconnect"]


@pytest.mark.slow
def test_a_command_is_done_though_its_port_vanishes_with_the_reply(
    start_bench: Callable[..., RunningBench], tmp_path: Path
) -> None:
    rules = [
        rule("anneal_plate", "disconnect", command="START_1", side="reply"),
        rule("treat_plate", "disconnect", command="START_1", side="command"),
    ]
    bench = start_bench(spec=with_faults(tmp_path, *rules))
    for name in ("anneal_plate", "treat_plate"):
        with (
            serial.Serial(bench.port(name), timeout=PATIENCE) as port,
            pytest.raises((serial.SerialException, OSError)),
        ):
            ask(port, b"START_1 \r\n")
    assert kinds(bench, "anneal_plate", "heater on")
    assert not kinds(bench, "treat_plate", "heater on")


@pytest.mark.slow
def test_a_running_bench_takes_the_rules_that_it_is_given(bench: RunningBench) -> None:
    name = b"IN_NAME \r\n"
    with serial.Serial(bench.port("anneal_plate"), timeout=PATIENCE) as port:
        assert ask(port, name) == b"C-MAG HS7 \r\n"
        state(bench, rule("anneal_plate", "duplicate", times=1000))
        for _ in range(2):
            assert ask(port, name) == b"C-MAG HS7 \r\n"
            assert port.read_until(b"\n") == b"C-MAG HS7 \r\n"
        state(bench, rule("anneal_plate", "echo", times=1))
        assert ask(port, name) == name
        assert port.read_until(b"\n") == b"C-MAG HS7 \r\n"
        (bench.directory / FAULTS).unlink()
        until(
            lambda: kinds(bench, "anneal_plate", "faults stated")[-1]["kinds"] == [],
            "the rules did not go with their file",
        )
        assert ask(port, name) == b"C-MAG HS7 \r\n"
    told = [one["kinds"] for one in kinds(bench, "anneal_plate", "faults stated")]
    assert told == [["duplicate"], ["echo"], []]


def test_a_file_that_cannot_be_read_leaves_the_rules_as_they_are(
    faulty: Faulty, capsys: pytest.CaptureFixture[str]
) -> None:
    desk = faulty()
    path = desk.bench.directory / FAULTS
    path.write_text(json.dumps([rule("ika", "drop", times=2)]))
    desk.bench._look_around()
    assert desk.ask("ika", b"IN_NAME\n", LONG) == b""
    path.write_text('[{"instrument": ')
    for _ in range(2):
        desk.bench._look_at = 0.0
        desk.bench._look_around()
    said = capsys.readouterr().err
    assert said.count("\n") == 1
    assert f"{path}: not JSON" in said
    assert desk.ask("ika", b"IN_NAME\n", LONG) == b""
    assert desk.ask("ika", b"IN_NAME\n", LONG) == b"C-MAG HS7 \r\n"


@pytest.mark.slow
@pytest.mark.parametrize(
    ("text", "message"),
    [
        ('[{"instrument": "pomp", "kind": "drop"}]', "[0].instrument: 'pomp'"),
        ('[{"instrument": "gantry", "kind": "wrong_checksum"}]', "not applicable"),
        ("[", "not JSON"),
        ("{}", "expected a list of faults"),
    ],
)
def test_bad_faults_are_refused_at_the_start(
    text: str, message: str, tmp_path: Path
) -> None:
    path = tmp_path / "given.json"
    path.write_text(text)
    command = [
        sys.executable,
        "-m",
        "sims",
        str(SIM_BENCH),
        "--dir",
        str(tmp_path / "run"),
    ]
    done = subprocess.run(
        [*command, "--faults", str(path)],
        capture_output=True,
        text=True,
        check=False,
        cwd=HOUSE,
    )
    assert done.returncode == 2
    assert done.stderr.count("\n") == 1
    assert "given.json" in done.stderr
    assert message in done.stderr


@pytest.mark.slow
def test_a_bench_that_is_killed_still_holds_what_was_done(bench: RunningBench) -> None:
    with serial.Serial(bench.port("pump"), timeout=PATIENCE) as port:

        def do(string: bytes) -> None:
            ask(port, b"/1" + string + b"R\r")
            until(lambda: ask(port, b"/1Q\r")[2] == ord("`"), "the pump is busy")

        do(b"Z1,2,3")
        do(b"I2A1500")
    bench.process.send_signal(signal.SIGKILL)
    bench.process.wait()
    again = Bench(read(SIM_BENCH), bench.directory, clock=StoppedClock())
    assert memory.recall(again)
    assert again.now > 10.0
    pump: Any = again.instruments["pump"]
    assert pump.pump.contents["water"] == pytest.approx(500.0)
    assert pump.pump.place == 0.5
    assert not pump.initialised
    assert again.world.vessels["water"].parts["water"] == pytest.approx(5e6 - 500.0)
    again.close()
