"""The SCPI drivers against the manual's transcripts, and against a bad end of the cable."""

from __future__ import annotations

import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager

import pytest

from instruments.clock import Clock
from instruments.errors import (
    BadReply,
    Fault,
    LinkTimeout,
    Rejected,
    Stopped,
    WrongModel,
)
from instruments.keithley_2400 import (
    Keithley2400Client,
    SourceMeter,
    SourceMeterSettings,
)
from instruments.keithley_2700 import (
    CONFIGURATIONS,
    Keithley2700Client,
    SwitchMatrix,
    SwitchMatrixSettings,
    channels,
)
from instruments.link import Link
from instruments.scpi import Scpi
from instruments.thorlabs_pm100 import Pm100Client, PowerMeter, PowerMeterSettings
from tests.instruments.peer import Peer
from tests.transcripts import Line, sections

SETTINGS = SourceMeterSettings(max_current=0.01, compliance=10.0, cycles=1.0)
MATRIX = SwitchMatrixSettings(baudrate=9600)
METER = PowerMeterSettings(wavelength=550.0)
CLOCK = Clock(200.0)


@contextmanager
def linked(peer: Peer, timeout: float = 1.0) -> Iterator[Link]:
    with peer:
        link = Link(peer.path, name="it", timeout=timeout)
        link.open()
        try:
            yield link
        finally:
            link.close()


@contextmanager
def script(lines: Sequence[Line]) -> Iterator[Link]:
    """Play a part of a transcript; in the end all of it must have been said."""
    peer = Peer.playing(lines)
    with linked(peer) as link:
        yield link
        for _ in range(100):  # the last words may still be on their way
            if not peer.left or all(not answer for _, answer in peer.left):
                break
            threading.Event().wait(0.01)
    assert peer.wrong == ""
    said = b"".join(data for direction, data in lines if direction == ">")
    assert peer.heard == said


def answering(table: dict[str, str], errors: list[str] | None = None) -> Peer:
    """Return a far end with fixed answers and an error queue."""
    queue = errors if errors is not None else []

    def answer(came: bytes) -> bytes | None:
        if not came.endswith(b"\n"):
            return None
        reply = b""
        for line in came.decode().splitlines():
            if line.upper().endswith("SYST:ERR?"):
                reply += (queue.pop(0) if queue else '0,"No error"').encode() + b"\n"
            elif line in table:
                reply += table[line].encode() + b"\n"
        return reply

    return Peer(answer)


def part(name: str, title: str) -> list[Line]:
    lines = [line for line in sections(name)[title] if line[0] != "."]
    assert lines
    return lines


# -- source-meter ----------------------------------------------------------------------


def test_the_source_meter_says_who_it_is() -> None:
    with script(part("keithley2400", "Identity")) as link:
        identity = Keithley2400Client(link).identity("MODEL 2400")
    assert identity.maker == "KEITHLEY INSTRUMENTS INC."
    assert (identity.model, identity.serial) == ("MODEL 2400", "1234567")
    assert identity.firmware.startswith("C30 ")


def test_the_source_meter_is_configured_to_the_letter_of_the_manual() -> None:
    with script(part("keithley2400", "Current source, four wires")) as link:
        Keithley2400Client(link).configure(compliance=10.0, cycles=1.0)


def test_the_source_meter_reads_both_directions_as_in_the_manual() -> None:
    lines = part("keithley2400", "Both directions, readings")
    begin = lines.index((">", b":SOUR:CURR:RANG 0.0001\n"))
    with script(lines[begin:]) as link:
        client = Keithley2400Client(link)
        client.choose_range(1e-4)
        client.choose_level(1e-4)
        assert client.switch(on=True)
        up = client.read(1.0)
        client.choose_level(-1e-4)
        down = client.read(1.0)
        client.choose_level(0.0)
        assert not client.switch(on=False)
        client.scpi.check("the readings")
    assert (up.voltage, up.current, up.compliance) == (1.000206e-2, 1e-4, False)
    assert (down.voltage, down.current) == (-1.000206e-2, -1e-4)


