"""Which fault happens when, and what the wire makes of it."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from sims import memory
from sims.bench import Bench
from sims.clock import StoppedClock
from sims.spec import BadBench
from tests.sims.desk import Desk
from tests.sims.faulty import (
    ANOTHER,
    LONG,
    QUESTION,
    SPEC,
    WIRED,
    Faulty,
    faults,
    rule,
)

# -- the reply ---------------------------------------------------------------------


@pytest.mark.parametrize("name", WIRED)
def test_a_reply_is_lost_once(name: str, faulty: Faulty) -> None:
    it = faulty(rule(name, "drop"))
    assert it.ask(name, QUESTION[name], LONG) == b""
    assert faults(it, name) == ["drop"]
    assert it.ask(name, QUESTION[name], LONG) == faulty.answer(name, QUESTION[name])


@pytest.mark.parametrize("name", WIRED)
def test_a_reply_is_late_and_what_is_behind_it_too(name: str, faulty: Faulty) -> None:
    it = faulty(rule(name, "delay", seconds=8.0))
    first, second = (
        faulty.answer(name, all_of[name]) for all_of in (QUESTION, ANOTHER)
    )
    assert it.ask(name, QUESTION[name], LONG) == b""
    assert it.ask(name, ANOTHER[name], LONG) == b""
    it.wait(10.0)
    assert it.take(name) == first + second


@pytest.mark.parametrize("name", WIRED)
def test_a_garbled_reply_is_no_other_reply(name: str, faulty: Faulty) -> None:
    it = faulty(rule(name, "garble"))
    right = faulty.answer(name, QUESTION[name])
    heard = it.ask(name, QUESTION[name], LONG)
    assert len(heard) == len(right)
    if name != "eurotherm":  # its end is a checksum
        assert heard[-1:] == right[-1:]
    changed = [new for new, old in zip(heard, right, strict=True) if new != old]
    assert changed
    assert min(changed) >= 0x80


@pytest.mark.parametrize("name", WIRED)
def test_a_truncated_reply_has_no_end(name: str, faulty: Faulty) -> None:
    it = faulty(rule(name, "truncate"))
    right = faulty.answer(name, QUESTION[name])
    heard = it.ask(name, QUESTION[name], LONG)
    assert 0 < len(heard) < len(right)
    assert right.startswith(heard)


@pytest.mark.parametrize("side", ["command", "reply"])
@pytest.mark.parametrize("name", WIRED)
def test_a_duplicate_comes_twice(name: str, side: str, faulty: Faulty) -> None:
    it = faulty(rule(name, "duplicate", side=side))
    right = faulty.answer(name, QUESTION[name])
    assert it.ask(name, QUESTION[name], LONG) == 2 * right
    assert faults(it, name) == ["duplicate"]


@pytest.mark.parametrize("name", WIRED)
def test_an_echo_goes_before_the_answer(name: str, faulty: Faulty) -> None:
    it = faulty(rule(name, "echo"))
    heard = it.ask(name, QUESTION[name], LONG)
    assert heard == QUESTION[name] + faulty.answer(name, QUESTION[name])
    assert faults(it, name) == ["echo"]


@pytest.mark.parametrize("name", WIRED)
def test_a_stale_reply_is_the_one_before(name: str, faulty: Faulty) -> None:
    it = faulty(rule(name, "stale_reply", after=1))
    before = it.ask(name, ANOTHER[name], LONG)
    assert before == faulty.answer(name, ANOTHER[name])
    assert it.ask(name, QUESTION[name], LONG) == before
    assert it.ask(name, QUESTION[name], LONG) == faulty.answer(name, QUESTION[name])


def test_nothing_is_stale_before_anything_was_said(faulty: Faulty) -> None:
    it = faulty(rule("ika", "stale_reply"))
    assert it.ask("ika", b"IN_NAME \r\n", LONG) == b"C-MAG HS7 \r\n"
    assert faults(it, "ika") == []
    assert it.ask("ika", b"IN_SP_3 \r\n", LONG) == b"C-MAG HS7 \r\n"
    assert faults(it, "ika") == ["stale_reply"]


# -- the command -------------------------------------------------------------------


@pytest.mark.parametrize("kind", ["drop", "garble", "truncate"])
@pytest.mark.parametrize("name", WIRED)
def test_a_spoiled_command_is_not_obeyed(name: str, kind: str, faulty: Faulty) -> None:
    it = faulty(rule(name, kind, side="command"))
    right = faulty.answer(name, QUESTION[name])
    assert it.ask(name, QUESTION[name], LONG) != right
    assert faults(it, name) == [kind]
    it.ask(name, b"\r\n", LONG)
    assert it.ask(name, QUESTION[name], LONG).endswith(right)


@pytest.mark.parametrize("name", WIRED)
def test_a_late_command_keeps_its_place(name: str, faulty: Faulty) -> None:
    it = faulty(rule(name, "delay", side="command", seconds=8.0))
    first, second = (
        faulty.answer(name, all_of[name]) for all_of in (QUESTION, ANOTHER)
    )
    assert it.ask(name, QUESTION[name], LONG) == b""
    assert it.ask(name, ANOTHER[name], LONG) == b""
    it.wait(10.0)
    assert it.take(name) == first + second


def test_one_late_command_may_be_late_behind_another(faulty: Faulty) -> None:
    late = rule("ika", "delay", side="command", seconds=5.0, times=2)
    it = faulty(late)
    it.ask("ika", b"IN_NAME\nIN_SP_3\nIN_SP_1\n", 5.5)
    assert it.take("ika") == b""
    assert it.journal("ika")[-1]["command"] == "IN_SP_3"
    it.wait(5.0)
    assert it.take("ika") == b"360.0 3 \r\n0.0 1 \r\n"


# -- checksums ---------------------------------------------------------------------

OEM = b"\x0211?23\x03"
CHECKED = {
    "cavro": OEM + bytes([0x02 ^ 0x31 ^ 0x31 ^ 0x3F ^ 0x32 ^ 0x33 ^ 0x03]),
    "odrive": b"r vbus_voltage *93\n",
}


@pytest.mark.parametrize("name", CHECKED)
def test_a_reply_has_a_wrong_checksum(name: str, faulty: Faulty) -> None:
    it = faulty(rule(name, "wrong_checksum"))
    right = faulty.answer(name, CHECKED[name])
    heard = it.ask(name, CHECKED[name], LONG)
    assert heard != right
    assert heard[:-5] == right[:-5]
    assert it.ask(name, CHECKED[name], LONG) == right


@pytest.mark.parametrize("name", CHECKED)
def test_a_command_with_a_wrong_checksum_is_not_heard(
    name: str, faulty: Faulty
) -> None:
    it = faulty(rule(name, "wrong_checksum", side="command"))
    right = faulty.answer(name, CHECKED[name])
    assert it.ask(name, CHECKED[name], LONG) == b""
    assert it.ask(name, CHECKED[name], LONG) == right


@pytest.mark.parametrize("side", ["command", "reply"])
@pytest.mark.parametrize("name", CHECKED)
def test_what_has_no_checksum_has_no_wrong_one(
    name: str, side: str, faulty: Faulty
) -> None:
    it = faulty(rule(name, "wrong_checksum", side=side))
    assert it.ask(name, QUESTION[name], LONG) == faulty.answer(name, QUESTION[name])
    assert faults(it, name) == []


# -- answers that come later -------------------------------------------------------


def test_the_ok_of_a_slow_line_is_lost_and_no_report_before_it(faulty: Faulty) -> None:
    it = faulty(rule("grbl", "drop", command="G4.*"))
    it.ask("grbl", b"$X\n")
    assert it.ask("grbl", b"G4 P2\nG4 P1\n") == b""
    assert it.ask("grbl", b"?").startswith(b"<Idle|")
    it.wait(2.0)
    assert it.take("grbl") == b""
    assert faults(it, "grbl") == ["drop"]
    it.wait(1.0)
    assert it.take("grbl") == b"ok\r\n"


def test_a_reset_takes_a_fault_with_the_line_it_was_meant_for(faulty: Faulty) -> None:
    it = faulty(rule("grbl", "drop", command="G4.*"))
    it.ask("grbl", b"$X\n")
    it.ask("grbl", b"G4 P2\n")
    assert it.ask("grbl", b"\x18").startswith(b"\r\nGrbl")
    assert faults(it, "grbl") == []
    assert it.ask("grbl", b"G4 P2\n", 3.0) == b""
    assert faults(it, "grbl") == ["drop"]


def test_a_slow_reading_is_late_and_the_query_behind_it_right(faulty: Faulty) -> None:
    it = faulty(rule("keithley2400", "garble", command=r":READ\?"))
    it.ask("keithley2400", b":OUTP ON\n", LONG)
    it.tell("keithley2400", b":READ?\n*STB?\n")
    it.wait(2.0)
    reading, status = it.take("keithley2400").splitlines()
    assert max(reading) >= 0x80
    assert status == b"0"


def test_a_message_may_come_in_pieces(faulty: Faulty) -> None:
    it = faulty(rule("ika", "drop", command="IN_NAME"))
    assert it.ask("ika", b"IN_N", LONG) == b""
    assert it.ask("ika", b"AME \r\nIN_SP_3 \r\n", LONG) == b"360.0 3 \r\n"
    assert it.journal("ika")[-1]["command"] == "IN_NAME"


def test_real_time_characters_do_not_wait_for_the_line(faulty: Faulty) -> None:
    it = faulty(rule("grbl", "drop", command=r"\$I"))
    assert it.ask("grbl", b"$") == b""
    assert it.ask("grbl", b"?").startswith(b"<Alarm|")
    assert it.ask("grbl", b"I\n", LONG) == b""
    assert faults(it, "grbl") == ["drop"]


# -- which and when ----------------------------------------------------------------


def pattern(it: Desk, times: int) -> str:
    heard = [it.ask("ika", b"IN_NAME \r\n", LONG) for _ in range(times)]
    return "".join("x" if one else "." for one in heard)


def test_after_and_times_are_honoured(faulty: Faulty) -> None:
    it = faulty(rule("ika", "drop", after=2, times=3))
    assert pattern(it, 8) == "xx...xxx"


def test_only_what_the_command_says_is_hit(faulty: Faulty) -> None:
    it = faulty(rule("ika", "drop", command=r"IN_SP_\d", times=9))
    assert it.ask("ika", b"IN_NAME \r\n", LONG)
    assert it.ask("ika", b"IN_SP_3 \r\n", LONG) == b""
    assert it.ask("keithley2400", b"*IDN?\n", LONG)


def test_a_fault_that_finds_nothing_to_hit_waits(faulty: Faulty) -> None:
    it = faulty(rule("ika", "drop"))
    it.ask("ika", b"OUT_SP_1 80\r\n", LONG)
    assert faults(it, "ika") == []
    assert it.ask("ika", b"IN_SP_1\r\n", LONG) == b""
    assert it.ask("ika", b"IN_SP_1\r\n", LONG) == b"80.0 1 \r\n"


def test_the_same_seed_gives_the_same_faults(faulty: Faulty) -> None:
    patterns = []
    for seed in (1, 1, 2):
        likely = rule("ika", "drop", chance=0.5, times=1000)
        it = faulty(likely, seed=seed)
        patterns.append(pattern(it, 100))
    assert patterns[0] == patterns[1] != patterns[2]
    assert 30 < patterns[0].count(".") < 70


def test_noise_of_the_same_seed_is_the_same(faulty: Faulty) -> None:
    heard = []
    for seed in (1, 1, 2):
        it = faulty(rule("pm100", "garble"), seed=seed)
        heard.append(it.ask("pm100", b"*IDN?\n", LONG))
    assert heard[0] == heard[1] != heard[2]


def test_one_fault_befalls_a_message_and_the_first_rule_wins(faulty: Faulty) -> None:
    it = faulty(rule("ika", "duplicate"), rule("ika", "drop"))
    assert it.ask("ika", b"IN_NAME\r\n", LONG) == 2 * b"C-MAG HS7 \r\n"
    assert it.ask("ika", b"IN_NAME\r\n", LONG) == b""
    assert faults(it, "ika") == ["duplicate", "drop"]


def test_the_journal_tells_kind_command_and_side(faulty: Faulty) -> None:
    it = faulty(rule("cavro", "drop", side="command", command=r"A\d+R"))
    it.ask("cavro", b"/1A30R\r", LONG)
    (noted,) = it.journal("cavro")
    assert noted["event"] == "fault"
    assert (noted["kind"], noted["command"]) == ("drop", "A30R")
    assert noted["side"] == "command"


def test_a_fault_that_happened_has_happened_when_the_bench_goes_on(
    faulty: Faulty,
) -> None:
    stated = rule("ika", "drop", times=2)
    it = faulty(stated)
    assert pattern(it, 1) == "."
    memory.save(it.bench)
    again = faulty(stated)
    (it.bench.directory / memory.FILE).rename(again.bench.directory / memory.FILE)
    assert memory.recall(again.bench)
    assert pattern(again, 3) == ".xx"
    again.close()


# -- what is refused ---------------------------------------------------------------


@pytest.mark.parametrize(
    ("entry", "message"),
    [
        ({"instrument": "pomp", "kind": "drop"}, "faults[0].instrument: 'pomp'"),
        ({"kind": "drop"}, "faults[0].instrument: expected a text"),
        (
            {"instrument": "ika", "kind": "flood"},
            "faults[0].kind: 'flood' is not one of drop,",
        ),
        (
            rule("grbl", "wrong_checksum"),
            "'wrong_checksum' is not applicable to a grbl",
        ),
        (
            rule("profilometer", "echo"),
            "not applicable to a profilometer; these are: drop",
        ),
        (rule("profilometer", "drop", side="command"), "side: 'command' needs a wire"),
        (rule("ika", "drop", chance=1.5), "faults[0].chance: 1.5 is above 1"),
        (rule("ika", "drop", chance=-1), "faults[0].chance: -1 is below 0"),
        (rule("ika", "drop", times=0), "faults[0].times: 0 is below 1"),
        (rule("ika", "drop", after=1.5), "faults[0].after: 1.5 is not a whole number"),
        (rule("ika", "drop", command="("), "faults[0].command: '(' is not a regular"),
        (rule("ika", "drop", seconds=1.0), "faults[0].seconds: 'drop' takes no time"),
        (rule("ika", "delay", seconds=-1), "faults[0].seconds: -1 is below 0"),
        (rule("ika", "drop", side="left"), "faults[0].side: 'left' is not one of"),
        (rule("ika", "refuse", side="reply"), "faults[0].side: 'refuse' has no side"),
        (rule("ika", "drop", often=1), "faults[0].often: not one of instrument, kind"),
    ],
)
def test_a_bad_rule_is_refused_with_place_value_and_rule(
    entry: dict[str, Any], message: str, tmp_path: Path
) -> None:
    with pytest.raises(BadBench) as refusal:
        Bench(SPEC | {"faults": [entry]}, tmp_path, clock=StoppedClock())
    assert message in str(refusal.value)


def test_faults_are_a_list(tmp_path: Path) -> None:
    with pytest.raises(BadBench, match="faults: expected a list of faults"):
        Bench(SPEC | {"faults": {"kind": "drop"}}, tmp_path, clock=StoppedClock())
