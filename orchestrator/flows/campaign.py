"""The flow of one campaign: propose, act, learn, until the rules say stop.

One flow a campaign, one task a step. The flow's body decides and writes the ledger;
it is its only writer. Whatever ends the body, the guard stops what it has begun.
"""

from __future__ import annotations

import logging
import queue
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict
from pathlib import Path
from typing import Any, Literal

from prefect import flow, get_run_logger
from prefect.futures import PrefectFuture
from prefect.runtime import flow_run
from prefect.task_runners import ThreadPoolTaskRunner

from orchestrator import units
from orchestrator.campaign import (
    Progress,
    Propose,
    Rules,
    Stop,
    Trial,
    fold,
    next_action,
)
from orchestrator.dispatch import Ready, ready
from orchestrator.errors import CampaignFailed, PolyloopError
from orchestrator.flows import tasks
from orchestrator.flows.artifacts import Board
from orchestrator.learning import Failed, Learned, Repeated, learn
from orchestrator.ledger import Event, Ledger
from orchestrator.processes import die_with_parent
from orchestrator.recipes import compile_recipe, parameter_texts
from orchestrator.recovery import recover
from orchestrator.station.acts import ActRecord, ActState
from orchestrator.station.client import StationClient, StationError
from planners.data import Candidate, Proposal
from planners.space import Space

log = logging.getLogger(__name__)


class Interrupted(PolyloopError):
    """Somebody stopped the acts of this flow; it can be resumed."""


Done = tuple[Literal["act", "propose"], str, PrefectFuture[Any]]


@flow(
    name="campaign",
    task_runner=ThreadPoolTaskRunner(max_workers=16),  # type: ignore[arg-type]
    persist_result=False,
    retries=0,
)
def campaign(campaign_id: str, data: str, config: str, station: str) -> str:
    """Run a campaign from what its ledger says until its rules say stop.

    Parameters
    ----------
    campaign_id:
        The campaign's name in the ledger.
    data:
        The data directory.
    config:
        The campaign file, as it was copied when the campaign began.
    station:
        The address of the station service.
    """
    die_with_parent()
    client = tasks.station_client(station)
    ledger = Ledger.at(Path(data))
    owner = f"{campaign_id}/{flow_run.get_id()}"
    with guard(client, ledger, campaign_id, owner):
        return Loop(ledger, client, campaign_id, config, owner).run()


@contextmanager
def guard(
    client: StationClient, ledger: Ledger, campaign_id: str, owner: str
) -> Iterator[None]:
    """Stop every act of ``owner`` when the body ends badly, whatever ended it.

    Prefect's cancel raises a `BaseException` in the main thread; this has to be
    entered inside the flow body so that it unwinds before the task pool is joined.
    """
    try:
        yield
    except BaseException as error:
        reason = str(error) or f"the flow was stopped ({type(error).__name__})"
        try:
            client.abort(owner, reason)
        except StationError as lost:
            log.warning("instruments not stopped by the flow: %s", lost)
        if not isinstance(error, CampaignFailed):
            ledger.append(campaign_id, "campaign.paused", data={"reason": reason})
        raise


