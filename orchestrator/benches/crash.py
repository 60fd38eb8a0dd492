"""``polyloop bench crash``: kill a campaign again and again, and count what it costs.

A simulated bench is held open by this process, so that a kill of the launcher does not
switch the lab off. Short campaigns run on it, one after the other, each on a bench of
its own; at moments drawn from the seed one of their processes is killed as no process
can prevent, and ``polyloop resume`` goes on. Half of the kills are aimed at an act. In
each campaign a person suggests a candidate while the first trial is under way.
What counts is what the simulated instruments wrote down themselves.

A kill is no power cut of the disk: what was written is there afterwards, synced or not.
"""

from __future__ import annotations

import random
import time
from collections.abc import Callable, Mapping
from contextlib import ExitStack
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, TypeVar

from orchestrator.benches import victims
from orchestrator.benches.accounting import Finding, Wrong, account
from orchestrator.benches.on_bench import OnBench
from orchestrator.benches.victims import Victim
from orchestrator.fold import fold
from orchestrator.ledger import Event
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

IN_FLIGHT = 2
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
    suggested: int = 0
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
                directory = settings.directory / f"c{tally.campaigns:03d}"
                on = OnBench(directory, api, settings.speed)
                bench.callback(on.end)
                on.hold(
                    bench,
                    settings.campaign,
                    trials=settings.trials,
                    unanswered=chance.choice(("ask", "discard")),
                    seed=chance.randrange(1 << 30),
                    in_flight=IN_FLIGHT,
                )
                one = Crashed(on, settings, tally, chance, tell)
                one.run()
                one.count()
    tally.seconds = time.monotonic() - began
    return tally


class Crashed:
    """One campaign on one bench, killed and resumed until it has ended."""

    def __init__(
        self,
        on: OnBench,
        settings: Settings,
        tally: Tally,
        chance: random.Random,
        tell: Callable[[str], None],
    ) -> None:
        self.on, self.settings = on, settings
        self.tally, self.chance, self.tell = tally, chance, tell
        self.kept: dict[str, Mapping[str, Any]] = {}
        # The last trial of the budget is the planner's, so that there is room for it.
        self._suggests = settings.trials > IN_FLIGHT

    # -- the lives of a campaign -------------------------------------------------------

    def run(self) -> None:
        """Start the campaign and resume it until it has ended."""
        idle = 0
        while not self.ended and idle < LIVES:
            seen = len(self.on.events)
            self._live()
            idle = 0 if len(self.on.events) > seen else idle + 1

    @property
    def ended(self) -> bool:
        """Whether the campaign has reached its end, or failed for good."""
        return fold(self.on.events).ended != ""

    def _live(self) -> None:
        """Start or resume the campaign; kill, if kills are left; wait until all is over."""
        victim = None
        if len(self.tally.kills) < self.settings.kills:
            victim = self.chance.choices(list(WEIGHTS), [*WEIGHTS.values()])[0]
        began, words = time.time(), len(self.on.events)
        kills = len(self.tally.kills)
        self.on.start(own_server=victim is Victim.PREFECT)
        if victim is not None and self._until_moment(victim):
            self._kill(victim, began)
        killed, fell = len(self.tally.kills) > kills, time.time()
        hurried = victim is Victim.LAUNCHER and self.chance.random() < HURRIED
        self._until_over(at_once=killed and hurried)
        if killed and not hurried and victim is not Victim.PREFECT:
            self.tally.ends.append(time.time() - fell)
        self._read()
        said = [one.at for one in self.on.events[words:] if one.kind not in LIFE]
        self.tally.starts += [at - began for at in said[:1]]

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
        return self.on.running

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
        return bool(victims.find(victim, self.on.pid)) or None

    def _until(self, what: Callable[[], T | None]) -> T | None:
        """Return what is not None once it is there, None when the launcher ended first."""
        deadline = time.monotonic() + QUIET
        while self.on.running:
            found = what()
            if found is not None:
                return found
            if time.monotonic() > deadline:
                return None
            time.sleep(POLL)
        return None

    def _kill(self, victim: Victim, began: float) -> None:
        targets = victims.find(victim, self.on.pid)
        if not targets:
            return
        victims.kill(targets)
        seconds = time.time() - began
        self._read()
        victims.kill(victims.uploaders(self.on.pid))
        self.kept |= _observations(self.on.events)
        kill = Kill(victim, under_way(self.on.events), self.on.campaign, seconds)
        self.tally.kills.append(kill)
        doing = ", ".join(kill.operations)
        self.tell(
            f"{len(self.tally.kills):4d} {self.on.directory.name} {victim}: {doing} "
            f"({kill.seconds:.1f} s after its start)"
        )

    # -- the end of a life -------------------------------------------------------------

    def _until_over(self, *, at_once: bool) -> None:
        """Wait until the launcher has ended, and all that it started unless ``at_once``."""
        deadline = time.monotonic() + QUIET
        while self.on.running or (not at_once and self.on.going):
            if self._read():
                deadline = time.monotonic() + QUIET
            if time.monotonic() > deadline:
                self._hung()
                return
            time.sleep(10 * POLL)
        if self.on.launcher is not None and self.on.launcher.returncode == 2:
            words = f"{self.on.directory.name}: {self.on.last_words()}"
            self.tally.refused.append(words)

    def _hung(self) -> None:
        names = [
            " ".join(one.command[1:4])
            for one in victims.running()
            if one.pid in self.on.family
        ]
        text = f"nothing happened for {QUIET:g} s; still there: {'; '.join(names)}"
        self.tally.findings.append(Finding(Wrong.LOST, self.on.campaign, "", "", text))
        self.tell(text)
        victims.kill(self.on.family)

    # -- the ledger --------------------------------------------------------------------

    def _read(self) -> list[Event]:
        """Read on in the ledger, and do what a person does; return the new events.

        Where a sample is, is asked also of a campaign that discards what it cannot know.
        """
        fresh = self.on.read()
        for event in fresh:
            if event.kind == "question.asked":
                self.on.answer(event)
            elif event.kind == "trial.started" and self._suggests:
                self._suggests = False
                self.on.suggest(event.trial)
        return fresh

    # -- counting ----------------------------------------------------------------------

    def count(self) -> None:
        """Count what went wrong in this campaign."""
        if not self.on.campaign:
            return
        findings = account(self.on.evidence(self.kept))
        events, tally = self.on.events, self.tally
        kinds = [event.kind for event in events]
        tally.findings += findings
        tally.acts += kinds.count("step.done")
        tally.asked += kinds.count("question.asked")
        tally.suggested += kinds.count("candidate.suggested")
        tally.discarded += kinds.count("sample.discarded")
        tally.failed += kinds.count("trial.failed")
        self.tell(
            f"     {self.on.directory.name} ended: {fold(events).ended or 'no'}; "
            f"{len(findings)} findings"
        )
        for finding in findings:
            self.tell(str(finding))


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
