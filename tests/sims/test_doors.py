"""Each instrument has two doors, a pseudo-terminal and a TCP port, and one client."""

from __future__ import annotations

import json
import socket
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import pytest
import serial

from sims.doors import tcp_number
from sims.spec import BadBench
from sims.tcp_server import TcpPort
from tests.conftest import HOUSE, RunningBench

LIMIT = 5.0
Port = serial.SerialBase


def url(bench: RunningBench, name: str) -> str:
    return f"socket://127.0.0.1:{number(bench, name)}"


def number(bench: RunningBench, name: str) -> int:
    card = json.loads((bench.directory / "bench.json").read_text())
    return int(card["tcp"][name])


def opened(port: str) -> Port:
    """Open either door as a serial client does; 7E1 is no trouble on TCP."""
    if port.startswith("socket"):
        return serial.serial_for_url(port, bytesize=7, parity="E", timeout=LIMIT)
    return serial.Serial(port, timeout=LIMIT)


def ask(port: Port, question: bytes, end: bytes = b"\r\n") -> bytes:
    port.write(question)
    return bytes(port.read_until(end))


def is_hung_up_on(number: int) -> bool:
    with socket.create_connection(("127.0.0.1", number), LIMIT) as client:
        return client.recv(1) == b""


def until(condition: Callable[[], bool]) -> bool:
    deadline = time.monotonic() + LIMIT
    while not condition() and time.monotonic() < deadline:
        time.sleep(0.01)
    return condition()


def test_a_tcp_port_is_for_this_computer_alone() -> None:
    port = TcpPort()
    assert port.listener.getsockname() == ("127.0.0.1", port.number)
    port.close()


@pytest.mark.parametrize("tcp", ["5025", 0, 70000, True, 1.5])
def test_a_tcp_port_is_a_number_that_a_port_can_have(tcp: object) -> None:
    with pytest.raises(BadBench, match=r"instruments\.lcr\.tcp: "):
        tcp_number({"tcp": tcp}, "instruments.lcr.tcp")


@pytest.mark.slow
def test_both_doors_lead_to_one_instrument(bench: RunningBench) -> None:
    with opened(url(bench, "anneal_plate")) as port:
        assert ask(port, b"IN_NAME\r\n") == b"C-MAG HS7 \r\n"
        port.write(b"OUT_SP_1 62.5\r\n")
        assert ask(port, b"IN_SP_1\r\n") == b"62.5 1 \r\n"
    with opened(bench.port("anneal_plate")) as port:
        assert ask(port, b"IN_SP_1\r\n") == b"62.5 1 \r\n"


@pytest.mark.slow
def test_connecting_to_the_gantry_brings_the_banner(bench: RunningBench) -> None:
    for _ in range(2):
        with opened(url(bench, "gantry")) as port:
            assert port.read_until(b"help]\r\n") == b"\r\nGrbl 1.1h ['$' for help]\r\n"


@pytest.mark.slow
def test_a_second_client_is_hung_up_on_and_the_first_goes_on(
    bench: RunningBench,
) -> None:
    with opened(url(bench, "spin_coater")) as first:
        for _ in range(3):
            assert is_hung_up_on(number(bench, "spin_coater"))
            assert ask(first, b"r axis0.current_state\n") == b"1\r\n"
    with opened(bench.port("spin_coater")) as first:
        assert ask(first, b"r axis0.current_state\n") == b"1\r\n"
        assert is_hung_up_on(number(bench, "spin_coater"))
        assert ask(first, b"r axis0.current_state\n") == b"1\r\n"


@pytest.mark.slow
def test_a_client_may_come_the_moment_another_has_gone(bench: RunningBench) -> None:
    doors = [url(bench, "spin_coater"), bench.port("spin_coater")]
    for turn in range(12):
        with opened(doors[turn % 3 % 2]) as port:
            assert ask(port, b"r axis0.current_state\n") == b"1\r\n"


@pytest.mark.slow
def test_at_the_pseudo_terminal_one_waits_unheard_until_the_other_has_gone(
    bench: RunningBench,
) -> None:
    with opened(url(bench, "anneal_plate")) as inside:
        assert ask(inside, b"OUT_SP_1 40\r\nIN_SP_1\r\n") == b"40.0 1 \r\n"
        with opened(bench.port("anneal_plate")) as waiting:
            waiting.timeout = 0.1
            assert ask(waiting, b"OUT_SP_1 90\r\nIN_SP_1\r\n") == b""
            assert ask(inside, b"IN_SP_1\r\n") == b"40.0 1 \r\n"
            inside.close()
            assert until(lambda: ask(waiting, b"IN_SP_1\r\n") == b"40.0 1 \r\n")


@pytest.mark.slow
def test_an_unplugged_instrument_refuses_connections_until_it_is_back(
    bench: RunningBench,
) -> None:
    with opened(url(bench, "pump")) as port:
        assert ask(port, b"/1Q\r", b"\n").startswith(b"/0")
        rule = {"instrument": "pump", "kind": "disconnect", "seconds": 200.0}
        faults = bench.directory / "faults.part"
        faults.write_text(json.dumps([rule]))
        faults.replace(bench.directory / "faults.json")
        assert until(
            lambda: any(e["event"] == "faults stated" for e in bench.journal("pump"))
        )
        port.write(b"/1Q\r")
        with pytest.raises(serial.SerialException):
            port.read(1)
    refused = [0]

    def is_back() -> bool:
        try:
            with opened(url(bench, "pump")) as port:
                return ask(port, b"/1Q\r", b"\n").startswith(b"/0")
        except serial.SerialException:
            refused[0] += 1
            return False

    assert until(is_back)
    assert refused[0]


@pytest.mark.slow
def test_a_bench_file_may_fix_the_number_and_a_taken_one_is_refused(
    tmp_path: Path, start_bench: Callable[..., RunningBench]
) -> None:
    free = TcpPort()
    free.close()
    spec = tmp_path / "bench.yaml"
    plate = f"{{panel: ika, port: ports/plate, tcp: {free.number}}}"
    spec.write_text(f"instruments: {{plate: {plate}}}\n")
    bench = start_bench(spec=spec)
    assert number(bench, "plate") == free.number
    done = subprocess.run(
        [sys.executable, "-m", "sims", str(spec), "--dir", str(tmp_path / "other")],
        capture_output=True,
        text=True,
        check=False,
        cwd=HOUSE,
    )
    assert done.returncode == 2
    assert done.stderr == (
        f"instruments.plate.tcp: {free.number} — Address already in use\n"
    )
