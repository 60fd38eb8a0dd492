"""The clients of oven, circulator and balance ask what their transcripts ask."""

from __future__ import annotations

from typing import Any

import pytest

from instruments.errors import BadReply, Fault, Rejected, Restarted
from instruments.eurotherm_3216 import EurothermClient
from instruments.julabo import JulaboClient
from instruments.link import Link
from instruments.mettler_balance import MtSicsClient, Weight
from instruments.modbus import checksum
from tests.instruments.peer import Peer
from tests.instruments.test_transcripts import playing
from tests.transcripts import Line, sections

EUROTHERM = sections("eurotherm")
JULABO = sections("julabo") | sections("julabo_manual")
METTLER = sections("mettler")


def pairs(lines: list[Line]) -> list[list[Line]]:
    """Return questions, each with its answer; pauses are left out."""
    spoken = [line for line in lines if line[0] != "."]
    return [spoken[place : place + 2] for place in range(0, len(spoken), 2)]


# -- oven --------------------------------------------------------------------------


def test_registers_are_read_and_written() -> None:
    ask, write, _, again = pairs(EUROTHERM["Process value and set point"])
    with playing([*ask, *write, *again], EurothermClient) as client:
        assert client.modbus.read(1) == [245]
        client.modbus.write(2, 600)
        assert client.modbus.read(2) == [350]


def test_a_parameter_is_a_float_as_well() -> None:
    with playing(EUROTHERM["Floats"], EurothermClient) as client:
        assert client.as_float(1) == 24.5
        assert client.range() == (0.0, 600.0)
        assert client.as_float(12) == 600.0


def test_exceptions_become_messages() -> None:
    no_register, _, value, count, fixed = pairs(EUROTHERM["Refusals"])
    with playing([*no_register, *value, *count, *fixed], EurothermClient) as client:
        modbus = client.modbus
        with pytest.raises(Rejected, match=r"30000.*no such register \(exception 2\)"):
            modbus.read(30000)
        with pytest.raises(Rejected, match="276 cannot be set to 7: illegal value"):
            modbus.write(276, 7)
        with pytest.raises(Rejected, match=r"illegal value \(exception 3\)"):
            modbus.read(1, 0)
        with pytest.raises(Rejected, match="register 1 cannot be set to 100"):
            modbus.write(1, 100)


def test_a_controller_tells_its_firmware_and_its_range() -> None:
    with playing(EUROTHERM["Identity"], EurothermClient) as client:
        assert client.firmware() == "132"
        assert client.range() == (0.0, 600.0)
        assert client.as_float(12) == 600.0


def test_a_setting_that_is_already_so_is_not_written() -> None:
    title = "A setting is read, written if it differs, and read again"
    with playing(EUROTHERM[title], EurothermClient) as client:
        client.have(199, 1)
        client.have(199, 1)


def test_an_oven_is_heated_by_its_remote_set_point() -> None:
    title = "Heat to 60 degC by the remote set point"
    with playing(EUROTHERM[title], EurothermClient) as client:
        client.have(199, 1)
        client.choose_remote(60.0)
        client.have(276, 1)
        client.have(199, 0)
        state = client.loop()
        assert (state.process_value, state.working, state.output) == (24.5, 60.0, 100.0)
        assert client.trouble() == ""


def test_a_write_whose_answer_is_lost_is_looked_for_and_not_repeated() -> None:
    title = "A setting whose answer is lost is looked for, not repeated"
    before, (write, _), after = pairs(EUROTHERM[title])
    with playing([*before, write, *after, *after], EurothermClient) as client:
        client.choose_remote(60.0)


def framed(text: str) -> bytes:
    body = bytes.fromhex(text)
    return body + checksum(body)


def oven(*answers: bytes) -> Any:
    """Return what a client's question, asked once or again, is answered by in turn."""
    left = list(answers)
    return Peer(lambda came: left.pop(0) if len(came) >= 8 and left else None)


@pytest.mark.parametrize(
    "bad",
    [
        b"\x01\x03\x02\x00\xf5\x78\x04",
        framed("02 03 02 00 F5"),
        framed("01 04 02 00 F5"),
        framed("01 03 04 00 F5 00 F5"),
        framed("01 03 00 01 00 01"),
        b"\xff\xff\xff\xff\xff\xff\xff\xff",
    ],
)
def test_a_frame_that_is_not_the_answer_is_asked_again(bad: bytes) -> None:
    with oven(bad, framed("01 03 02 00 F5")) as peer:
        link = Link(peer.path, timeout=0.5)
        link.open()
        assert EurothermClient(link).modbus.read(1) == [245]
        link.close()
        assert len(peer.heard) == 16


def test_a_write_with_a_wrong_answer_is_not_sent_again() -> None:
    wrong, now = framed("01 06 00 1A 02 57"), framed("01 03 02 02 58")
    with oven(wrong, now) as peer:
        link = Link(peer.path, timeout=0.5)
        link.open()
        EurothermClient(link).modbus.write(26, 600)
        link.close()
        assert peer.heard == framed("01 06 00 1A 02 58") + framed("01 03 00 1A 00 01")


def test_below_zero_is_a_signed_number() -> None:
    with oven(framed("01 03 0A FF CE 00 00 00 00 00 00 FF CE")) as peer:
        link = Link(peer.path, timeout=0.5)
        link.open()
        assert EurothermClient(link).loop().process_value == -5.0
        link.close()


def test_the_status_word_says_what_is_wrong() -> None:
    with oven(framed("01 03 02 00 61")) as peer:
        link = Link(peer.path, timeout=0.5)
        link.open()
        assert EurothermClient(link).trouble() == "sensor break, loop break"
        link.close()


# -- circulator --------------------------------------------------------------------


