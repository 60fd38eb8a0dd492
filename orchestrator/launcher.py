"""Start what a campaign needs, watch it run, and stop everything again.

Processes: launcher (this one) → simulated bench, where the lab has one · station
service · Prefect server · uploader to Tiled · runner → flow process. Each dies with
its parent. Nothing here decides about the campaign: it reads the ledger and shows it.
"""

from __future__ import annotations

import dataclasses
import hashlib
import json
import os
import secrets
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import asdict, dataclass, field
from datetime import UTC, datetime
from itertools import islice
from pathlib import Path
from types import FrameType
from typing import Any

import httpx

from orchestrator import control, processes
from orchestrator.campaign import Progress
from orchestrator.config.models import Campaign
from orchestrator.config.read_campaign import load_campaign
from orchestrator.database import PATIENCE, LedgerGone
from orchestrator.errors import CampaignFailed, PolyloopError, Refused
from orchestrator.flows.settings import environment
from orchestrator.fold import fold
from orchestrator.ledger import Event, Ledger
from orchestrator.person import me
from orchestrator.prefect_server import serve, wait_for
from orchestrator.simulated_bench import HeldBench, bench_command, held_in
from orchestrator.station.client import StationClient, StationError
from orchestrator.station.estop import Latch
from orchestrator.versions import versions

SIMULATED_SPEED = 400.0
"""Lab seconds per second on a simulated bench, unless the user says otherwise."""


@dataclass(frozen=True, slots=True)
class Options:
    """What the user may choose when a campaign is started or resumed.

    ``bench``: the directory of a simulated bench that another program holds open.
    """

    data: Path
    speed: float | None = None
    ui: bool = True
    bench: Path | None = None


@dataclass(frozen=True, slots=True)
class View:
    """What there is to show while a campaign runs."""

    campaign: Campaign
    id: str
    trials: int
    progress: Progress
    url: str
    began: float
    speed: float


@dataclass(frozen=True, slots=True)
class Stops:
    """What the person at the terminal wants: to drain, or to stop now."""

    drain: threading.Event = field(default_factory=threading.Event)
    now: threading.Event = field(default_factory=threading.Event)


Show = Callable[[View], None]


def begin(path: Path, options: Options, *, trials: int | None, seed: int | None) -> str:
    """Write a new campaign into the ledger and return its id; nothing has moved yet.

    The files it is made from are copied below the data directory, so that a resume
    does not depend on what has become of the originals.
    """
    campaign = load_campaign(path)
    held = _held(campaign, options.bench)
    _speed(campaign, options, held)
    if trials is not None and trials < 1:
        raise Refused(f"--trials: {trials} — at least 1")
    now = datetime.now(UTC)
    ledger = Ledger.at(options.data)
    try:
        name = f"{campaign.name}-{now:%y%m%d-%H%M%S}"
        known = ledger.campaigns()
        name = next(
            one
            for one in (name, *(f"{name}-{n}" for n in range(2, 1000)))
            if one not in known
        )
        config, files = _copy(campaign, options.data / "campaigns" / name / "config")
        ledger.append(
            name,
            "campaign.started",
            data={
                "name": campaign.name,
                "config": str(config.relative_to(options.data)),
                "files": files,
                "seed": campaign.planner.seed if seed is None else seed,
                "trials": campaign.budget.trials if trials is None else trials,
                "planner": campaign.planner.name,
                "versions": versions(),
                "lab": campaign.lab.name,
                "bench": str(held.directory) if held else "",
                "space": [
                    {
                        "name": one.name,
                        "unit": getattr(one, "unit", ""),
                        "low": getattr(one, "low", None),
                        "high": getattr(one, "high", None),
                        "scale": getattr(one, "scale", ""),
                        "options": list(getattr(one, "options", ())),
                    }
                    for one in campaign.space.parameters
                ],
                "objectives": [asdict(one) for one in campaign.objectives],
                "limits": [asdict(one) for one in campaign.limits],
            },
        )
    finally:
        ledger.close()
    return name


