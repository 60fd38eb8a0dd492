"""One station: its devices, one run engine in a thread of its own, one act at a time."""

from __future__ import annotations

import dataclasses
import logging
import queue
import threading
import time
from collections.abc import Callable, Generator, Iterable, Mapping
from concurrent.futures import ThreadPoolExecutor
from typing import Any

from bluesky import RunEngine
from bluesky.preprocessors import run_wrapper
from ophyd import Device

from instruments.clock import Clock
from instruments.errors import (
    Fault,
    InstrumentError,
    LinkError,
    Rejected,
    Restarted,
    Stopped,
    WrongModel,
)
from instruments.plans.evidence import Mark, Outcome, Traces, Verdict
from orchestrator.lab import judge
from orchestrator.station.acts import ActLedger, ActRecord, ActState, FaultClass
from orchestrator.station.journal import Journal

log = logging.getLogger(__name__)

Plan = Callable[[], Generator[Any, Any, Any]]

Survey = dict[str, dict[str, Any]]
"""What the devices of a station said when they were asked, by role."""


class Halted(Exception):
    """The station was stopped; what its plan had left is not done."""


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
        self._waiting = 0
        self._halting = ""
        self._faulty = False
        self._answered = False
        self.acting: ActRecord | None = None
        # The default context manager installs a SIGINT handler, which only the main
        # thread may do; the service handles interruption instead.
        self._engine = RunEngine(
            {"station": name}, context_managers=[], call_returns_result=True
        )
        self._engine.subscribe(journal.write)
        self._engine.msg_hook = self._on_message  # type: ignore[assignment]
        self._thread = threading.Thread(
            target=self._work, name=f"station-{name}", daemon=True
        )
        self._thread.start()

    @property
    def busy(self) -> bool:
        """Whether an act is under way or waiting: true until its end is on disk."""
        with self._changed:
            return self._waiting > 0

    @property
    def faulty(self) -> bool:
        """Whether hardware reported trouble and no person has looked since."""
        return self._faulty

    def begin(self, act: ActRecord, plan: Plan) -> None:
        """Carry out an intended act as soon as those before it have ended."""
        with self._changed:
            self._waiting += 1
        self._halting = ""
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

    def hold_back(self, reason: str) -> None:
        """Let the plan send nothing more; what has been sent goes on."""
        self._halting = reason

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
        make_safe(self.devices.values())

    def put_back(self) -> None:
        """Prepare every device, because a person says that the trouble is over.

        Raises
        ------
        InstrumentError
            If a device cannot be prepared; the station stays as it was.
        """
        for device in self.devices.values():
            device.prepare()
        self._faulty = False

    def close(self) -> None:
        """Make safe and end the station's thread."""
        self.make_safe()
        self._queue.put(None)
        self._thread.join(timeout=5.0)

    def _work(self) -> None:
        while (item := self._queue.get()) is not None:
            self._carry_out(*item)

    def _carry_out(self, act: ActRecord, plan: Plan) -> None:
        self._journal.begin_act()
        try:
            self._make_ready()
        except Exception as error:  # noqa: BLE001 - the top of a station
            if halting := self._halting:  # it was stopped while it was prepared
                self._end(act, ActState.ABORTED, reason=f"not begun: {halting}")
                return
            self._faulty = True
            self._end(
                act,
                ActState.FAILED,
                reason=f"cannot be prepared: {reason_of(error)}",
                fault=FaultClass.FAULT,
                verdict=Verdict(Outcome.DID_NOT, "nothing was sent"),
            )
            return
        halting = self._halting
        if halting:
            self._end(act, ActState.ABORTED, reason=f"not begun: {halting}")
            return
        # Sent is on disk before the first byte: what a crash cuts off from here on
        # may have happened.
        act = self._acts.update(act, state=ActState.SENT, sent=time.time())
        self.acting, self._answered = act, False
        began = self._clock.now()
        state = ActState.FAILED
        facts: dict[str, Any] = {}
        try:
            result = self._engine(run_wrapper(plan(), md=_metadata(act)))
            if getattr(result, "exit_status", "") == "success":
                state = ActState.DONE
        except Exception as error:  # noqa: BLE001 - the top of a station
            cause = _cause(error)
            facts = {"reason": reason_of(error), "fault": fault_class(cause)}
            self._faulty = isinstance(cause, Fault | WrongModel)
            log.warning("%s: %s failed: %s", self.name, act.action, facts["reason"])
        halting = self._halting
        if halting and state is not ActState.DONE:
            state, facts = ActState.ABORTED, {"reason": halting}
        lab_seconds = self._clock.now() - began
        if state is not ActState.DONE:
            facts["verdict"] = judge_act(
                act, self._journal.marks, survey(self.devices), self._clock.speed
            )
        self._end(
            *(act, state),
            **facts,
            acknowledged=self.acting.acknowledged if self.acting else None,
            run_uid=self._journal.run_uid,
            events=self._journal.events,
            lab_seconds=lab_seconds,
        )

    def _make_ready(self) -> None:
        """Prepare devices that an earlier act left stopped, unless hardware is faulty.

        A device refuses everything after a failure until it is prepared. Where it has
        reported a fault itself, that is for a person to do (`put_back`).
        """
        if self._faulty:
            raise Fault(f"{self.name}: is out of service until a person puts it back")
        for device in self.devices.values():
            if device.stopped:
                device.prepare()

    def _on_message(self, message: Any) -> None:
        """Write down a plan's marks; note when an instrument has first answered.

        After a halt nothing more is done, not even what the plan would tidy up.
        """
        if self._halting:
            raise Halted(self._halting)
        if self._answered and self.acting and self.acting.acknowledged is None:
            self.acting = self._acts.note(
                self.acting, state=ActState.ACKNOWLEDGED, acknowledged=time.time()
            )
        if message.command == "wait":
            self._answered = True
        elif message.command == "null" and "mark" in message.kwargs:
            words = dict(message.kwargs)
            what, readings = words.pop("mark"), None
            if words["state"] == "begun":
                readings = {role: told(one) for role, one in self.devices.items()}
            self._journal.mark(
                Mark(what=what, at=time.time(), readings=readings, **words)
            )

    def _end(self, act: ActRecord, state: ActState, **facts: Any) -> None:
        with self._changed:
            self._acts.update(act, state=state, ended=time.time(), **facts)
            if self.acting is not None and self.acting.action == act.action:
                self.acting = None
            self._waiting -= 1
            self._changed.notify_all()


