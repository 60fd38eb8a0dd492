"""Which act comes next: pure, from the state of the campaign to the acts that may start.

The arm brings a sample to the slot of its next step; recipes never mention that. A
step starts when its station is free and its sample is in its slot. Steps marked
``at_once`` form a chain with the step before them: a chain starts only when every
slot it needs is free, and those slots are kept for it until it ends, so that acid is
never left on a film because the next slot is taken.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from orchestrator.campaign import CARRYING, GRIPPER, Progress, Stray, Trial
from orchestrator.records import Step


@dataclass(frozen=True, slots=True)
class Ready:
    """An act that may start now, of one trial's sample."""

    trial: str
    sample: str
    step: Step


def transfer(arm: str, source: str, target: str, duration: float = 30.0) -> Step:
    """Return the step that brings a sample from one slot to another."""
    if source == GRIPPER:
        return Step("put_away", "put_away", arm, target, {"target": target}, duration)
    parameters = {"source": source, "target": target}
    return Step("transfer", "transfer", arm, target, parameters, duration)


def ready(progress: Progress, arm: str) -> list[Ready]:
    """Return the acts that may start now, none of which gets in the way of another.

    Parameters
    ----------
    progress:
        The state of the campaign.
    arm:
        The name of the station that carries samples.
    """
    busy = {act.station for act in progress.acting.values()}
    taken = _taken(progress)
    acts: list[Ready] = []
    trials = sorted(
        (trial for trial in progress.in_flight if not trial.acting),
        key=lambda trial: not in_chain(trial),
    )
    for trial in trials:
        kept = _kept(progress, but=trial.id)
        step = _next(trial, arm, taken, kept)
        if step is None or step.station in busy:
            continue
        acts.append(Ready(trial.id, trial.sample, step))
        busy.add(step.station)
        taken.setdefault(step.slot, trial.sample)
    for stray in progress.strays.values():
        moving = any(act.sample == stray.sample for act in progress.acting.values())
        if not moving and arm not in busy:
            acts.append(_put_away(stray, arm))
            busy.add(arm)
    if not acts and not progress.acting:
        acts.extend(_unblock(progress, arm))
    return acts


def in_chain(trial: Trial) -> bool:
    """Whether the trial's next step may not wait."""
    step = trial.next_step
    return step is not None and step.at_once


def _chain(trial: Trial) -> Iterator[Step]:
    """Yield the next step of a trial and those that must follow it at once."""
    if trial.recipe is None:
        return
    for index, step in enumerate(trial.recipe.steps[trial.following :]):
        if index and not step.at_once:
            return
        yield step


def _next(
    trial: Trial, arm: str, taken: dict[str, str], kept: dict[str, str]
) -> Step | None:
    """Return what a trial may do next, or None while a slot is not free for it."""
    step = trial.next_step
    if step is None:
        return None
    for link in _chain(trial):
        holder = taken.get(link.slot)
        if holder not in (None, trial.sample) or link.slot in kept:
            return None
    if step.empty:
        return step if taken.get(step.slot) is None else None
    if trial.at != step.slot:
        return transfer(arm, trial.at, step.slot)
    if trial.lift:  # a contact that was bad is made anew
        return transfer(arm, trial.at, trial.home)
    return step


def _taken(progress: Progress) -> dict[str, str]:
    """Return slot → sample for each slot with a sample in it, or on its way there."""
    taken = {trial.at: trial.sample for trial in progress.in_flight}
    taken |= {stray.at: stray.sample for stray in progress.strays.values()}
    for act in progress.acting.values():
        target = act.parameters.get("target")
        if act.operation in CARRYING and isinstance(target, str):
            taken[target] = act.sample
    for trial in progress.in_flight:
        step = trial.next_step
        if trial.acting and step is not None and step.empty:
            taken.setdefault(step.slot, trial.sample)
    return taken


def _kept(progress: Progress, *, but: str) -> dict[str, str]:
    """Return slot → trial for each slot that a chain under way still needs."""
    kept: dict[str, str] = {}
    for trial in progress.in_flight:
        if trial.id != but and (in_chain(trial) or trial.acting):
            links = list(_chain(trial))
            if len(links) > 1 or in_chain(trial):
                kept |= {link.slot: trial.id for link in links}
    return kept


def _put_away(stray: Stray, arm: str) -> Ready:
    return Ready(stray.trial, stray.sample, transfer(arm, stray.at, stray.home))


def _unblock(progress: Progress, arm: str) -> list[Ready]:
    """Return the transfer that ends a standstill: the oldest trial's sample goes home.

    Two samples that want each other's slots would wait for ever; one step aside in
    the rack lets the other pass. A sample in a chain is never moved aside.
    """
    for trial in progress.in_flight:
        step = trial.next_step
        if step is not None and not in_chain(trial) and trial.at != trial.home:
            move = transfer(arm, trial.at, trial.home)
            return [Ready(trial.id, trial.sample, move)]
    return []
