"""``polyloop bench crash``: kill a campaign again and again, and count what it costs.

A simulated bench is held open by this process, so that a kill of the launcher does not
switch the lab off. Short campaigns run on it, one after the other, each on a bench of
its own; at moments drawn from the seed one of their processes is killed as no process
can prevent, and ``polyloop resume`` goes on. Half of the kills are aimed at an act.
What counts is what the simulated instruments wrote down themselves.

A kill is no power cut of the disk: what was written is there afterwards, synced or not.
"""

from __future__ import annotations

import os
import random
import subprocess
import sys
import time
from collections.abc import Callable, Mapping
from contextlib import ExitStack
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, TypeVar

from orchestrator import processes
from orchestrator.benches import victims
from orchestrator.benches.accounting import Finding, Wrong, account, answer
from orchestrator.benches.evidence import collect
from orchestrator.benches.short import shorten
from orchestrator.benches.victims import Victim
from orchestrator.fold import fold
from orchestrator.ledger import Event, Ledger
from orchestrator.prefect_server import serve, wait_for

WEIGHTS = {
    Victim.FLOW: 5,
    Victim.STATION: 5,
    Victim.LAUNCHER: 3,
    Victim.POWER: 3,
    Victim.RUNNER: 2,
    Victim.PREFECT: 1,
}
"""How often each is killed; a life with its own Prefect server takes twice as long."""

AIMS = (
    *("transfer", "transfer", "dispense", "rinse", "spin", "heat", "hold", "reach"),
    *("light", "van_der_pauw", "step_height"),
)
"""Operations that half of the kills are aimed at."""

LIFE = ("campaign.started", "campaign.resumed")
HURRIED = 0.5
"""Share of the kills of a launcher after which nobody waits for its children to end."""
POLL = 0.01
LATEST = 0.2
"""Real seconds after an aimed act was intended within which the kill comes."""
ANYTIME = 12.0
"""Real seconds within which a kill that is not aimed comes, once its victim is there."""
QUIET = 300.0
"""Real seconds without a word in the ledger, or to the end of a launcher, that are a hang."""
LIVES = 8
"""Lives without progress after which a campaign is given up."""

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Kill:
    """One kill: of whom, the operations that were under way, and in which campaign."""

    victim: Victim
    operations: tuple[str, ...]
    campaign: str
    seconds: float


@dataclass
class Tally:
    """What a run of the bench came to, in real seconds.

    ``starts``: from the start of each life to the first word of its flow; ``ends``: from
    each kill until all its processes were gone.
    """

    kills: list[Kill] = field(default_factory=list)
    findings: list[Finding] = field(default_factory=list)
    campaigns: int = 0
    acts: int = 0
    asked: int = 0
    discarded: int = 0
    failed: int = 0
    refused: list[str] = field(default_factory=list)
    starts: list[float] = field(default_factory=list)
    ends: list[float] = field(default_factory=list)
    seconds: float = 0.0

    def count(self, wrong: Wrong) -> int:
        """Return one of the three counts."""
        return sum(one.wrong is wrong for one in self.findings)


@dataclass(frozen=True, slots=True)
class Settings:
    """What the bench was asked for."""

    campaign: Path
    kills: int
    seed: int
    speed: float
    trials: int
    directory: Path


def crash(settings: Settings, tell: Callable[[str], None]) -> Tally:
    """Run campaigns and kill them until the kills are spent; return the count.

    Parameters
    ----------
    settings:
        How many kills, and of what.
    tell:
        Called with a line for each kill and each campaign.
    """
    tally = Tally()
    chance = random.Random(settings.seed)
    began = time.monotonic()
    with ExitStack() as stack:
        logs = settings.directory / "logs"
        api, server = serve(stack, settings.directory / "prefect", logs, ui=False)
        if server is not None:
            wait_for(api, server)
        while len(tally.kills) < settings.kills:
            tally.campaigns += 1
            with ExitStack() as bench:
                one = Crashed(settings, tally, chance, api, tell)
                bench.callback(one.end)
                one.hold(bench)
                one.run()
                one.count()
    tally.seconds = time.monotonic() - began
    return tally


