"""Whatever an instrument answers, a client answers with a value or an InstrumentError."""

from __future__ import annotations

import contextlib
from collections.abc import Callable
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from instruments.cavro_client import CavroClient
from instruments.e4980a_client import E4980aClient
from instruments.errors import InstrumentError
from instruments.eurotherm_3216 import EurothermClient
from instruments.grbl_gantry import GrblClient
from instruments.ika_hotplate import IkaClient
from instruments.julabo import JulaboClient
from instruments.keithley_2400 import Keithley2400Client
from instruments.keithley_2700 import Keithley2700Client
from instruments.link import Link
from instruments.mettler_balance import MtSicsClient
from instruments.new_era_pump import NewEraClient
from instruments.odrive_client import ODriveClient, checksum
from instruments.relay import RelayClient
from instruments.thorlabs_pm100 import Pm100Client
from tests.instruments.peer import Peer

QUESTIONS: dict[str, tuple[type[Any], tuple[Callable[[Any], object], ...], bytes]] = {
    "pump": (
        CavroClient,
        (
            CavroClient.ready,
            CavroClient.position,
            CavroClient.firmware,
            CavroClient.initialised,
        ),
        b"\x03\r\n",
    ),
    "gantry": (
        GrblClient,
        (
            GrblClient.seen,
            GrblClient.version,
            GrblClient.gripper,
            lambda client: client.value("$22"),
        ),
        b"\r\n",
    ),
    "spin_coater": (
        ODriveClient,
        (
            ODriveClient.estimates,
            ODriveClient.errors,
            ODriveClient.identity,
            ODriveClient.goal,
        ),
        b"\r\n",
    ),
    "hotplate": (
        IkaClient,
        (
            IkaClient.set_temperature,
            lambda client: client.name("C-MAG HS7"),
            lambda client: client.feed_watchdog(60),
        ),
        b"\r\n",
    ),
    "oven": (
        EurothermClient,
        (
            EurothermClient.loop,
            EurothermClient.trouble,
            lambda client: client.as_float(12),
            lambda client: client.modbus.write(26, 600),
        ),
        b"",
    ),
    "circulator": (
        JulaboClient,
        (
            JulaboClient.status,
            JulaboClient.set_point,
            JulaboClient.runs,
            lambda client: client.version("JULABO CF31"),
        ),
        b"\r\n",
    ),
    "balance": (
        MtSicsClient,
        (
            MtSicsClient.weight,
            MtSicsClient.tare,
            MtSicsClient.known_tare,
            MtSicsClient.serial_number,
        ),
        b"\r\n",
    ),
    "infusion_pump": (
        NewEraClient,
        (
            NewEraClient.wake,
            NewEraClient.state,
            NewEraClient.volumes,
            lambda client: client.told("RAT"),
            NewEraClient.halt,
        ),
        b"\x03",
    ),
    "vacuum": (RelayClient, (RelayClient.closed,), b"\r\n"),
    "analyser": (
        E4980aClient,
        (
            lambda client: client.measure(0.02),
            lambda client: client.fetch_list(2, 0.02),
            lambda client: client.choose(":FREQ", 1e3),
            E4980aClient.options,
            E4980aClient.current,
        ),
        b"\n",
    ),
    "source_meter": (
        Keithley2400Client,
        (
            lambda client: client.read(0.02),
            Keithley2400Client.output,
            lambda client: client.identity("MODEL 2400"),
        ),
        b"\n",
    ),
    "switch_matrix": (
        Keithley2700Client,
        (
            Keithley2700Client.closed,
            Keithley2700Client.cards,
            Keithley2700Client.wait,
            lambda client: client.scpi.check("it"),
        ),
        b"\n",
    ),
    "power_meter": (
        Pm100Client,
        (
            lambda client: client.power(0.02),
            Pm100Client.head,
            lambda client: client.reads_at(550.0),
        ),
        b"\n",
    ),
}

WORDS = (
    "/0` /0@ <Idle|MPos: | , 1 -2.5 nan inf 9e99 ok error:9 ALARM:1 [GC: [VER: ] > $22= "
    '* 0,"No 100" -113,"x" (@101) \x02 00S A?R SI0.5W0UL CH1: CH2: ON 1E3,2E2,+0'
)
ODD = (b" ", b"\xff", b"\x00", b"\r", b"\n")
PIECES = st.sampled_from([*(word.encode() for word in WORDS.split()), *ODD])
ANSWERS = st.lists(PIECES | st.binary(max_size=6), max_size=8).map(b"".join)


@pytest.mark.slow  # nonsense is asked about again, and waited for
@pytest.mark.parametrize("name", QUESTIONS)
@settings(
    max_examples=25,
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture],
)
@given(answers=st.lists(ANSWERS, min_size=1, max_size=4), checked=st.booleans())
def test_nonsense_is_an_instrument_error(
    monkeypatch: pytest.MonkeyPatch, name: str, answers: list[bytes], checked: bool
) -> None:
    monkeypatch.setattr("instruments.link.SLICE", 0.002)
    monkeypatch.setattr("instruments.link.SILENCE", 0.001)
    monkeypatch.setattr("instruments.scpi.SILENCE", 0.001)
    monkeypatch.setattr("instruments.modbus.GAP", 0.0)
    kind, questions, end = QUESTIONS[name]
    turn = 0

    def answer(_: bytes) -> bytes:
        nonlocal turn
        turn += 1
        body = answers[turn % len(answers)]
        if checked:
            body += b"*%d" % checksum(body.decode("latin-1"))
        return body + end

    with Peer(answer) as peer:
        link = Link(peer.path, timeout=0.02, quiet=0.001)
        link.open()
        client = kind(link)
        for ask in questions:
            with contextlib.suppress(InstrumentError):
                ask(client)
        link.close()
