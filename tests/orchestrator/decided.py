"""A campaign without a lab: real decisions, real ledger, results from a formula."""

from __future__ import annotations

import math
import random
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from orchestrator.campaign import Make, Progress, Propose, next_action
from orchestrator.config.read_campaign import load_campaign
from orchestrator.fold import fold
from orchestrator.lab import build_planner
from orchestrator.launcher import Options, begin
from orchestrator.ledger import Event, Ledger
from orchestrator.replay import rules_of
from planners.data import Candidate
from tests.orchestrator.lab_files import LabFiles


def conductivity(candidate: Candidate) -> float:
    """Return a smooth made-up conductivity, in S/cm."""
    values = candidate.values
    warmth = (float(values["treatment_temperature"]) - 110.0) / 50.0
    return 800.0 * math.exp(-(warmth**2)) * float(values["acid_concentration"]) ** 0.3


@dataclass
class Decided:
    """A ledger that holds the decisions of a campaign."""

    data: Path
    name: str

    @classmethod
    def begun(
        cls,
        home: Path,
        planner: str,
        trials: int,
        *,
        seed: int = 3,
        edits: Mapping[str, str] | None = None,
    ) -> Decided:
        files = LabFiles.copied(home / "files")
        for old, new in (edits or {}).items():
            files.edit("campaign.yaml", old, new)
        files.edit(
            "campaign.yaml", "name: bayes, initial: 8", f"name: {planner}, initial: 4"
        )
        data = home / "data"
        options = Options(data)
        path = files.path("campaign.yaml")
        return cls(data, begin(path, options, trials=trials, seed=seed))

    def run(self, *, until: int | None = None, failing: int = 4) -> Decided:
        """Decide as the flow does, every ``failing``-th trial fails.

        Trials end while the planner is thinking, too: its answer is written later.
        ``until``: stop when that many trials have been proposed.
        """
        ledger = Ledger.of(self.data)
        events = ledger.events(self.name)
        campaign = load_campaign(
            self.data / events[0].data["config"], check_drivers=False
        )
        rules = rules_of(campaign, events[0].data)
        seed = int(events[0].data["seed"])
        planner = build_planner(campaign, seed)
        progress = fold(events)
        draw = random.Random(0)

        def write(kind: str, trial: str = "", **data: Any) -> None:
            nonlocal progress
            event = ledger.append(self.name, kind, trial=trial, data=data)
            progress = fold([event], progress)

        def end(trial: str) -> None:
            number = int(trial[1:])
            candidate = progress.trials[trial].candidate
            if number % failing == 0:
                write("trial.failed", trial, reason="test")
                return
            value = conductivity(candidate)
            estimates = {"conductivity": {"value": value, "std": 0.03 * value}}
            values = dict(candidate.values)
            write("observation", trial, candidate=values, estimates=estimates)

        proposals = 0
        while until is None or len(progress.trials) < until:
            wanted = next_action(rules, progress)
            if isinstance(wanted, Make):
                one = wanted.suggestion
                trial = f"t{len(progress.trials) + 1:03d}"
                write(
                    "candidate.proposed", trial, candidate=dict(one.candidate.values),
                    id=one.candidate.id, card={}, by="person", suggestion=one.id,
                )  # fmt: skip
                home = f"rack.{len(progress.trials)}"
                write("trial.started", trial, sample=f"x/{home}", home=home)
            elif isinstance(wanted, Propose):
                proposals += 1
                question = _question(progress, seed, proposals, wanted.n)
                trials = progress.trials
                proposal = planner.propose(
                    wanted.n,
                    observed=[o for t in question["observed"] if (o := trials[t].observation)],
                    pending=[trials[t].candidate for t in question["pending"]],
                    failed=[trials[t].candidate for t in question["failed"]],
                )  # fmt: skip
                if question["pending"] and draw.random() < 0.5:
                    end(question["pending"][0])
                for candidate in proposal.candidates:
                    trial = f"t{len(progress.trials) + 1:03d}"
                    write(
                        "candidate.proposed", trial, candidate=dict(candidate.values),
                        id=candidate.id, card=dict(proposal.card), **question,
                    )  # fmt: skip
                    home = f"rack.{len(progress.trials)}"
                    write("trial.started", trial, sample=f"x/{home}", home=home)
            elif not progress.in_flight:
                break
            else:
                end(draw.choice(progress.in_flight).id)
        ledger.close()
        return self

    def add(self, kind: str, **data: Any) -> None:
        ledger = Ledger.of(self.data)
        ledger.append(self.name, kind, data=data)
        ledger.close()

    def events(self) -> list[Event]:
        ledger = Ledger.of(self.data)
        events = ledger.events(self.name)
        ledger.close()
        return events

    def rewritten(self, change: Callable[[Event], Event | None]) -> Decided:
        """Write the campaign anew, event by event, into another ledger beside it."""
        events = [new for old in self.events() if (new := change(old)) is not None]
        (self.data / "ledger.db").unlink()
        ledger = Ledger.at(self.data)
        for event in events:
            ledger.append(self.name, event.kind, trial=event.trial, data=event.data)
        ledger.close()
        return self


def _question(progress: Progress, seed: int, number: int, n: int) -> dict[str, Any]:
    trials = progress.trials.values()
    return {
        "proposal": number,
        "n": n,
        "seed": seed,
        "observed": [trial.id for trial in trials if trial.observation],
        "pending": [trial.id for trial in trials if trial.in_flight],
        "failed": [t.id for t in trials if not t.in_flight and not t.observation],
    }
