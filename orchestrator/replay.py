"""Make the decisions of a campaign again, from its ledger alone, without a lab.

Each proposal in the ledger says what the planner was told: which trials had been
observed, which were pending, which had failed. `replay` rebuilds that question from the
events *before* the proposal, asks the same planner with the same seed, and compares
candidate by candidate. It also asks whether the rules wanted a proposal of that size
then. What was told is not taken on trust either: the campaign must have been in a
state in which it was so.

A question is asked before its answer is written, and other trials go on in between. So
the state at the asking is one of those since the proposal before; the one whose lists
are those of the question is the one.
"""

from __future__ import annotations

import hashlib
import time
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any, Literal

from orchestrator.campaign import (
    Progress,
    Propose,
    Rules,
    next_action,
    rules_of,
    told,
)
from orchestrator.config.models import Campaign
from orchestrator.fold import fold
from orchestrator.lab import build_planner
from orchestrator.ledger import Event
from planners.data import Candidate, Observation
from planners.protocol import Planner
from planners.space import Space

LISTS = ("observed", "pending", "failed")
"""What a planner is told: the trials of each kind, in the order of the trials."""

_IDLE = ("step.", "measurement", "recipe.")
"""Events, by how their kind begins, that change nothing about what is told or wanted."""


@dataclass(frozen=True, slots=True)
class Call:
    """One call to the planner, as the ledger tells it.

    ``before`` is the campaign when the answer was written, ``told`` the trials of each
    of `LISTS`; ``wanted`` is the most that the rules wanted while that was so, None
    when it never was.
    """

    number: int
    n: int
    seed: int
    campaign_seed: int
    told: Mapping[str, tuple[str, ...]]
    wanted: int | None
    before: Progress
    answer: Mapping[str, Candidate]
    versions: Mapping[str, str]


@dataclass(frozen=True, slots=True)
class Difference:
    """Something that is not as it was.

    ``kind`` is *candidate* (the planner says another one now), *question* (what it was
    told was never so), *rules* (they did not want that many), *seed* (not the
    campaign's) or *planner* (it gives no answer).
    """

    kind: Literal["candidate", "question", "rules", "seed", "planner"]
    trial: str
    text: str
    recorded: Candidate | None = None
    replayed: Candidate | None = None


@dataclass(frozen=True, slots=True)
class Replayed:
    """One proposal made again: how long it took in s, and how it differs."""

    call: Call
    seconds: float
    differences: tuple[Difference, ...]


def replay(events: Iterable[Event], campaign: Campaign) -> Iterator[Replayed]:
    """Yield each proposal of a ledger, made again."""

    @cache
    def planner(seed: int) -> Planner:
        return build_planner(campaign, seed)

    for call in calls(events, campaign):
        began = time.perf_counter()
        found = [*_doubts(call)]
        question = _question(call, campaign.space)
        if isinstance(question, Difference):
            found.append(question)
        else:
            found += _answer(call, planner(call.seed), question)
        yield Replayed(call, time.perf_counter() - began, tuple(found))


def calls(events: Iterable[Event], campaign: Campaign) -> Iterator[Call]:
    """Yield each call to the planner that a ledger tells of."""
    progress, rules = Progress(), Rules(0, 0, 0)
    versions: Mapping[str, str] = {}
    seed, number, last = 0, 0, None
    moments: list[tuple[dict[str, tuple[str, ...]], int]] = []
    call: dict[str, Any] = {}
    for event in events:
        data, kind = event.data, event.kind
        if kind == "campaign.started":
            rules = rules_of(campaign, data)
        if kind in ("campaign.started", "campaign.resumed"):
            seed = int(data.get("seed", seed))
            versions = data.get("versions", versions)
        if kind == "candidate.proposed" and "suggestion" not in data:
            key = [data.get(name) for name in ("proposal", "n", "seed", *LISTS)]
            if key != last:
                if call:
                    yield Call(**call)
                number, last = number + 1, key
                lists = {name: tuple(data.get(name, ())) for name in LISTS}
                call = {
                    "number": number,
                    "n": int(data.get("n", 0)),
                    "seed": int(data["seed"]),
                    "campaign_seed": seed,
                    "told": lists,
                    "wanted": max(
                        (n for so, n in moments if so == lists), default=None
                    ),
                    "before": progress,
                    "answer": {},
                    "versions": versions,
                }
            call["answer"][event.trial] = Candidate(data["candidate"])
            moments.clear()
        progress = fold([event], progress)
        if not kind.startswith(_IDLE):
            wanted = next_action(rules, progress)
            moments.append(
                (told(progress), wanted.n if isinstance(wanted, Propose) else 0)
            )
    if call:
        yield Call(**call)


def changed_files(started: Mapping[str, Any], data: Path, name: str) -> list[str]:
    """Return the copies of a campaign's files that are not what they were."""
    folder = data / "campaigns" / name / "config"
    changed = []
    for file, facts in started.get("files", {}).items():
        path = folder / file
        content = path.read_bytes() if path.is_file() else b""
        if hashlib.sha256(content).hexdigest() != facts["sha256"]:
            changed.append(str(path))
    return changed


def _doubts(call: Call) -> Iterator[Difference]:
    """Yield what the planner should not have been asked."""
    first = next(iter(call.answer))
    size = max(call.n, len(call.answer))
    if call.seed != call.campaign_seed:
        text = f"asked with seed {call.seed}; the campaign's is {call.campaign_seed}"
        yield Difference("seed", first, text)
    if call.wanted is None:
        lists = "; ".join(
            f"{name} {', '.join(trials) or 'none'}"
            for name, trials in call.told.items()
        )
        text = f"the planner was told: {lists}; the campaign was never in that state"
        yield Difference("question", first, text)
    elif size > call.wanted:
        text = f"asked for {size} candidates; the rules wanted {call.wanted}"
        yield Difference("rules", first, text)


Question = tuple[list[Observation], list[Candidate], list[Candidate]]


def _question(call: Call, space: Space) -> Question | Difference:
    """Return what the planner is to be told, or why that cannot be known."""
    first = next(iter(call.answer))
    for name in LISTS:
        for one in call.told[name]:
            trial = call.before.trials.get(one)
            if trial is None:
                return Difference("question", first, f"{name} {one}: no such trial")
            if name == "observed" and trial.observation is None:
                text = f"observed {one}: the ledger has no observation of it"
                return Difference("question", first, text)
            wrong = space.check(trial.candidate)
            if wrong:
                text = f"{name} {one}: not in the search space: {wrong[0]}"
                return Difference("question", first, text)
    trials = call.before.trials
    return (
        [seen for one in call.told["observed"] if (seen := trials[one].observation)],
        [trials[one].candidate for one in call.told["pending"]],
        [trials[one].candidate for one in call.told["failed"]],
    )


def _answer(call: Call, planner: Planner, question: Question) -> Iterator[Difference]:
    """Yield the candidates for which the planner now says another."""
    observed, pending, failed = question
    n = max(call.n, len(call.answer))
    try:
        proposal = planner.propose(n, observed=observed, pending=pending, failed=failed)
    except ValueError as error:  # a `BadQuestion`, or a space that is exhausted
        yield Difference("planner", next(iter(call.answer)), str(error))
        return
    # A call that was interrupted may have written fewer than it was asked for.
    for (trial, recorded), replayed in zip(
        call.answer.items(), proposal.candidates, strict=False
    ):
        if recorded != replayed:
            text = f"{recorded.id} is recorded, {replayed.id} is proposed now"
            yield Difference("candidate", trial, text, recorded, replayed)
