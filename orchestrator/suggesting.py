"""A candidate of a person's own: read, checked as any other, and queued in the ledger.

The flow makes it before it asks the planner again. The event that begins its trial is
the event that takes it out of the queue, so that it is made once, whatever happens. Until
then it can be withdrawn; if both are written at the same moment, the first holds.
"""

from __future__ import annotations

import uuid
from collections.abc import Mapping, Sequence
from pathlib import Path

from orchestrator import units
from orchestrator.campaign import Progress, Suggestion
from orchestrator.config.models import Campaign
from orchestrator.config.read_campaign import load_campaign
from orchestrator.config.strict_yaml import near
from orchestrator.control import COMMAND_LINE
from orchestrator.errors import Refused
from orchestrator.fold import fold
from orchestrator.ledger import Ledger
from orchestrator.recipes import compile_recipe
from planners.data import Candidate, Value
from planners.rules import OnlyIf
from planners.space import Real, Space


def suggest(
    ledger: Ledger,
    data: Path,
    name: str,
    texts: Sequence[str],
    *,
    who: str,
    like: str = "",
    again: bool = False,
    note: str = "",
) -> tuple[Suggestion, Campaign]:
    """Queue a candidate; return it with its campaign.

    Parameters
    ----------
    ledger, data, name:
        The ledger, its data directory, and the id of the campaign in it.
    texts:
        ``parameter=value``, a quantity with its unit; every parameter that counts and that
        ``like`` does not give.
    like:
        The id of a trial whose candidate gives the values that are not written.
    again:
        Whether it may have been made before.

    Raises
    ------
    Refused
        If the campaign has reached its end or has no trial left, or the candidate is
        not of its space, cannot be made safely, or was made or queued before.
    """
    events = ledger.events(name)
    campaign = load_campaign(data / events[0].data["config"], check_drivers=False)
    progress = fold(events)
    if progress.ended and progress.good:
        raise Refused(f"{name}: it has reached its end: {progress.ended}")
    trials = int(events[0].data["trials"])
    if len(progress.trials) + len(progress.suggested) >= trials:
        raise Refused(f"{name}: its budget of {trials} trials is spent")
    candidate = read_candidate(texts, campaign, _values_of(progress, like))
    compile_recipe(campaign, candidate)
    if not again:
        _check_new(candidate, progress)
    made = Suggestion(uuid.uuid4().hex[:8], candidate, who, note)
    ledger.append(
        name,
        "candidate.suggested",
        data={
            "suggestion": made.id,
            "candidate": dict(candidate.values),
            "id": candidate.id,
            "who": who,
            "via": COMMAND_LINE,
            "note": note,
        },
    )
    return made, campaign


def withdraw(
    ledger: Ledger, name: str, suggestion: str, *, who: str, note: str = ""
) -> Suggestion:
    """Take a candidate out of the queue, and return it.

    Raises
    ------
    Refused
        If none with this id is in the queue, or its trial began first.
    """
    queued = fold(ledger.events(name)).suggested
    if suggestion not in queued:
        known = near(suggestion, queued)
        raise Refused(f"--withdraw {suggestion}: nothing to be made: {known}")
    data = {"suggestion": suggestion, "who": who, "via": COMMAND_LINE, "note": note}
    ledger.append(name, "suggestion.withdrawn", data=data)
    for trial in fold(ledger.events(name)).trials.values():
        if trial.suggestion is not None and trial.suggestion.id == suggestion:
            raise Refused(f"--withdraw {suggestion}: too late: it is {trial.id} now")
    return queued[suggestion]


def read_candidate(
    texts: Sequence[str], campaign: Campaign, given: Mapping[str, Value]
) -> Candidate:
    """Return the candidate that a person has written, its numbers in the space's units."""
    parameters = {one.name: one for one in campaign.space.parameters}
    values: dict[str, Value] = {}
    for text in texts:
        name, equals, value = (part.strip() for part in text.partition("="))
        if not equals:
            raise Refused(f'{text}: write parameter=value, e.g. dwell="60 s"')
        if name not in parameters:
            raise Refused(f"{text}: no such parameter: {near(name, parameters)}")
        if name in values:
            raise Refused(f"{text}: {name} is given twice")
        one = parameters[name]
        if isinstance(one, Real):
            try:
                values[name] = units.parse(value, one.unit)
            except units.UnitError as error:
                raise Refused(f"{text}: {error}") from None
        elif value not in one.options:
            why = campaign.refused.get(value) or f"{near(value, one.options)}"
            raise Refused(f"{text}: not among the options of {name}: {why}")
        else:
            values[name] = value
    # What did not count in the trial that gives values was nobody's choice.
    rested = campaign.space.resting(given) if given else {}
    taken = {name: one for name, one in given.items() if name not in rested}
    values = _at_rest({**taken, **values}, set(values), campaign.space)
    if lacking := [name for name in parameters if name not in values]:
        raise Refused(
            f"{', '.join(lacking)}: missing; --like TRIAL takes them from one"
        )
    return Candidate({name: values[name] for name in parameters})


def _at_rest(
    values: Mapping[str, Value], written: set[str], space: Space
) -> dict[str, Value]:
    """Return values with those of the parameters that do not count and are not written."""
    whole = dict(values)
    for rule in space.rules:
        if isinstance(rule, OnlyIf) and rule.parameter not in written:
            known = rule.needs.keys() <= whole.keys()
            if known and not rule.counts(whole):
                whole[rule.parameter] = rule.otherwise
    return whole


def _values_of(progress: Progress, like: str) -> Mapping[str, Value]:
    if not like:
        return {}
    if like not in progress.trials:
        raise Refused(f"--like {like}: no such trial: {near(like, progress.trials)}")
    return progress.trials[like].candidate.values


def _check_new(candidate: Candidate, progress: Progress) -> None:
    rule = "with --again it is made once more"
    for trial in progress.trials.values():
        if trial.candidate.id == candidate.id:
            raise Refused(f"{trial.id} is this candidate already; {rule}")
    for one in progress.suggested.values():
        if one.candidate.id == candidate.id:
            raise Refused(f"{one.who} has suggested this candidate already; {rule}")
