"""One station: its devices, one run engine in a thread of its own, one act at a time."""

from __future__ import annotations

import dataclasses
import logging
import queue
import threading
import time
from collections.abc import Callable, Generator, Mapping
from typing import Any

from bluesky import RunEngine
from bluesky.preprocessors import run_wrapper
from ophyd import Device

from instruments.clock import Clock
from instruments.errors import Fault, InstrumentError
from orchestrator.station.acts import ActLedger, ActRecord, ActState
from orchestrator.station.journal import Journal

log = logging.getLogger(__name__)

Plan = Callable[[], Generator[Any, Any, Any]]


class Station:
    """Carries out acts one after the other.

    Parameters
    ----------
    name:
        The station's name in the lab file.
    devices:
        Its connected devices, by role.
    acts, journal:
        Where acts and documents are written down.
    clock:
        The time of the lab.
    """

    def __init__(
        self,
        name: str,
        devices: Mapping[str, Device],
        acts: ActLedger,
        journal: Journal,
        clock: Clock,
    ) -> None:
        self.name = name
        self.devices = dict(devices)
        self._acts = acts
        self._journal = journal
        self._clock = clock
        self._queue: queue.Queue[tuple[ActRecord, Plan] | None] = queue.Queue()
        self._changed = threading.Condition()
        self._halting = ""
        self._faulty = False
        self.acting: ActRecord | None = None
        # The default context manager installs a SIGINT handler, which only the main
        # thread may do; the service handles interruption instead.
        self._engine = RunEngine(
            {"station": name}, context_managers=[], call_returns_result=True
        )
        self._engine.subscribe(journal.write)
        self._thread = threading.Thread(
            target=self._work, name=f"station-{name}", daemon=True
        )
        self._thread.start()

    @property
    def busy(self) -> bool:
        """Whether an act is under way or waiting."""
        return self.acting is not None or not self._queue.empty()

    def begin(self, act: ActRecord, plan: Plan) -> None:
        """Carry out an intended act as soon as those before it have ended."""
        self._queue.put((act, plan))

    def wait(self, action: str, timeout: float) -> ActRecord | None:
        """Return the act when it is over, or as it is after ``timeout`` real seconds."""
        deadline = time.monotonic() + timeout
        with self._changed:
            while True:
                act = self._acts.find(action)
                left = deadline - time.monotonic()
                if act is None or act.over or left <= 0:
                    return act
                self._changed.wait(left)

    def halt(self, reason: str) -> None:
        """Stop every device, then the plan; nothing that it had left is done.

        The devices are told first: their safe state does not wait for the plan. The
        plan's own cleaning up is left out, because it would move things again.
        """
        self._halting = reason
        while True:  # whatever waits in the queue has not been sent: it never is
            try:
                item = self._queue.get_nowait()
            except queue.Empty:
                break
            if item is not None:
                self._end(item[0], ActState.ABORTED, reason=f"not begun: {reason}")
        self.make_safe()
        if self._engine.state not in ("idle", "panicked"):
            try:
                self._engine.halt()
            except RuntimeError as error:  # it has ended just now
                log.info("%s: %s", self.name, error)
        self.make_safe()

    def make_safe(self) -> None:
        """Put every device in its safe state; may be called at any time, from anywhere."""
        for device in self.devices.values():
            make_safe(device)

    def close(self) -> None:
        """Make safe and end the station's thread."""
        self.make_safe()
        self._queue.put(None)
        self._thread.join(timeout=2.0)

    def _work(self) -> None:
        while (item := self._queue.get()) is not None:
            act, plan = item
            self._halting = ""
            # Sent is on disk before the first byte: what a crash cuts off from here
            # on may have happened.
            self.acting = self._acts.update(act, state=ActState.SENT, sent=time.time())
            began = self._clock.now()
            try:
                self._make_ready()
                self._engine(run_wrapper(plan(), md=_metadata(act)))
            except Exception as error:  # noqa: BLE001 - the top of a station
                state, reason = ActState.FAILED, reason_of(error)
                self._faulty = isinstance(_cause(error), Fault)
                log.warning("%s: %s failed: %s", self.name, act.action, reason)
            else:
                state, reason = ActState.DONE, ""
            if self._halting:
                state, reason = ActState.ABORTED, self._halting
            self._end(
                self.acting,
                state,
                reason=reason,
                run_uid=self._journal.run_uid,
                events=self._journal.events,
                lab_seconds=self._clock.now() - began,
            )
            self.acting = None

    def _make_ready(self) -> None:
        """Prepare devices that an earlier act left stopped, unless hardware is faulty.

        A device refuses everything after a failure until it is prepared. Where it has
        reported a fault itself, that is for a person to do.
        """
        if not self._faulty:
            for device in self.devices.values():
                if device.stopped:
                    device.prepare()

    def _end(self, act: ActRecord, state: ActState, **facts: Any) -> None:
        with self._changed:
            self._acts.update(act, state=state, ended=time.time(), **facts)
            self._changed.notify_all()


def make_safe(device: Device) -> None:
    """Put a device in its safe state; a cable that is gone is only reported."""
    try:
        device.stop(success=False)
    except InstrumentError as error:
        log.warning("%s: cannot be made safe: %s", device.name, error)


def _metadata(act: ActRecord) -> dict[str, Any]:
    facts = dataclasses.asdict(act)
    keys = ("action", "owner", "operation", "step", "sample", "trial", "parameters")
    return {key: facts[key] for key in keys}


def reason_of(error: BaseException) -> str:
    """Return what an operator should read: the instrument's own words, if it had any."""
    cause = _cause(error)
    if isinstance(cause, InstrumentError):
        return str(cause)
    return f"{type(error).__name__}: {error}"


def _cause(error: BaseException) -> BaseException:
    """Return the instrument's own error behind what the run engine raised."""
    cause: BaseException | None = error
    while cause is not None:
        if isinstance(cause, InstrumentError):
            return cause
        cause = cause.__cause__
    return error
