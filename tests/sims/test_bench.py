"""The bench as a process: ports, time and an orderly end."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import pytest
import serial

from sims.bench import Bench
from sims.clock import StoppedClock
from sims.spec import BadBench, grid
from tests.conftest import HOUSE, RunningBench


def ask(port: serial.Serial, question: bytes, end: bytes = b"\r\n") -> bytes:
    port.write(question)
    return bytes(port.read_until(end))


def processor_seconds(process: int) -> float:
    fields = Path(f"/proc/{process}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def test_things_happen_in_the_order_of_bench_time(tmp_path: Path) -> None:
    clock = StoppedClock()
    bench = Bench({}, tmp_path, clock=clock)
    seen: list[float] = []
    for seconds in (3.0, 1.0, 2.0):
        bench.later(seconds, lambda: seen.append(bench.now))
    bench.later(2.5, lambda: seen.append(-1.0)).cancel()
    clock.time = 10.0
    bench.run_due()
    assert seen == [1.0, 2.0, 3.0]
    assert bench.now == 10.0


def test_chance_depends_on_seed_and_name_alone(tmp_path: Path) -> None:
    one, two, other = (Bench({}, tmp_path, seed=seed) for seed in (1, 1, 2))
    two.rng("something else").random()
    draw = one.rng("plate").random()
    assert two.rng("plate").random() == draw
    assert other.rng("plate").random() != draw


def test_a_grid_is_counted_along_x_first() -> None:
    entry = {"at": [-60, -220, -90], "columns": 3, "rows": 2, "pitch": -30}
    places = grid("rack", entry, "slots.rack")
    assert places["rack.1"] == (-60, -220, -90)
    assert places["rack.3"] == (-120, -220, -90)
    assert places["rack.4"] == (-60, -250, -90)


@pytest.mark.parametrize(
    ("spec", "message"),
    [
        (
            {"instruments": {"it": {"panel": "teapot"}}},
            "instruments.it.panel: 'teapot'",
        ),
        ({"slots": {"a": {"at": [1, 2]}}}, "slots.a.at: expected"),
        (
            {"instruments": {"it": {"panel": "cavro"}}},
            "instruments.it.syringe: expected",
        ),
        ({"liquids": {"ink": {"place": "shelf.9", "volume": 1}}}, "there is no vial"),
        ({"instruments": [1]}, "instruments: expected keys and values"),
    ],
)
def test_a_bad_bench_is_refused_with_place_value_and_rule(
    spec: dict[str, object], message: str, tmp_path: Path
) -> None:
    with pytest.raises(BadBench) as refusal:
        Bench(spec, tmp_path)
    assert message in str(refusal.value)


@pytest.mark.slow
def test_a_bad_bench_file_ends_with_one_line_and_code_two(tmp_path: Path) -> None:
    file = tmp_path / "bench.yaml"
    file.write_text("instruments: {it: {panel: teapot}}\n")
    done = subprocess.run(
        [sys.executable, "-m", "sims", str(file), "--dir", str(tmp_path / "run")],
        capture_output=True,
        text=True,
        check=False,
        cwd=HOUSE,
    )
    assert done.returncode == 2
    assert done.stderr.count("\n") == 1
    assert done.stderr.startswith("bench.yaml: instruments.it.panel: 'teapot'")


@pytest.mark.slow
def test_every_port_opens_again_with_seven_bits_and_parity(bench: RunningBench) -> None:
    for _ in range(5):
        with serial.Serial(
            bench.port("anneal_plate"), 9600, bytesize=7, parity="E", timeout=2
        ) as port:
            assert ask(port, b"IN_NAME \r\n").startswith(b"C-MAG")
        time.sleep(0.02)


@pytest.mark.slow
def test_a_question_is_answered_at_once(bench: RunningBench) -> None:
    with serial.Serial(bench.port("spin_coater"), timeout=2) as port:
        for _ in range(100):
            assert ask(port, b"r axis0.current_state\n") == b"1\r\n"


@pytest.mark.slow
def test_opening_the_gantry_brings_the_banner(bench: RunningBench) -> None:
    for _ in range(2):
        with serial.Serial(bench.port("gantry"), 115200, timeout=2) as port:
            port.write(b"$I\n")
            heard = port.read_until(b"ok\r\n")
            assert heard.startswith(b"\r\nGrbl 1.1h ['$' for help]\r\n")
            assert b"[VER:1.1h" in heard
        time.sleep(0.02)


@pytest.mark.slow
def test_an_idle_bench_costs_next_to_nothing(bench: RunningBench) -> None:
    with serial.Serial(bench.port("pump")):
        before = processor_seconds(bench.process.pid)
        time.sleep(1.0)
        assert processor_seconds(bench.process.pid) - before < 0.3


@pytest.mark.slow
def test_the_bench_takes_its_ports_away_when_it_ends(
    start_bench: Callable[..., RunningBench],
) -> None:
    bench = start_bench()
    links = list((bench.directory / "ports").iterdir())
    assert len(links) == 9
    bench.process.terminate()
    assert bench.process.wait(timeout=10) == 0
    assert not list((bench.directory / "ports").iterdir())


@pytest.mark.slow
def test_the_bench_dies_with_its_parent(tmp_path: Path) -> None:
    spec = HOUSE / "lab_configs" / "sim_bench" / "bench.yaml"
    code = (
        "import subprocess, sys, os\n"
        f"p = subprocess.Popen([sys.executable, '-m', 'sims', {str(spec)!r}, '--dir',"
        f" {str(tmp_path)!r}], stdout=subprocess.PIPE, text=True)\n"
        "while p.stdout.readline() != 'ready\\n': pass\n"
        "print(p.pid, flush=True)\n"
        "os._exit(0)\n"
    )
    parent = subprocess.run(
        [sys.executable, "-c", code],
        capture_output=True,
        text=True,
        check=True,
        cwd=HOUSE,
    )
    child = Path("/proc") / parent.stdout.strip() / "cmdline"
    deadline = time.monotonic() + 10
    while child.exists() and child.read_bytes():
        assert time.monotonic() < deadline
        time.sleep(0.02)