def carry_out(
    name: str, options: Options, show: Show, at_end: Callable[[], None]
) -> Progress:
    """Run a campaign of the ledger to its end, or until it is interrupted.

    Parameters
    ----------
    name, options:
        Which campaign, and what the user has chosen.
    show:
        Called four times a second with how it stands.
    at_end:
        Called once its flow has ended, while the catalog is still being served.

    Returns
    -------
    :
        Its state at the end.

    Raises
    ------
    Refused
        When the lab is not what its file says; nothing has moved then.
    CampaignFailed
        When it ended without reaching its end.
    """
    data = options.data.resolve()
    ledger = Ledger.of(data, patience=0.0)
    started = next(ledger.stream(name)).data
    config = data / started["config"]
    campaign = load_campaign(config)
    held = _held(campaign, options.bench or _bench_of(ledger.stream(name)))
    speed = _speed(campaign, options, held)
    key = secrets.token_urlsafe(24)
    os.environ["POLYLOOP_STATION_KEY"] = key
    if (stopped := Latch(data).held) is not None:
        raise Refused(
            f"{data}: emergency stop by {stopped['who']}, not cleared; look at every "
            "instrument, then: polyloop clear"
        )
    stops = Stops()
    with ExitStack() as stack:
        stack.callback(ledger.close)
        stack.enter_context(control.running(data, name))
        stack.enter_context(_interruptible(stops))
        logs = data / "logs" / name
        ports = held.directory if held else data / "bench" / name
        if held is None:
            _bench(stack, campaign, ports, speed, int(started["seed"]), logs)
        station_child = processes.start(
            "station",
            [
                *_python("orchestrator.station"),
                *("--lab", str(campaign.lab.path), "--data", str(data)),
                *("--ports", str(ports), "--speed", str(speed)),
            ],
            logs,
            {"POLYLOOP_STATION_KEY": key},
        )
        stack.callback(station_child.end)
        api, server = serve(stack, data / "prefect", logs, ui=options.ui)
        # It imports Prefect while the station prepares; then it is told to begin.
        runner = processes.start(
            "flow",
            [
                *_python("orchestrator.flows.runner"),
                *("--campaign", name, "--name", campaign.name),
                *("--data", str(data), "--config", str(config)),
            ],
            logs,
            environment(data / "prefect", api),
            listens=True,
        )
        stack.callback(runner.end)
        address = _station_address(station_child)
        station = StationClient(address, key)
        stack.callback(station.close)
        if server is not None:
            wait_for(api, server)
        if _stopped(ledger, name):
            resumed = {
                "speed": speed,
                "versions": versions(),
                "bench": str(held.directory) if held else "",
            }
            ledger.append(name, "campaign.resumed", data=resumed)
        runner.tell(address)
        uploader = processes.start(
            "uploader",
            [
                *_python("orchestrator.archive.uploader"),
                *("--data", str(data)),
            ],
            logs,
            {"DO_NOT_TRACK": "1"},
        )
        stack.callback(uploader.end, timeout=30.0)
        flow = json.loads(runner.line_with('"flow_run"', 120.0))
        view = View(
            campaign,
            name,
            int(started["trials"]),
            Progress(),
            flow["url"] if options.ui else "",
            time.time(),
            speed,
        )
        progress = _watch(ledger, view, runner, server, stops, show)
        if stops.now.is_set():
            _stop(station, f"{name}/{flow['flow_run']}", api, flow["flow_run"], runner)
            progress = fold(ledger.events(name, patience=PATIENCE))
        _until_ended(runner, server)
        at_end()
        for child in (runner, uploader, station_child, server):
            if child is not None:
                child.tell_to_end()
    return _judge(progress, name, stops.now)


def _judge(progress: Progress, name: str, interrupted: threading.Event) -> Progress:
    if progress.ended and progress.good:
        return progress
    if progress.ended:
        raise CampaignFailed(f"{name}: {progress.ended}")
    why = "interrupted" if interrupted.is_set() else "stopped before its end"
    if progress.paused:
        why = f"{why} ({progress.paused})"
    raise CampaignFailed(
        f"{name}: {why}; every instrument is in its safe state and nothing recorded "
        f"is lost. Go on with: polyloop resume {name}"
    )


def _watch(
    ledger: Ledger,
    view: View,
    runner: processes.Child,
    server: processes.Kept | None,
    stops: Stops,
    show: Show,
) -> Progress:
    """Show the campaign as the ledger tells it until its flow has ended."""
    progress = Progress()
    drained = False
    while True:
        ended = runner.process.poll() is not None
        over = ended or stops.now.is_set()
        if server is not None:
            server.tend()
        try:  # a database that is away is waited for, with an eye on Ctrl-C
            if stops.drain.is_set() and not drained:
                everything, who = control.Subject(), me()
                control.tell(
                    ledger, view.id, "drain", everything, who=who, via="Ctrl-C"
                )
                drained = True
            events = ledger.events(
                view.id, after=progress.seq, patience=PATIENCE if ended else 0.0
            )
            progress = fold(events, progress)
        except LedgerGone:
            if ended:
                raise
        show(dataclasses.replace(view, progress=progress))
        if over:
            return progress
        stops.now.wait(0.25)


def _until_ended(runner: processes.Child, server: processes.Kept | None) -> None:
    """Wait for the flow's process, which has still to tell Prefect how it ended."""
    while True:
        try:
            runner.process.wait(0.25)
        except subprocess.TimeoutExpired:
            if server is not None:
                server.tend()
        else:
            return