def test_a_reading_with_the_output_off_is_refused_with_the_instruments_own_words() -> (
    None
):
    lines = part("keithley2400", "A reading with the output off is refused")
    # The transcript reads the queue once; a careful driver asks until it is empty.
    more = [(">", b":SYST:ERR?\n"), ("<", b'0,"No error"\n')]
    with (
        script([*lines[1:], *more]) as link,
        pytest.raises(Rejected, match=r"\+803,.Not permitted with OUTPUT off"),
    ):
        Keithley2400Client(link).read(0.2)


def test_stop_takes_back_the_reading_and_switches_off() -> None:
    lines = part(
        "keithley2400",
        "^C takes back a reading in progress, then the output can be switched off",
    )
    begin = lines.index((">", b"\x03"))
    with script(lines[begin:]) as link:
        client = Keithley2400Client(link)
        client.stop()
        assert not client.output()


@pytest.mark.parametrize(
    ("status", "compliance"),
    [(48132, False), (48132 | 8, True), (48132 | 1 << 16, True)],
)
def test_bits_3_and_16_of_the_status_are_compliance(
    status: int, compliance: bool
) -> None:
    answer = f"+1.000000E+01,+1.000000E-06,{float(status):+.6E}"
    with linked(answering({":READ?": answer})) as link:
        reading = Keithley2400Client(link).read(1.0)
    assert reading.compliance is compliance


def test_an_answer_of_too_few_numbers_is_a_bad_reply_that_shows_it() -> None:
    with (
        linked(answering({":READ?": "+1.0E-02,+1.0E-04"})) as link,
        pytest.raises(BadReply, match="2 numbers, not 3"),
    ):
        Keithley2400Client(link).read(1.0)


def test_a_refused_setting_names_the_command_and_the_error() -> None:
    # The queue holds the error once for the lot, and once for the third command.
    bad, good = '-222,"Parameter data out of range"', '0,"No error"'
    table = {":SYST:RSEN?": "1", ":SOUR:FUNC?": "CURR", ":FORM:ELEM?": "VOLT,CURR,STAT"}
    with (
        linked(answering(table, [bad, good, good, bad, good])) as link,
        pytest.raises(Rejected, match=r"':SYST:RSEN 1' answered -222"),
    ):
        Keithley2400Client(link).configure(10.0, 1.0)


@pytest.mark.parametrize(
    ("error", "kind"),
    [
        ('+802,"OUTPUT blocked by interlock"', Fault),
        ('-240,"Hardware error"', Fault),
        ('-222,"Parameter data out of range"', Rejected),
        ('+510,"Reading buffer data lost"', Rejected),
    ],
)
def test_trouble_with_the_hardware_is_a_fault_and_no_refusal(
    error: str, kind: type[Exception]
) -> None:
    with linked(answering({}, [error])) as link:
        scpi = Keithley2400Client(link).scpi
        with pytest.raises(kind) as raised:
            scpi.check(":OUTP:STAT 1")
    assert type(raised.value) is kind
    assert error in str(raised.value)


def test_a_setting_that_did_not_take_is_a_fault() -> None:
    table = {":SYST:RSEN?": "0", ":SOUR:FUNC?": "CURR", ":FORM:ELEM?": "VOLT,CURR,STAT"}
    with (
        linked(answering(table)) as link,
        pytest.raises(Fault, match=r"':SYST:RSEN\?' answered '0', not '1'"),
    ):
        Keithley2400Client(link).configure(10.0, 1.0)


def test_no_text_can_become_a_second_command() -> None:
    with linked(answering({})) as link:
        for text in (":OUTP 1;:SOUR:CURR 1", "*CLS\n:OUTP 1", "*CLS\r"):
            with pytest.raises(Rejected, match="printable"):
                Scpi(link).tell(text)


def test_silence_is_a_timeout() -> None:
    with linked(Peer(), timeout=0.1) as link, pytest.raises(LinkTimeout):
        Scpi(link).ask("*IDN?")


@contextmanager
def source_meter(peer: Peer) -> Iterator[SourceMeter]:
    with peer:
        device = SourceMeter("smu", port=peer.path, settings=SETTINGS, clock=CLOCK)
        try:
            yield device
        finally:
            device.disconnect()


