"""``polyloop bench serial``: what our link costs beside a bare pyserial loop.

Each driver asks an instrument of a simulated bench what it is physically doing (or, where
it has nothing to tell, who it is). The same bytes then go over the same port in a loop of
nothing but pyserial's ``write`` and ``read_until``. Both take turns, question by
question, so that only their ratio counts. The clock of the bench is so fast that baud
rates do not: on a real cable one character at 9600 baud takes longer than all of this.
"""

from __future__ import annotations

import statistics
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from bluesky import RunEngine
from bluesky.plan_stubs import trigger_and_read
from bluesky.preprocessors import run_decorator

from instruments.clock import Clock
from instruments.errors import InstrumentError
from instruments.transcript import Transcript
from orchestrator import processes
from orchestrator.config.models import Lab
from orchestrator.errors import CampaignFailed
from orchestrator.lab import build_device
from orchestrator.simulated_bench import bench_command

FLOOR = 0.9
"""Our round trips a second over bare pyserial's, at least."""
SPEED = 1000.0


@dataclass(frozen=True, slots=True)
class Pair:
    """A question and how its answer ends, so many times."""

    question: bytes
    end: bytes
    lines: int


@dataclass(frozen=True, slots=True)
class Speed:
    """Round trips a second of a driver and of bare pyserial, from the median turn.

    ``reading`` is what one `bluesky` event of its readings takes in s, ``direct`` the
    same readings without a run engine; both nan where it reads only while it acts.
    """

    instrument: str
    driver: str
    trips: int
    ours: float
    bare: float
    reading: float
    direct: float

    @property
    def ratio(self) -> float:
        """Ours over pyserial's."""
        return self.ours / self.bare


def speeds(lab: Lab, directory: Path, seconds: float) -> Iterator[Speed]:
    """Yield the speed of each driver of a lab that has a bench.

    Parameters
    ----------
    lab:
        The lab.
    directory:
        An empty directory for its bench.
    seconds:
        Real seconds that each driver is tried, about.
    """
    with ExitStack() as stack:
        command = bench_command(lab, directory, speed=SPEED)
        child = processes.start("bench", command, directory, {})
        stack.callback(child.end)
        child.line_with("ready", 60.0)
        for name in lab.instruments:
            device = build_device(lab, name, Clock(SPEED), directory)
            with _connected(device):
                if device.link.is_open:  # a folder has no cable
                    yield _speed(name, lab.instruments[name].driver, device, seconds)


@contextmanager
def _connected(device: Any) -> Iterator[None]:
    try:
        device.connect()
        device.prepare()
        yield
    except InstrumentError as error:
        raise CampaignFailed(str(error)) from error
    finally:
        device.disconnect()


def _speed(name: str, driver: str, device: Any, seconds: float) -> Speed:
    ask = device.survey if device.survey() else device.identify
    pairs = _recorded(device, ask)

    def bare() -> None:
        for pair in pairs:
            port.write(pair.question)
            for _ in range(pair.lines):
                port.read_until(pair.end)

    loops = _loops(ask, seconds / 3)
    with device.link.lock:
        port = device.link.port
        turns = [(_timed(ask, 1), _timed(bare, 1)) for _ in range(loops)]
    ours, plain = (statistics.median(side) for side in zip(*turns, strict=True))
    reading, direct = _readings(device, seconds / 4)
    trips = sum(pair.lines > 0 for pair in pairs)
    return Speed(
        name,
        driver,
        trips * loops,
        trips / ours,
        trips / plain,
        reading,
        direct,
    )


def _recorded(device: Any, ask: Callable[[], Any]) -> list[Pair]:
    """Return the questions that ``ask`` asks, and the ends of their answers."""
    heard = Transcript()
    device.link.witness = heard.hear
    ask()
    device.link.witness = None
    said = heard.said()
    pairs = []
    for index, (direction, question) in enumerate(said):
        if direction != ">":
            continue
        answer = said[index + 1][1] if index + 1 < len(said) else b""
        end = next((e for e in (b"\x03\r\n", b"\r\n") if answer.endswith(e)), b"")
        end = end or answer[-1:]
        pairs.append(Pair(question, end, answer.count(end) if end else 0))
    return pairs


def _loops(ask: Callable[[], Any], seconds: float) -> int:
    return max(3, round(seconds / max(_timed(ask, 3) / 3, 1e-6)))


def _timed(call: Callable[[], Any], loops: int) -> float:
    began = time.perf_counter()
    for _ in range(loops):
        call()
    return time.perf_counter() - began


def _readings(device: Any, seconds: float) -> tuple[float, float]:
    """Return real seconds a reading, in a run and without; nan where there is none."""

    def direct() -> None:
        device.trigger().wait(10.0)
        device.read()

    try:
        direct()
    except InstrumentError:  # it reads only in the middle of an act
        return float("nan"), float("nan")
    loops = _loops(direct, seconds / 2)
    alone = _timed(direct, loops)

    @run_decorator()  # type: ignore[untyped-decorator]
    def plan() -> Iterator[Any]:
        for _ in range(loops):
            yield from trigger_and_read([device])

    engine = RunEngine({}, context_managers=[])
    began = time.perf_counter()
    engine(plan())
    return (time.perf_counter() - began) / loops, alone / loops