class Crashed:
    """One campaign on one bench, killed and resumed until it has ended."""

    def __init__(
        self,
        settings: Settings,
        tally: Tally,
        chance: random.Random,
        api: str,
        tell: Callable[[str], None],
    ) -> None:
        self.settings, self.tally, self.chance = settings, tally, chance
        self.api, self.tell = api, tell
        self.directory = settings.directory / f"c{tally.campaigns:03d}"
        self.data, self.bench = self.directory / "data", self.directory / "bench"
        self.unanswered = chance.choice(("ask", "discard"))
        self.seed = chance.randrange(1 << 30)
        self.campaign = ""
        self.events: list[Event] = []
        self.kept: dict[str, Mapping[str, Any]] = {}
        self.launcher: subprocess.Popen[bytes] | None = None
        self._ledger: Ledger | None = None

    # -- the lives of a campaign -------------------------------------------------------

    def hold(self, stack: ExitStack) -> None:
        """Write the campaign's files, and hold a bench open for it."""
        self.file = shorten(
            self.settings.campaign,
            self.directory / "config",
            trials=self.settings.trials,
            seed=self.seed,
            unanswered=self.unanswered,
        )
        from orchestrator.config.read_campaign import load_campaign

        bench = load_campaign(self.file, check_drivers=False).lab.bench
        child = processes.start(
            "bench",
            [
                *(sys.executable, "-m", "sims", str(bench), "--dir", str(self.bench)),
                *("--speed", str(self.settings.speed), "--seed", str(self.seed)),
            ],
            self.directory / "logs",
            {},
        )
        stack.callback(child.end)
        child.line_with("ready", 60.0)

    def run(self) -> None:
        """Start the campaign and resume it until it has ended."""
        idle = 0
        while not self.ended and idle < LIVES:
            seen = len(self.events)
            self._live()
            idle = 0 if len(self.events) > seen else idle + 1

    @property
    def ended(self) -> bool:
        """Whether the campaign has reached its end, or failed for good."""
        return fold(self.events).ended != ""

    def _live(self) -> None:
        """Start or resume the campaign; kill, if kills are left; wait until all is over."""
        victim = None
        if len(self.tally.kills) < self.settings.kills:
            victim = self.chance.choices(list(WEIGHTS), [*WEIGHTS.values()])[0]
        began, words, kills = time.time(), len(self.events), len(self.tally.kills)
        self._start(own_server=victim is Victim.PREFECT)
        if victim is not None and self._until_moment(victim):
            self._kill(victim, began)
        killed, fell = len(self.tally.kills) > kills, time.time()
        hurried = victim is Victim.LAUNCHER and self.chance.random() < HURRIED
        self._until_over(at_once=killed and hurried)
        if killed and not hurried and victim is not Victim.PREFECT:
            self.tally.ends.append(time.time() - fell)
        self._read()
        said = [one.at for one in self.events[words:] if one.kind not in LIFE]
        self.tally.starts += [at - began for at in said[:1]]

    def _start(self, *, own_server: bool) -> None:
        environment = dict(os.environ)
        if own_server:
            environment.pop("PREFECT_API_URL", None)
        else:
            environment["PREFECT_API_URL"] = self.api
        command = [sys.executable, "-m", "orchestrator.cli"]
        if self.campaign:
            command += ["resume", self.campaign]
        else:
            command += ["run", str(self.file), "--bench", str(self.bench)]
        with (self.directory / "logs" / "polyloop.log").open("ab") as log:
            self._said = log.tell()
            self.launcher = subprocess.Popen(
                [*command, "--data", str(self.data), "--no-ui"],
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=subprocess.STDOUT,
                start_new_session=True,
                env=environment,
            )

    # -- the moment --------------------------------------------------------------------

    def _until_moment(self, victim: Victim) -> bool:
        """Wait for the moment to kill; return whether it came before the end."""
        aim = self.chance.choice(AIMS) if self.chance.random() < 0.5 else ""
        share = self.chance.random()
        if aim:
            act = self._until(lambda: self._intended(aim))
            if act is None:
                return False
            lasts = act.data["duration"] / self.settings.speed
            wait = share * min(LATEST, 2.0 * lasts)
        else:
            if self._until(lambda: self._there(victim)) is None:
                return False
            wait = share * ANYTIME
        moment = time.monotonic() + wait
        self._until(lambda: time.monotonic() >= moment or None)
        return bool(self._going())

    def _intended(self, operation: str) -> Event | None:
        """Return an act of an operation that was intended just now."""
        return next(
            (
                event
                for event in self._read()
                if event.kind == "step.intended"
                and event.data["operation"] == operation
            ),
            None,
        )

    def _there(self, victim: Victim) -> bool | None:
        assert self.launcher is not None  # noqa: S101
        return bool(victims.find(victim, self.launcher.pid)) or None

    def _until(self, what: Callable[[], T | None]) -> T | None:
        """Return what is not None once it is there, None when the launcher ended first."""
        deadline = time.monotonic() + QUIET
        while self._going():
            found = what()
            if found is not None:
                return found
            if time.monotonic() > deadline:
                return None
            time.sleep(POLL)
        return None

    def _going(self) -> bool:
        return self.launcher is not None and self.launcher.poll() is None

    def _kill(self, victim: Victim, began: float) -> None:
        assert self.launcher is not None  # noqa: S101
        targets = victims.find(victim, self.launcher.pid)
        if not targets:
            return
        victims.kill(targets)
        seconds = time.time() - began
        self._read()
        victims.kill(victims.uploaders(self.launcher.pid))
        self.kept |= _observations(self.events)
        kill = Kill(victim, under_way(self.events), self.campaign, seconds)
        self.tally.kills.append(kill)
        doing = ", ".join(kill.operations)
        self.tell(
            f"{len(self.tally.kills):4d} {self.directory.name} {victim}: {doing} "
            f"({kill.seconds:.1f} s after its start)"
        )

    # -- the end of a life -------------------------------------------------------------

    def _until_over(self, *, at_once: bool) -> None:
        """Wait until the launcher has ended, and all that it started unless ``at_once``."""
        assert self.launcher is not None  # noqa: S101
        family = [one.pid for one in victims.family(self.launcher.pid)]
        deadline = time.monotonic() + QUIET
        while self._going() or (not at_once and victims.alive(family)):
            if self._going():
                family = [one.pid for one in victims.family(self.launcher.pid)]
                # It only fills the catalog, and would take most of a short life.
                victims.kill(victims.uploaders(self.launcher.pid))
            if self._read():
                deadline = time.monotonic() + QUIET
            if time.monotonic() > deadline:
                self._hung(family)
                return
            time.sleep(10 * POLL)
        if self.launcher.returncode == 2:
            self.tally.refused.append(self._last_words())

    def _hung(self, family: list[int]) -> None:
        names = [
            " ".join(one.command[1:4]) for one in victims.running() if one.pid in family
        ]
        text = f"nothing happened for {QUIET:g} s; still there: {'; '.join(names)}"
        self.tally.findings.append(Finding(Wrong.LOST, self.campaign, "", "", text))
        self.tell(text)
        victims.kill(family)

    def _last_words(self) -> str:
        log = self.directory / "logs" / "polyloop.log"
        with log.open("rb") as file:
            file.seek(self._said)
            said = file.read().decode(errors="replace").strip().splitlines()
        return f"{self.directory.name}: {said[-1] if said else 'no word'}"

    # -- the ledger --------------------------------------------------------------------

    def _read(self) -> list[Event]:
        """Read on in the ledger, and answer what it asks; return the new events."""
        if self._ledger is None:
            if not (self.data / "ledger.db").exists():
                return []
            self._ledger = Ledger.of(self.data)
        if not self.campaign:
            self.campaign = next(iter(self._ledger.campaigns()), "")
        after = self.events[-1].seq if self.events else 0
        fresh = self._ledger.events(self.campaign, after=after)
        self.events += fresh
        for event in fresh:
            if event.kind == "question.asked":
                self._answer(event)
        return fresh

    def _answer(self, event: Event) -> None:
        """Answer a question as an operator who saw everything would.

        Where a sample is, is asked also of a campaign that discards what it cannot know.
        """
        evidence = collect(self.data, self.campaign, self.bench, self.settings.speed)
        word = answer(evidence, event.data)
        subprocess.run(
            [
                *(sys.executable, "-m", "orchestrator.cli", "answer", self.campaign),
                *(str(event.data["question"]), word, "--who", "crash bench"),
                *("--data", str(self.data)),
            ],
            check=False,
            stdout=subprocess.DEVNULL,
        )

    # -- counting ----------------------------------------------------------------------

    def count(self) -> None:
        """Count what went wrong in this campaign."""
        if not self.campaign:
            return
        evidence = collect(
            self.data, self.campaign, self.bench, self.settings.speed, self.kept
        )
        findings = account(evidence)
        tally, kinds = self.tally, [event.kind for event in self.events]
        tally.findings += findings
        tally.acts += kinds.count("step.done")
        tally.asked += kinds.count("question.asked")
        tally.discarded += kinds.count("sample.discarded")
        tally.failed += kinds.count("trial.failed")
        self.tell(
            f"     {self.directory.name} ended: {fold(self.events).ended or 'no'}; "
            f"{len(findings)} findings"
        )
        for finding in findings:
            self.tell(str(finding))

    def end(self) -> None:
        """End what is left of the campaign, when the bench itself is interrupted."""
        if self._going():
            assert self.launcher is not None  # noqa: S101
            victims.kill(victims.find(Victim.POWER, self.launcher.pid))
            self.launcher.wait()
        if self._ledger is not None:
            self._ledger.close()


def under_way(events: list[Event]) -> tuple[str, ...]:
    """Return the operations of the acts that this life of the campaign has begun."""
    lives = [n for n, one in enumerate(events) if one.kind in LIFE]
    life = events[lives[-1] + 1 :] if lives else []
    if not life:
        return ("starting",)
    here = {e.data["action"] for e in life if e.kind == "step.intended"}
    acting = fold(events).acting.values()
    return tuple(act.operation for act in acting if act.id in here) or ("between acts",)


def _observations(events: list[Event]) -> dict[str, Mapping[str, Any]]:
    return {one.trial: one.data for one in events if one.kind == "observation"}
