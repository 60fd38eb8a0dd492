"""Which act comes next: pure, from the state of the campaign to the acts that may start.

The arm brings a sample to the slot of its next step; recipes never mention that. A
step starts when its station is free and its sample is in its slot. Steps marked
``at_once`` form a chain with the step before them: a chain starts only when every
slot it needs is free, and those slots are kept for it until it ends, so that acid is
never left on a film because the next slot is taken. A chain under way is also ended
when a person pauses: a pause that left acid on a film would cost it.

A station out of service is passed over; where it has a twin, its steps are done there.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace

from orchestrator.campaign import CARRYING, GRIPPER, Progress, Stray, Trial
from orchestrator.records import Step


@dataclass(frozen=True, slots=True)
class Ready:
    """An act that may start now, of one trial's sample."""

    trial: str
    sample: str
    step: Step


@dataclass(frozen=True, slots=True)
class Twin:
    """A station that takes over, and its slot for each slot of the one it replaces."""

    station: str
    slots: Mapping[str, str]


@dataclass(frozen=True, slots=True)
class Floor:
    """What the dispatcher knows of the lab.

    Attributes
    ----------
    arm:
        The station that carries samples.
    twins:
        The twin of each station that has one.
    slots:
        The station whose slot it is, by slot; those that a recipe's steps need.
    stations:
        All their names.
    """

    arm: str
    twins: Mapping[str, Twin] = field(default_factory=dict)
    slots: Mapping[str, str] = field(default_factory=dict)
    stations: tuple[str, ...] = ()

    def routed(self, step: Step, progress: Progress) -> Step:
        """Return a step, at the twin of its station where that is out of service."""
        owner = self.slots.get(step.slot, step.station)
        for name in (owner, step.station):
            twin = self.twins.get(name)
            if name not in progress.out or twin is None or twin.station in progress.out:
                continue
            if step.slot not in twin.slots:
                continue
            slot = twin.slots[step.slot]
            parameters = {
                key: slot if value == step.slot else value
                for key, value in step.parameters.items()
            }
            station = twin.station if step.station == name else step.station
            return replace(step, station=station, slot=slot, parameters=parameters)
        return step


def transfer(arm: str, source: str, target: str, duration: float = 30.0) -> Step:
    """Return the step that brings a sample from one slot to another."""
    if source == GRIPPER:
        return Step("put_away", "put_away", arm, target, {"target": target}, duration)
    parameters = {"source": source, "target": target}
    return Step("transfer", "transfer", arm, target, parameters, duration)


def ready(progress: Progress, floor: Floor) -> list[Ready]:
    """Return the acts that may start now, none of which gets in the way of another."""
    return _Dispatch(progress, floor).acts()


def in_chain(trial: Trial) -> bool:
    """Whether the trial's next step may not wait."""
    step = trial.next_step
    return step is not None and step.at_once