IDN = "KEITHLEY INSTRUMENTS INC.,MODEL 2400,1,C30"
CONFIGURED = {
    "*IDN?": IDN,
    ":SYST:RSEN?": "1",
    ":SOUR:FUNC?": "CURR",
    ":FORM:ELEM?": "VOLT,CURR,STAT",
    ":OUTP:STAT?": "0",
}


def test_the_client_asks_for_a_voltage_source_as_the_manual_says() -> None:
    with script(part("keithley2400", "Voltage source, two wires")) as link:
        Keithley2400Client(link).configure_voltage(0.01, max_current=0.001, cycles=1.0)


def test_too_much_voltage_is_refused_before_the_first_byte() -> None:
    peer = answering(CONFIGURED)
    with source_meter(peer) as device:
        device.connect()
        device.prepare()
        before = peer.heard
        with pytest.raises(Rejected, match=r"smu: voltage 11 V is outside -10 to 10 V"):
            device.applied.set(11.0)
        assert peer.heard == before


def test_too_much_current_is_refused_before_the_first_byte() -> None:
    peer = answering(CONFIGURED)
    with source_meter(peer) as device:
        device.connect()
        device.prepare()
        before = peer.heard
        with pytest.raises(Rejected, match=r"smu: current 0.02 A is outside -0.01 to"):
            device.level.set(0.02)
        assert peer.heard == before


def test_another_model_is_refused() -> None:
    with (
        source_meter(answering({"*IDN?": "ACME,MODEL 1,2,3"})) as device,
        pytest.raises(WrongModel, match="lab file promises 'MODEL 2400'"),
    ):
        device.connect()


def test_every_field_of_the_source_meter_has_a_unit() -> None:
    device = SourceMeter("smu", port="nowhere", settings=SETTINGS, clock=CLOCK)
    units = {key: entry["units"] for key, entry in device.describe().items()}
    assert units == {"smu_voltage": "V", "smu_current": "A", "smu_compliance": ""}
    config = device.describe_configuration()
    assert config["smu_level"]["units"] == "A"


def test_an_output_that_stays_off_is_a_fault() -> None:
    with source_meter(answering(CONFIGURED)) as device:
        device.connect()
        device.prepare()
        status = device.output.set(1)
        with pytest.raises(Fault, match="output is 0 after ':OUTP:STAT 1'"):
            status.wait(timeout=5)


def test_stop_may_be_called_twice_and_while_a_question_is_under_way() -> None:
    peer = answering({**CONFIGURED, ":OUTP:STAT?": "1"})  # never answers :READ?
    with source_meter(peer) as device:
        device.connect()
        device.prepare()
        status = device.trigger()
        while b":READ?" not in peer.heard:
            threading.Event().wait(0.005)
        device.stop(success=False)
        device.stop(success=True)
        while peer.heard.count(b"\x03:OUTP:STAT 0\n") < 2:
            threading.Event().wait(0.005)
        with pytest.raises(Stopped):
            status.wait(timeout=10)
        with pytest.raises(Rejected, match="was stopped"):
            device.level.set(0.0)


# -- switch matrix ---------------------------------------------------------------------


def test_the_matrix_says_who_it_is_and_which_cards_it_has() -> None:
    with script(part("keithley2700", "Identity")) as link:
        client = Keithley2700Client(link)
        assert client.identity("MODEL 2700").serial == "1234567"
        assert client.cards() == ["7709", "NONE"]


def matrix_on(link: Link) -> SwitchMatrix:
    device = SwitchMatrix("matrix", port=link.url, settings=MATRIX, clock=CLOCK)
    device.link = link
    return device


def test_the_matrix_opens_everything_at_the_start_as_in_the_manual() -> None:
    with script(part("keithley2700", "Everything open")) as link:
        device = matrix_on(link)
        device.prepare()
        assert device.configuration.get() == "open"


def test_the_matrix_opens_then_closes_then_waits_for_each_configuration() -> None:
    lines = part("keithley2700", "The four configurations")
    with script(lines) as link:
        device = matrix_on(link)
        for configuration in (*CONFIGURATIONS, "open"):
            device.choose(configuration).wait(timeout=5)
            assert device.configuration.get() == configuration
        device.client.scpi.check("the end")