class Loop:
    """The propose–act–learn loop of one campaign, driven by what has ended."""

    def __init__(
        self,
        ledger: Ledger,
        client: StationClient,
        campaign_id: str,
        config: str,
        owner: str,
    ) -> None:
        self.ledger = ledger
        self.client = client
        self.id = campaign_id
        self.config = config
        self.owner = owner
        self.campaign = tasks.campaign_of(config)
        self.arm = self.campaign.lab.arm
        self.progress = Progress()
        self.log = get_run_logger()
        started = ledger.events(campaign_id)[0].data
        self.seed = int(started["seed"])
        self.rules = Rules(
            trials=int(started["trials"]),
            in_flight=self.campaign.in_flight,
            substrates=len(self.campaign.lab.substrates),
        )
        self._done: queue.Queue[Done] = queue.Queue()
        self._asking = False
        self.board = Board(str(flow_run.get_id()), campaign_id, ledger)

    def run(self) -> str:
        """Run to the end and return the reason for it.

        Raises
        ------
        CampaignFailed
            When the campaign cannot go on.
        """
        self.progress = fold(self.ledger.events(self.id))
        for kind, trial, data in recover(self.progress, self.client, self._substrate):
            self._write(kind, trial=trial, data=data)
        self._catch_up()
        while True:
            wanted = next_action(self.rules, self.progress)
            if isinstance(wanted, Propose) and not self._asking:
                self._ask(wanted.n)
            for act in ready(self.progress, self.arm):
                self._begin(act)
            if not (self.progress.acting or self._asking):
                if isinstance(wanted, Stop):
                    break
                message = "standstill: no step of any trial can start"
                self._write("campaign.ended", data={"reason": message, "good": False})
                raise CampaignFailed(message)
            self._take(*self._done.get())
        self.board.close()
        self._write(
            "campaign.ended", data={"reason": wanted.reason, "good": wanted.good}
        )
        if not wanted.good:
            raise CampaignFailed(wanted.reason)
        return wanted.reason

    def _catch_up(self) -> None:
        """Do what should have followed from the last event when the flow was stopped."""
        for name in [trial.id for trial in self.progress.in_flight]:
            if not self.progress.trials[name].sample:
                self._write("trial.started", trial=name, data=self._substrate())
            if self.progress.trials[name].recipe is None:
                self._compile(name, self.progress.trials[name].candidate)
            trial = self.progress.trials[name]
            if trial.recipe is not None and trial.following and not trial.acting:
                last = trial.recipe.steps[trial.following - 1].name
                known = {uid for one in trial.measurements for uid in one.runs}
                if trial.next_step is None or trial.runs[last] not in known:
                    self._learn(trial, last)

    def _take(self, kind: str, key: str, future: PrefectFuture[Any]) -> None:
        """Write down what has ended, and learn from it."""
        answer = future.result(raise_on_failure=True)
        if kind == "act":
            self._after_act(key, answer)
        else:
            self._asking = False
            self._start_trials(answer)

    def _ask(self, n: int) -> None:
        """Ask the planner; its answer is taken when it is there."""
        self._asking = True
        trials = self.progress.trials.values()
        observed = [trial for trial in trials if trial.observation]
        pending = self.progress.in_flight
        failed = [t for t in trials if not t.in_flight and not t.observation]
        self._question = {
            "seed": self.seed,
            "observed": [trial.id for trial in observed],
            "pending": [trial.id for trial in pending],
            "failed": [trial.id for trial in failed],
        }
        future = tasks.propose.submit(
            self.config,
            self.seed,
            n,
            [trial.observation for trial in observed if trial.observation],
            [trial.candidate for trial in pending],
            [trial.candidate for trial in failed],
        )
        future.add_done_callback(lambda one: self._done.put(("propose", "", one)))

    def _start_trials(self, proposal: Proposal) -> None:
        """Give each candidate a trial, a substrate and a recipe."""
        for candidate in proposal.candidates:
            trial = f"t{len(self.progress.trials) + 1:03d}"
            self._write(
                "candidate.proposed",
                trial=trial,
                data={
                    "candidate": dict(candidate.values),
                    "id": candidate.id,
                    "card": dict(proposal.card),
                    **self._question,
                },
            )
            self._write("trial.started", trial=trial, data=self._substrate())
            self._compile(trial, candidate)

    def _compile(self, trial: str, candidate: Candidate) -> None:
        try:
            recipe = compile_recipe(self.campaign, candidate)
        except PolyloopError as error:
            self._write("trial.failed", trial=trial, data={"reason": str(error)})
        else:
            self._write("recipe.compiled", trial=trial, data={"recipe": asdict(recipe)})

    def _substrate(self) -> dict[str, str]:
        """Return the next bare substrate: its name and the rack slot it lies in."""
        free = (
            one for one in self.campaign.lab.substrates if one not in self.progress.used
        )
        home = next(free)
        return {"sample": f"{self.id}/{home}", "home": home}

    def _begin(self, one: Ready) -> None:
        """Write an act down, then have it done."""
        trial, step = self.progress.trials[one.trial], one.step
        action = f"{self.id}.{trial.id}.{trial.acts + 1:03d}"
        self._write(
            "step.intended",
            trial=trial.id,
            data={
                "action": action,
                "step": step.name,
                "operation": step.operation,
                "station": step.station,
                "slot": step.slot,
                "sample": one.sample,
                "parameters": dict(step.parameters),
                "duration": step.duration,
            },
        )
        future = tasks.act.submit(
            self.client.address,
            self.owner,
            action,
            step.station,
            one.sample.rpartition("/")[2],
            one.sample,
            step.name,
            trial.id,
            step,
        )
        future.add_done_callback(lambda done: self._done.put(("act", action, done)))

    def _after_act(self, action: str, record: ActRecord) -> None:
        if record.state is ActState.ABORTED:
            raise Interrupted(record.reason)  # what it means is for `recover` to say
        act = self.progress.acting[action]
        facts = {
            "action": action,
            "step": act.step,
            "operation": act.operation,
            "station": act.station,
            "sample": act.sample,
            "run_uid": record.run_uid,
            "started": record.sent,
            "ended": record.ended,
            "lab_seconds": record.lab_seconds,
        }
        if record.state is ActState.DONE:
            self._write("step.done", trial=act.trial, data=facts)
        else:
            facts["reason"] = record.reason
            self._write("step.failed", trial=act.trial, data=facts)
            trial = self.progress.trials[act.trial]
            if trial.in_flight and act.sample == trial.sample:
                reason = f"{act.step} at {act.station}: {record.reason}"
                self._write("trial.failed", trial=act.trial, data={"reason": reason})
        trial = self.progress.trials[act.trial]
        if trial.in_flight and act.sample == trial.sample:
            self._learn(trial, act.step)

    def _learn(self, trial: Trial, step: str) -> None:
        """Work out what the step just done allows, and write down what it says."""
        for lesson in learn(
            trial, step, self.campaign.objectives, self.client.documents
        ):
            match lesson:
                case Learned(measurement):
                    data = {**asdict(measurement), "sample": trial.sample, "step": step}
                    self._write("measurement", trial=trial.id, data=data)
                case Repeated(name, reason):
                    data = {"step": name, "reason": reason}
                    self._write("step.repeated", trial=trial.id, data=data)
                case Failed(reason):
                    self._write("trial.failed", trial=trial.id, data={"reason": reason})
                case observation:
                    self._write(
                        "observation",
                        trial=trial.id,
                        data={
                            "candidate": dict(observation.candidate.values),
                            "estimates": {
                                name: asdict(one)
                                for name, one in observation.estimates.items()
                            },
                        },
                    )
        if not self.progress.trials[trial.id].in_flight:
            self.board.show()

    def _write(self, kind: str, *, trial: str = "", data: dict[str, Any]) -> None:
        """Append to the ledger, and to the state that follows from it."""
        event = self.ledger.append(self.id, kind, trial=trial, data=data)
        self.progress = fold([event], self.progress)
        line = _line(event, self.campaign.space)
        if line:
            self.log.info("%s", line)


def _line(event: Event, space: Space) -> str:
    """Return what an event says to the reader of the flow run's log, or nothing."""
    data, trial = event.data, event.trial
    match event.kind:
        case "candidate.proposed":
            texts = parameter_texts(Candidate(data["candidate"]), space)
            return f"{trial} proposed: {', '.join(text for _, text in texts)}"
        case "trial.started":
            return f"{trial} started on {data['sample']}"
        case "step.failed":
            return (
                f"{trial} {data['step']} at {data['station']} failed: {data['reason']}"
            )
        case "step.repeated":
            return f"{trial} {data['step']} is repeated: {data['reason']}"
        case "measurement":
            value = units.show(data["value"], data["unit"], data["std"])
            doubts = "" if data["believed"] else " (not believed)"
            return f"{trial} {data['quantity']}: {value}{doubts}"
        case "trial.failed" | "sample.discarded" | "campaign.paused" | "campaign.ended":
            return f"{trial} {event.kind}: {data['reason']}".strip()
        case _:
            return ""