def _stop(
    station: StationClient, owner: str, api: str, flow_run: str, runner: processes.Child
) -> None:
    """Stop the instruments first, then the flow; it writes down that it was stopped."""
    try:
        station.abort(owner, "interrupted by the operator")
    except StationError as error:
        sys.stderr.write(f"{error}\n")
    state = {"state": {"type": "CANCELLING", "name": "Cancelling"}, "force": True}
    try:
        httpx.post(
            f"{api}/flow_runs/{flow_run}/set_state",
            json=state,
            timeout=5.0,
            trust_env=False,
        )
        runner.process.wait(20.0)
    except (httpx.HTTPError, subprocess.TimeoutExpired):
        runner.end()


def _bench_of(events: Iterable[Event]) -> Path | None:
    """Return the held bench that a campaign ran on last, or None if it had its own."""
    named = [event.data["bench"] for event in events if "bench" in event.data]
    return Path(named[-1]) if named and named[-1] else None


def _held(campaign: Campaign, directory: Path | None) -> HeldBench | None:
    """Return the bench that somebody holds open in ``directory``, where one is named."""
    if directory is None:
        return None
    if campaign.lab.bench is None:
        raise Refused(
            f"--bench: {directory} — {campaign.lab.path} is a real lab (it has no line "
            "`bench`), which has its own ports"
        )
    return held_in(directory)


def _speed(campaign: Campaign, options: Options, held: HeldBench | None) -> float:
    """Return the speed of the lab's clock; a real lab has no other than 1."""
    if held is not None:
        if options.speed not in (None, held.speed):
            raise Refused(
                f"--speed: {options.speed:g} — the bench in {held.directory} runs at "
                f"{held.speed:g}; leave it out"
            )
        return held.speed
    if campaign.lab.bench is None:
        if options.speed is not None:
            raise Refused(
                f"--speed: {options.speed:g} — {campaign.lab.path} is a real lab (it has "
                "no line `bench`), where an hour is an hour"
            )
        return 1.0
    speed = SIMULATED_SPEED if options.speed is None else options.speed
    if not 0.1 <= speed <= 10_000:
        raise Refused(f"--speed: {speed:g} — between 0.1 and 10000")
    return speed


def _copy(campaign: Campaign, target: Path) -> tuple[Path, dict[str, Any]]:
    """Copy the campaign's files, keeping where they lie to each other."""
    paths = [path.resolve() for path in campaign.files]
    root = Path(os.path.commonpath([path.parent for path in paths]))
    kept: dict[str, Any] = {}
    for path in paths:
        copy = target / path.relative_to(root)
        copy.parent.mkdir(parents=True, exist_ok=True)
        content = path.read_bytes()
        copy.write_bytes(content)
        digest = hashlib.sha256(content).hexdigest()
        kept[str(path.relative_to(root))] = {"sha256": digest, "from": str(path)}
    return target / campaign.path.resolve().relative_to(root), kept


def _bench(
    stack: ExitStack,
    campaign: Campaign,
    directory: Path,
    speed: float,
    seed: int,
    logs: Path,
) -> None:
    """Start the simulated bench of a lab that has one; its ports are in ``directory``."""
    directory.mkdir(parents=True, exist_ok=True)
    if campaign.lab.bench is None:
        return
    command = bench_command(campaign.lab, directory, speed=speed, seed=seed)
    child = processes.start("bench", command, logs, {})
    stack.callback(child.end)
    child.line_with("ready", 60.0)


def _station_address(child: processes.Child) -> str:
    """Return where the station service listens, or pass its refusal on."""
    line = child.line_with('{"re', 180.0)
    answer = json.loads(line)
    if "refused" in answer:
        raise Refused(answer["refused"])
    return str(answer["ready"])


def _stopped(ledger: Ledger, name: str) -> bool:
    return len(list(islice(ledger.stream(name), 2))) > 1


def _python(module: str) -> list[str]:
    return [sys.executable, "-m", module]


@contextmanager
def _interruptible(stops: Stops) -> Iterator[None]:
    """While the campaign runs: Ctrl-C drains it, a second one and SIGTERM stop it."""

    def note(number: int, _frame: FrameType | None) -> None:
        if stops.now.is_set():
            raise PolyloopError("interrupted again; the processes were told to end")
        if number == signal.SIGINT and not stops.drain.is_set():
            stops.drain.set()
        else:
            stops.now.set()

    before = {one: signal.signal(one, note) for one in (signal.SIGINT, signal.SIGTERM)}
    try:
        yield
    finally:
        for one, handler in before.items():
            signal.signal(one, handler)
