"""How a campaign goes on after it was stopped: what happened to each act cut short.

The station service knows how far an act came. What it finished is taken as done. A
step that only looks, or only warms a plate, is done again on a sample put back into its
slot. A sample in a
stopped transfer is where the run's readings say it is. Any other act cut short has
spoilt its sample: the trial starts again on a new substrate, and the old one is put
away. No candidate is lost, and nothing is repeated on the same film.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any, Protocol

from orchestrator.campaign import CARRYING, GRIPPER, Act, Progress, Trial
from orchestrator.dispatch import in_chain
from orchestrator.station.acts import ActRecord, ActState

REPEATABLE = ("reach", "light", "van_der_pauw", "step_height")
"""Operations that leave a sample as it was."""

Entry = tuple[str, str, dict[str, Any]]
"""What to append to the ledger: kind, trial, data."""


class KnowsActs(Protocol):
    """Something that can be asked how an act went."""

    def find(self, action: str) -> ActRecord | None:
        """Return the act, or None when it was never begun."""
        ...


def recover(
    progress: Progress, station: KnowsActs, substrate: Callable[[], dict[str, str]]
) -> Iterator[Entry]:
    """Yield what to append so that the campaign can go on from where it stopped.

    Parameters
    ----------
    progress:
        The state when the campaign was stopped.
    station:
        The station service that was asked to carry out the acts.
    substrate:
        Returns the next bare substrate; asked after each entry was appended.
    """
    spoilt: dict[str, str] = {}
    for act in progress.acting.values():
        record = station.find(act.id)
        facts: dict[str, Any] = {
            "action": act.id,
            "step": act.step,
            "operation": act.operation,
            "station": act.station,
            "sample": act.sample,
        }
        if record is not None and record.state is ActState.DONE:
            facts |= {
                "run_uid": record.run_uid,
                "started": record.sent,
                "ended": record.ended,
                "lab_seconds": record.lab_seconds,
            }
            yield "step.done", act.trial, facts
            continue
        begun = record is not None and record.sent is not None
        reason = (record.reason if record else "") or "never begun"
        yield "step.failed", act.trial, {**facts, "reason": reason}
        if not begun or record is None:
            continue
        if act.operation in CARRYING:
            at = _found(act, record.events)
            yield "sample.found", act.trial, {"sample": act.sample, "at": at}
        elif act.operation in REPEATABLE:
            again = {"step": act.step, "reason": reason, "doubted": False}
            yield "step.repeated", act.trial, again
        else:
            spoilt[act.trial] = f"{act.step} was cut short: {reason}"
    for trial in progress.in_flight:
        if in_chain(trial) and trial.id not in spoilt:
            spoilt[trial.id] = f"stopped before {_name(trial)}, which may not wait"
    for name, reason in spoilt.items():
        trial = progress.trials[name]
        if not trial.in_flight:
            continue
        act_at = [a for a in progress.acting.values() if a.sample == trial.sample]
        record = station.find(act_at[0].id) if act_at else None
        at = trial.at
        if act_at and record and act_at[0].operation in CARRYING:
            at = _found(act_at[0], record.events)
        yield (
            "sample.discarded",
            name,
            {"sample": trial.sample, "at": at, "reason": reason},
        )
        yield "trial.started", name, substrate()


def _found(act: Act, events: int) -> str:
    """Return where a stopped transfer left its sample, by the readings of its run.

    `transfer` reads once the sample is gripped and once it is let go; `put_away` only
    the latter.
    """
    carried = (
        ["source", GRIPPER, "target"]
        if act.operation == "transfer"
        else [GRIPPER, "target"]
    )
    place = carried[min(events, len(carried) - 1)]
    return GRIPPER if place == GRIPPER else str(act.parameters[place])


def _name(trial: Trial) -> str:
    step = trial.next_step
    return step.name if step else "its end"