@pytest.mark.parametrize("slot", [1, 2])
def test_a_configuration_never_joins_two_rows_or_two_columns(slot: int) -> None:
    for configuration in CONFIGURATIONS:
        inside = [one - 100 * slot - 1 for one in channels(configuration, slot)]
        assert sorted(one // 8 for one in inside) == [0, 1, 2, 3]
        assert sorted(one % 8 for one in inside) == [0, 1, 2, 3]


def test_relays_that_do_not_close_are_a_fault_that_names_them() -> None:
    with linked(answering({"*OPC?": "1", ":ROUT:MULT:CLOS?": "(@101,110)"})) as link:
        status = matrix_on(link).choose("R12,43")
        with pytest.raises(Fault, match=r"\(@101,110\) is closed, not \(@101,110,120"):
            status.wait(timeout=5)


def test_an_unknown_configuration_is_refused_before_the_first_byte() -> None:
    peer = answering({})
    with linked(peer) as link, pytest.raises(Rejected, match="'R13,24' is none of"):
        matrix_on(link).configuration.set("R13,24")
    assert peer.heard == b""


def test_a_missing_card_is_another_model() -> None:
    table = {
        "*IDN?": "KEITHLEY INSTRUMENTS INC.,MODEL 2700,1,B09",
        "*OPT?": "NONE,7709",
    }
    with (
        linked(answering(table)) as link,
        pytest.raises(WrongModel, match="promises a 7709 in slot 1"),
    ):
        matrix_on(link).connect()


# -- power meter -----------------------------------------------------------------------


def test_the_power_meter_says_who_it_is_and_which_head_it_has() -> None:
    with script(part("pm100", "Identity")) as link:
        client = Pm100Client(link)
        assert client.identity("PM").model == "PM100D"
        assert client.head() == "S120VC"


def test_the_power_meter_is_configured_to_the_letter_of_the_manual() -> None:
    title = "Watts, at the wavelength of the lamp, in whatever range fits"
    with script(part("pm100", title)) as link:
        Pm100Client(link).configure(550.0, 100)


def test_the_power_meter_reads_watts_and_its_stored_zero() -> None:
    lines = part("pm100", "Light and the stored zero, readings")
    begin = lines.index((">", b"READ?\n"))
    kept = [*lines[begin : begin + 2], *lines[begin + 4 :]]
    with script(kept) as link:
        client = Pm100Client(link)
        assert client.power(1.0) == 1.20345678e-3
        assert client.dark() == 2.1e-9


def meter_on(link: Link, settings: PowerMeterSettings = METER) -> PowerMeter:
    device = PowerMeter("pm", port=link.url, settings=settings, clock=CLOCK)
    device.link = link
    return device


def test_an_over_range_reading_is_a_fault_not_a_power() -> None:
    with (
        linked(answering({"READ?": "9.9E37"})) as link,
        pytest.raises(Fault, match="over range"),
    ):
        meter_on(link).trigger().wait(timeout=5)


def test_a_wavelength_that_the_head_cannot_see_is_refused() -> None:
    table = {
        "SENS:POW:UNIT?": "W",
        "SENS:CORR:WAV? MIN": "2.00000000E+02",
        "SENS:CORR:WAV? MAX": "1.10000000E+03",
    }
    peer = answering(table)
    with linked(peer) as link:
        device = meter_on(link, PowerMeterSettings(wavelength=1500.0))
        with pytest.raises(Rejected, match="wavelength 1500 nm is outside 200 to 1100"):
            device.prepare()
    assert b"SENS:CORR:WAV 1500" not in peer.heard


def test_a_power_meter_without_a_head_is_refused() -> None:
    table = {
        "*IDN?": "THORLABS,PM100D,1,2.4.0",
        "SYST:SENS:IDN?": '"no sensor","","",0,0,0',
    }
    with (
        linked(answering(table)) as link,
        pytest.raises(WrongModel, match="no head"),
    ):
        meter_on(link).connect()
