"""A lab with its instruments open: connected, identified, prepared, and closed again.

Whatever is opened is closed, whatever happens: leaving an `OpenLab` puts every device
in its safe state, then closes every link, in reverse.
"""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from pathlib import Path
from types import TracebackType
from typing import Any, Self

from ophyd import Device

from instruments.clock import Clock
from instruments.errors import InstrumentError
from instruments.link import Identity
from orchestrator.config.models import Lab
from orchestrator.config.models import Station as StationConfig
from orchestrator.errors import Refused
from orchestrator.lab import build_devices
from orchestrator.resolve import build_plan
from orchestrator.station.acts import ActLedger, ActRecord, ActState
from orchestrator.station.engine import Station, Survey, judge_act, make_safe, survey
from orchestrator.station.estop import Latch
from orchestrator.station.journal import Journal, read_marks, run_of

log = logging.getLogger(__name__)


class OpenLab:
    """The devices and stations of one lab, owned by this process alone.

    Parameters
    ----------
    lab:
        The lab as its file describes it.
    data:
        The data directory; acts and documents go below ``station/`` in it.
    ports:
        Where relative ports and folders are; the run directory of a simulated bench.
    speed:
        Lab seconds per real second: 1 on every real lab.
    """

    def __init__(self, lab: Lab, data: Path, ports: Path, speed: float = 1.0) -> None:
        self.lab = lab
        self.clock = Clock(speed)
        self.journals = data / "station" / "journal"
        self.acts = ActLedger(data / "station" / "acts.db")
        self.latch = Latch(data)
        self.devices: dict[str, Device] = build_devices(lab, self.clock, ports)
        self.identities: dict[str, Identity] = {}
        self.stations: dict[str, Station] = {}
        self.found: dict[str, Survey] = {}
        self._exit = ExitStack()
        self._exit.callback(self.acts.close)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._exit.close()

    def connect(self) -> dict[str, Identity]:
        """Open every link and ask who is there; nothing moves.

        Raises
        ------
        Refused
            Naming each instrument that does not answer, or is not what the file says.
        """
        troubles: list[str] = []

        def connect(name: str) -> None:
            device = self.devices[name]
            self._exit.callback(device.disconnect)
            try:
                self.identities[name] = device.connect()
            except InstrumentError as error:
                troubles.append(f"{self.lab.path}: instruments.{name}: {error}")

        self._each(connect)
        if troubles:
            raise Refused("\n".join(sorted(troubles)))
        return self.identities

    def reconcile(self) -> None:
        """Say what became of every act that an earlier life of this service left open.

        The instruments are asked before anything moves them: what they remember (where
        a plunger stands, how far a chuck has turned) is gone once they are prepared.
        """
        with ThreadPoolExecutor(max_workers=len(self.lab.stations) or 1) as pool:
            every = pool.map(self._survey, self.lab.stations.values())
            self.found = dict(zip(self.lab.stations, every, strict=True))
        for act in self.acts.unfinished():
            self.acts.update(act, ended=time.time(), **self._came_of(act))

    def _survey(self, station: StationConfig) -> Survey:
        roles = station.instruments.items()
        return survey({role: self.devices[name] for role, name in roles})

    def _came_of(self, act: ActRecord) -> dict[str, Any]:
        if not act.begun:
            why = "not begun: the station service ended"
            return {"state": ActState.ABORTED, "reason": why}
        found = self.found.get(act.station, {})
        uid = run_of(self.journals, act.action, act.sent or 0.0)
        marks = read_marks(self.journals, uid) if uid else []
        return {
            "state": ActState.LOST,
            "reason": "nobody saw its end: the station service died",
            "run_uid": uid,
            "lab_seconds": (time.time() - (act.sent or 0.0)) * self.clock.speed,
            "verdict": judge_act(act, marks, found, self.clock.speed),
        }

    def prepare(self) -> None:
        """Bring every instrument to its starting state and open the stations.

        Raises
        ------
        Refused
            Naming each instrument that could not be prepared.
        """
        troubles: list[str] = []

        def prepare(name: str) -> None:
            try:
                self.devices[name].prepare()
            except InstrumentError as error:
                troubles.append(f"{self.lab.path}: instruments.{name}: {error}")

        self._exit.callback(make_safe, self.devices.values())
        if self.latch.held is None:
            self._each(prepare)
        if troubles:
            raise Refused("\n".join(sorted(troubles)))
        for name, station in self.lab.stations.items():
            if not station.operations:
                continue
            roles = {
                role: self.devices[instrument]
                for role, instrument in station.instruments.items()
            }
            opened = Station(name, roles, self.acts, Journal(self.journals), self.clock)
            self.stations[name] = opened
            self._exit.callback(opened.close)

    def plan(
        self, station: str, operation: str, parameters: Mapping[str, Any]
    ) -> Callable[[], Any]:
        """Return a plan for an operation, every value checked against its limits."""
        return build_plan(
            self.lab, station, operation, parameters, self.stations[station].devices
        )

    def estop(self, who: str, via: str) -> None:
        """Put every instrument in its safe state, and let none act until it is cleared.

        Returns when every instrument has been told; the plans are halted after that.
        """
        self.latch.hold(who, via)
        log.warning("emergency stop by %s (%s)", who, via)
        for station in self.stations.values():
            station.hold_back(f"emergency stop by {who}")
        make_safe(self.devices.values())
        reason = f"emergency stop by {who}"
        threading.Thread(target=self.halt, args=(reason,), daemon=True).start()

    def clear(self, who: str, via: str) -> None:
        """Prepare every instrument, and let them act again.

        Raises
        ------
        Refused
            Naming each station that cannot be prepared; the stop stays latched.
        """
        troubles = []
        for name, station in self.stations.items():
            try:
                station.put_back()
            except InstrumentError as error:
                troubles.append(f"{name}: {error}")
        if troubles:
            raise Refused("\n".join(troubles))
        self.latch.clear()
        log.warning("emergency stop cleared by %s (%s)", who, via)

    def halt(self, reason: str) -> None:
        """Stop every act and put every instrument in its safe state, all at once."""
        with ThreadPoolExecutor(max_workers=len(self.stations) or 1) as pool:
            list(pool.map(lambda one: one.halt(reason), self.stations.values()))

    def state(self) -> dict[str, Any]:
        """Return what the stations do, and who answers on each link, as plain values."""
        return {
            "lab": self.lab.name,
            "speed": self.clock.speed,
            "estop": self.latch.held or {},
            "found": self.found,
            "stations": {name: _station(one) for name, one in self.stations.items()},
            "instruments": {
                name: {
                    "maker": identity.maker,
                    "model": identity.model,
                    "serial": identity.serial,
                    "firmware": identity.firmware,
                }
                for name, identity in self.identities.items()
            },
        }

    def _each(self, call: Callable[[str], None]) -> None:
        with ThreadPoolExecutor(max_workers=len(self.devices) or 1) as pool:
            list(pool.map(call, self.devices))


def _station(station: Station) -> dict[str, Any]:
    acting = station.acting  # read once: it may end while we look
    return {
        "busy": station.busy or acting is not None,
        "faulty": station.faulty,
        "acting": acting.action if acting else "",
        "step": acting.step if acting else "",
        "sample": acting.sample if acting else "",
    }