class _Dispatch:
    """One look at the state of a campaign."""

    def __init__(self, progress: Progress, floor: Floor) -> None:
        self.progress, self.floor, self.arm = progress, floor, floor.arm
        self.flying = progress.in_flight
        self.busy = {act.station for act in progress.acting.values()}
        asked = [question.act for question in progress.questions.values()]
        if any(act.operation in CARRYING for act in asked):
            self.busy.add(self.arm)  # nobody knows what the gripper holds
        self.taken = self._taken()

    def acts(self) -> list[Ready]:
        held = self._held_by_gripper()
        if held is not None:
            self.busy.add(self.arm)  # it does nothing else with its hand full
        acts: list[Ready] = []
        for trial in self._waiting():
            one = self._next(trial, self._kept(but=trial.id))
            carried = trial.at == GRIPPER
            if one is None or (one.station in self.busy and not carried):
                continue
            if carried and self._arm_at_work():
                continue
            acts.append(Ready(trial.id, trial.sample, one))
            self.busy.add(one.station)
            self.taken.setdefault(one.slot, trial.sample)
        acts.extend(self._strays())
        if not acts:
            acts.extend(self._unblock())
        return acts

    # -- who may go on --------------------------------------------------------------

    def _waiting(self) -> list[Trial]:
        trials = [t for t in self.flying if t.sample and not t.acting]
        trials = [t for t in trials if self._may_go_on(t)]
        return sorted(trials, key=lambda t: (t.at != GRIPPER, not in_chain(t)))

    def _may_go_on(self, trial: Trial) -> bool:
        if trial.condemned:
            return False
        stopped = self.progress.held == "paused" or trial.resting
        return in_chain(trial) or trial.at == GRIPPER or not stopped

    def _open(self, station: str, trial: Trial, *, bring: bool) -> bool:
        """Whether a station takes a step: out of service it ends only what it began."""
        out = self.progress.out.get(station)
        if out is None:
            return True
        if out.by_fault:
            return False
        return in_chain(trial) or (out.drains and not bring)

    def _arm_at_work(self) -> bool:
        acting = self.progress.acting.values()
        return any(act.station == self.arm for act in acting)

    def _held_by_gripper(self) -> str | None:
        places = [(t.at, t.sample) for t in self.flying]
        places += [(s.at, s.sample) for s in self.progress.strays.values()]
        return next((sample for at, sample in places if at == GRIPPER), None)

    # -- steps ----------------------------------------------------------------------

    def _chain(self, trial: Trial) -> Iterator[Step]:
        """Yield the next step of a trial and those that must follow it at once."""
        if trial.recipe is None:
            return
        for index, step in enumerate(trial.recipe.steps[trial.following :]):
            if index and not step.at_once:
                return
            yield self.floor.routed(step, self.progress)

    def _next(self, trial: Trial, kept: Mapping[str, str]) -> Step | None:
        """Return what a trial may do next, or None while a slot is not free for it."""
        links = list(self._chain(trial))
        if not links:
            return None
        step = links[0]
        free = True
        for link in links:
            holder = self.taken.get(link.slot)
            owner = self.floor.slots.get(link.slot, link.station)
            bring = link is not step or trial.at != link.slot
            open_ = all(
                self._open(one, trial, bring=bring) for one in {owner, link.station}
            )
            if holder not in (None, trial.sample) or link.slot in kept or not open_:
                free = False
        if trial.at == GRIPPER:
            out = self.progress.out.get(self.arm)
            if out is not None and out.by_fault:
                return None  # the arm cannot put it down either
            target = step.slot if free and not step.empty else trial.home
            return transfer(self.arm, GRIPPER, target)
        if not free:
            return None
        if step.empty:
            return step if self.taken.get(step.slot) is None else None
        if trial.at != step.slot:
            return self._carry(trial, step.slot)
        if trial.lift:  # a contact that was bad is made anew
            return self._carry(trial, trial.home)
        return step

    def _carry(self, trial: Trial, target: str) -> Step | None:
        if not self._open(self.arm, trial, bring=True):
            return None
        return transfer(self.arm, trial.at, target)

    # -- slots ----------------------------------------------------------------------

    def _taken(self) -> dict[str, str]:
        """Return slot → sample for each slot with a sample in it, or on its way there."""
        progress = self.progress
        taken = {trial.at: trial.sample for trial in self.flying}
        taken |= {stray.at: stray.sample for stray in progress.strays.values()}
        asked = [question.act for question in progress.questions.values()]
        for act in (*progress.acting.values(), *asked):
            target = act.parameters.get("target")
            if act.operation in CARRYING and isinstance(target, str):
                taken[target] = act.sample
        for trial in self.flying:
            step = trial.next_step
            if trial.acting and step is not None and step.empty:
                step = self.floor.routed(step, progress)
                taken.setdefault(step.slot, trial.sample)
        return taken

    def _kept(self, *, but: str) -> dict[str, str]:
        """Return slot → trial for each slot that a chain under way still needs."""
        kept: dict[str, str] = {}
        for trial in self.flying:
            if trial.id != but and (in_chain(trial) or trial.acting):
                links = list(self._chain(trial))
                if len(links) > 1 or in_chain(trial):
                    kept |= {link.slot: trial.id for link in links}
        return kept

    # -- samples that are nobody's ----------------------------------------------------

    def _strays(self) -> Iterator[Ready]:
        progress = self.progress
        asked = [question.act for question in progress.questions.values()]
        moving = {act.sample for act in (*progress.acting.values(), *asked)}
        for stray in progress.strays.values():
            in_hand = stray.at == GRIPPER
            free = not self._arm_at_work() if in_hand else self.arm not in self.busy
            still = progress.held == "paused" and not in_hand
            out = self.arm in progress.out or still
            if stray.sample not in moving and free and not out:
                yield self._put_away(stray)
                self.busy.add(self.arm)

    def _put_away(self, stray: Stray) -> Ready:
        step = transfer(self.arm, stray.at, stray.home)
        return Ready(stray.trial, stray.sample, step)

    def _unblock(self) -> Iterator[Ready]:
        """Yield the transfer that ends a standstill: the oldest trial's sample goes home.

        Two samples that want each other's slots would wait for ever; one step aside in
        the rack lets the other pass. It need not wait for what else is going on in the
        lab. A sample in a chain is never moved aside.
        """
        if self.arm in self.busy or self.arm in self.progress.out:
            return
        waiting = {trial.sample: trial for trial in self._waiting()}
        for trial in waiting.values():
            step = next(self._chain(trial), None)
            if step is None or in_chain(trial) or trial.at == trial.home:
                continue
            still = not self.progress.acting or self._waits_for_itself(trial, waiting)
            if still and self._open(step.station, trial, bring=True):
                move = transfer(self.arm, trial.at, trial.home)
                yield Ready(trial.id, trial.sample, move)
                return

    def _waits_for_itself(self, trial: Trial, waiting: Mapping[str, Trial]) -> bool:
        """Whether who has the slot that it wants, and so on, ends at its own slot."""
        one, seen = trial, set[str]()
        while one.sample not in seen:
            seen.add(one.sample)
            step = next(self._chain(one), None)
            holder = None if step is None else self.taken.get(step.slot)
            if holder == trial.sample and one is not trial:
                return True
            if holder is None or holder not in waiting:
                return False
            one = waiting[holder]
        return False
