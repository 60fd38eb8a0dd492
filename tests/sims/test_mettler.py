"""The simulated balance weighs, settles and refuses as MT-SICS says."""

from __future__ import annotations

import statistics
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from sims.panels.mettler import Mettler
from tests.sims.desk import Desk

SPEC = {
    "instruments": {
        "balance": {"panel": "mettler", "slot": "pan"},
        "quiet": {"panel": "mettler", "noise": 0.0, "drift": 0.0},
    },
    "slots": {"pan": {"at": [0.0, 0.0, 0.0]}},
}


@pytest.fixture
def desk(tmp_path: Path) -> Iterator[Desk]:
    desk = Desk(tmp_path, SPEC)
    yield desk
    desk.close()


def ask(desk: Desk, text: str, name: str = "quiet", wait: float = 0.1) -> str:
    return desk.ask(name, text.encode() + b"\r\n", wait).decode().removesuffix("\r\n")


def put(desk: Desk, gram: float, name: str = "quiet") -> None:
    panel: Any = desk.bench.instruments[name]
    assert isinstance(panel, Mettler)
    panel.load = gram


def test_a_load_settles_within_seconds(desk: Desk) -> None:
    ask(desk, "SI")
    put(desk, 10.0)
    assert ask(desk, "SI").startswith("S D ")
    desk.wait(3.0)
    assert ask(desk, "SI").startswith("S D ")
    desk.wait(5.0)
    assert ask(desk, "SI") == "S S    10.0000 g"


def test_a_stable_weight_is_waited_for_in_silence(desk: Desk) -> None:
    ask(desk, "SI")
    put(desk, 10.0)
    assert ask(desk, "S") == ""
    desk.wait(3.0)
    assert desk.take("quiet") == b""
    desk.wait(6.0)
    assert desk.take("quiet") == b"S S     9.9998 g\r\n"
    assert ask(desk, "S", wait=1.0) == "S S    10.0000 g"


def test_what_comes_before_the_answer_is_dropped_but_for_a_reset(desk: Desk) -> None:
    ask(desk, "SI")
    put(desk, 10.0)
    ask(desk, "S")
    assert ask(desk, "I11") == ""
    assert ask(desk, "@") == 'I4 A "B123456789"'
    desk.wait(20.0)
    assert desk.take("quiet") == b""
    assert ask(desk, "I11") == 'I11 A "XS205DU"'


def test_what_is_never_still_is_given_up(desk: Desk) -> None:
    ask(desk, "WS 1", wait=3.0)
    assert ask(desk, "S", wait=29.0) == ""
    desk.wait(2.0)
    assert desk.take("quiet") == b"S I\r\n"
    assert ask(desk, "WS 0", wait=3.0) == "WS A"
    assert ask(desk, "S", wait=3.0) == "S S     0.0000 g"


def test_noise_is_a_twentieth_of_a_milligram_and_twenty_times_that_in_a_draft(
    desk: Desk,
) -> None:
    def spread() -> float:
        said = [ask(desk, "SI", "balance") for _ in range(200)]
        return statistics.stdev(float(one.split()[2]) for one in said)

    # The last digit adds its own, and the zero wanders by some hundredths.
    assert spread() == pytest.approx(5.8e-5, rel=0.25)
    ask(desk, "WS 2", "balance", wait=3.0)
    assert spread() == pytest.approx(1e-3, rel=0.25)


def test_the_zero_drifts(desk: Desk) -> None:
    before = ask(desk, "SI", "balance")
    desk.wait(1e6)
    after = ask(desk, "SI", "balance")
    assert abs(float(after.split()[2]) - float(before.split()[2])) > 1e-4


def test_what_evaporates_is_seen_to_become_less(desk: Desk) -> None:
    bench = desk.bench
    bench.world.load_on("pan", lambda: 10.0 - 1e-4 * bench.now)
    ask(desk, "SI", "balance")
    desk.wait(10.0)
    first = float(ask(desk, "SI", "balance").split()[2])
    desk.wait(100.0)
    last = ask(desk, "SI", "balance").split()
    assert first - float(last[2]) == pytest.approx(0.01, abs=5e-4)
    assert last[1] == "S"


def test_what_evaporates_fast_is_never_stable(desk: Desk) -> None:
    bench = desk.bench
    bench.world.load_on("pan", lambda: 10.0 - 5e-4 * bench.now)
    ask(desk, "SI", "balance")
    desk.wait(10.0)
    assert ask(desk, "SI", "balance").startswith("S D ")


@pytest.mark.parametrize(
    ("gram", "answer"), [(220.1, "S +"), (-1.1, "S -"), (219.9, "S S   219.9000 g")]
)
def test_a_load_beyond_the_range_is_told(desk: Desk, gram: float, answer: str) -> None:
    ask(desk, "SI")
    put(desk, gram)
    desk.wait(20.0)
    ask(desk, "SI")
    desk.wait(20.0)
    for command in ("SI", "S"):
        assert ask(desk, command, wait=1.0) == answer


def test_zero_is_set_within_two_percent(desk: Desk) -> None:
    ask(desk, "SI")
    put(desk, 4.0)
    ask(desk, "SI")
    desk.wait(20.0)
    assert ask(desk, "Z", wait=1.0) == "Z A"
    assert ask(desk, "SI") == "S S     0.0000 g"
    put(desk, 9.0)
    ask(desk, "SI")
    desk.wait(20.0)
    assert ask(desk, "ZI") == "ZI +"
    assert ask(desk, "SI") == "S S     5.0000 g"


def test_weights_come_again_and_again_until_another_command(desk: Desk) -> None:
    said = ask(desk, "SIR", wait=2.0)
    assert said.count("S S     0.0000 g") >= 7
    assert ask(desk, "I11").endswith('I11 A "XS205DU"')
    desk.wait(2.0)
    assert desk.take("quiet") == b""


def test_the_list_of_commands_has_an_end(desk: Desk) -> None:
    lines = ask(desk, "I0", wait=3.0).split("\r\n")
    assert lines[0] == 'I0 B 0 "@"'
    assert all(line.startswith("I0 B ") for line in lines[:-1])
    assert lines[-1].startswith("I0 A ")


def test_a_name_is_given(desk: Desk) -> None:
    assert ask(desk, 'I10 "left bench"') == "I10 A"
    assert ask(desk, "I10") == 'I10 A "left bench"'


def test_an_adjustment_can_be_cancelled(desk: Desk) -> None:
    assert ask(desk, "C3") == "C3 B"
    assert ask(desk, "TI") == "TI I"
    ask(desk, "@")
    desk.wait(200.0)
    assert desk.take("quiet") == b""
    assert desk.events("quiet") == []