def test_a_circulator_tells_who_it_is_and_how_it_is() -> None:
    version, (_, status) = pairs(JULABO["Identity"])
    with playing([*version, (">", b"status\r"), status], JulaboClient) as client:
        assert client.version("JULABO CF31") == ("JULABO CF31", "5.0")
        assert client.status() == (2, "02 REMOTE STOP")


def test_a_bath_is_read() -> None:
    bath, power, _ = pairs(JULABO["What the bath shows, readings"])
    with playing([*bath, *power], JulaboClient) as client:
        assert client.temperature(0) == 23.0
        assert client.power() == 0.0


def test_the_warning_limits_are_read() -> None:
    high, low = pairs(JULABO["The warning limits"])
    with playing([*low, *high], JulaboClient) as client:
        assert client.limits() == (-30.0, 200.0)


def test_an_order_is_followed_by_its_reason_and_by_its_value() -> None:
    with playing(JULABO["Set, start, stop"], JulaboClient) as client:
        client.choose(60.0)
        client.run(on=True)
        client.run(on=False)


def test_a_refused_order_says_why() -> None:
    with (
        playing(JULABO["Beyond the warning limits"], JulaboClient) as client,
        pytest.raises(Rejected, match=r"'out_sp_00 201\.00' was refused: -13 VAL"),
    ):
        client.choose(201.0)
    order = [line for line in JULABO["Manual operation"] if line[0] != "."][2:5]
    lines = [*order, (">", b"in_mode_05\r"), ("<", b"0\r\n")]
    with (
        playing(lines, JulaboClient) as client,
        pytest.raises(Rejected, match="refused: -09 COMMAND NOT ALLOWED"),
    ):
        client.run(on=True)


def test_an_order_that_was_not_heard_is_told_once_more() -> None:
    once = b"out_sp_00 60.00\rstatus\r"
    state = [("<", b"02 REMOTE STOP\r\n"), (">", b"in_sp_00\r")]
    lines = [(">", once), *state, ("<", b"25.00\r\n")]
    with playing([*lines, *lines[:-1], ("<", b"60.00\r\n")], JulaboClient) as client:
        client.choose(60.0)
    with (
        playing([*lines, *lines], JulaboClient) as client,
        pytest.raises(Fault, match="said twice and not done; status 02 REMOTE"),
    ):
        client.choose(60.0)


def test_flow_control_characters_are_no_part_of_an_answer() -> None:
    lines = [(">", b"in_sp_00\r"), ("<", b"\x1160.00\x13\r\n")]
    with playing(lines, JulaboClient) as client:
        assert client.set_point() == 60.0


# -- balance -----------------------------------------------------------------------


def test_a_balance_tells_who_it_is() -> None:
    lines = METTLER["Identity"]
    with playing([*lines[:6], *lines[-2:]], MtSicsClient) as client:
        assert client.serial_number() == "B123456789"
        assert client.model() == "XS205DU Excellence 220.0000 g"
        assert client.software() == "3.10 10.28.0.493.142"
        client.cancel()


def test_a_weight_is_read_in_gram() -> None:
    lines = METTLER["A stable weight, at once and when it is stable"][:4]
    with playing(lines, MtSicsClient) as client:
        client.speak_gram()
        assert client.weight() == Weight(100.0003, 1e-4, stable=True)


def test_a_tare_is_taken_told_and_cleared() -> None:
    title = "Tare, and zero"
    taken, net, tare, clear, gross, *_, zero, _ = pairs(METTLER[title])
    lines = [*taken, *net, *tare, *clear, *gross, *zero]
    with playing(lines, MtSicsClient) as client:
        assert client.tare() == Weight(100.0003, 1e-4)
        assert client.weight() == Weight(0.0, 1e-4)
        assert client.known_tare() == 100.0003
        client.clear_tare()
        assert client.weight() == Weight(100.0003, 1e-4)
        with pytest.raises(Rejected, match=r"'ZI' answered 'ZI \+': too much lies on"):
            client.zero()


def test_the_draft_shield_is_closed() -> None:
    with playing(METTLER["Draft shield and display"][:2], MtSicsClient) as client:
        client.close_doors(1.0)


@pytest.mark.parametrize(
    ("answer", "error", "rule"),
    [
        (b"ES", Rejected, "does not know that"),
        (b"EL", Rejected, "cannot do that"),
        (b"S +", Rejected, "too much lies on the pan"),
        (b"S -", Rejected, "too little lies on the pan"),
        (b"S S Error 10b", Fault, "hardware is in trouble"),
        (b"S S   100.0003 mg", Restarted, "not in gram"),
    ],
)
def test_what_a_balance_says_instead_of_a_weight(
    answer: bytes, error: type[Exception], rule: str
) -> None:
    with (
        playing([(">", b"SI\r\n"), ("<", answer + b"\r\n")], MtSicsClient) as client,
        pytest.raises(error, match=rule),
    ):
        client.weight()


def test_a_balance_that_cannot_say_now_is_not_in_trouble() -> None:
    with playing([(">", b"SI\r\n"), ("<", b"S I\r\n")], MtSicsClient) as client:
        assert client.weight() is None


def test_a_transmission_error_is_asked_again() -> None:
    ask = (">", b"SI\r\n")
    lines = [ask, ("<", b"ET\r\n"), ask, ("<", b"S D   100.0003 g\r\n")]
    with playing(lines, MtSicsClient) as client:
        assert client.weight() == Weight(100.0003, 1e-4, stable=False)
    with (
        playing([ask, ("<", b"ET\r\n")] * 3, MtSicsClient) as client,
        pytest.raises(BadReply, match="'SI' answered 'ET'"),
    ):
        client.weight()