def make_safe(devices: Iterable[Device]) -> None:
    """Put devices in their safe state, all at once; a lost cable is only reported."""

    def stop(device: Device) -> None:
        try:
            device.stop(success=False)
        except InstrumentError as error:
            log.warning("%s: cannot be made safe: %s", device.name, error)

    every = list(devices)
    with ThreadPoolExecutor(max_workers=len(every) or 1) as pool:
        list(pool.map(stop, every))


def survey(devices: Mapping[str, Device]) -> Survey:
    """Ask the devices of a station what they are physically doing; nothing moves.

    A device that cannot be asked is left out.
    """
    found: Survey = {}
    for role, device in devices.items():
        try:
            found[role] = device.survey()
        except InstrumentError as error:
            log.warning("%s: cannot be asked: %s", device.name, error)
    return found


def judge_act(
    act: ActRecord, marks: Iterable[Mark], found: Survey, speed: float
) -> Verdict:
    """Return what became of the sample of an act that is not known to be done."""
    traces = Traces(act.parameters, list(marks), found, time.time(), speed)
    verdict = judge(act.operation, traces)
    log.info("%s: %s: %s", act.action, verdict.outcome, verdict.why)
    return verdict


def told(device: Device) -> dict[str, Any]:
    """Return what a device last told, by signal."""
    prefix = f"{device.name}_"
    return {
        name.removeprefix(prefix): one["value"] for name, one in device.read().items()
    }


def fault_class(cause: BaseException) -> FaultClass:
    """Return by what is to be done about it why an act failed."""
    match cause:
        case Rejected():
            return FaultClass.REJECTED
        case LinkError() | Stopped() | Restarted():
            return FaultClass.LINK
        case Fault() | WrongModel():
            return FaultClass.FAULT
        case _:
            return FaultClass.OTHER


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
