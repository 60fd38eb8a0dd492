"""The propose–act–learn loop of one campaign, driven by what has ended.

It decides, and writes the ledger. Others write there too: a person's commands and
answers are events, and the loop follows them within `TICK`.
"""

from __future__ import annotations

import queue
import time
from dataclasses import asdict
from functools import partial
from typing import Any

from prefect import get_run_logger
from prefect.futures import PrefectFuture
from prefect.utilities.annotations import quote

from orchestrator.campaign import (
    Make,
    Progress,
    Propose,
    Stop,
    Trial,
    Wait,
    draining,
    next_action,
    rules_of,
    told,
)
from orchestrator.chemical_gate import check_steps
from orchestrator.dispatch import Floor, Ready, Twin, ready
from orchestrator.errors import CampaignFailed, PolyloopError
from orchestrator.flows import tasks
from orchestrator.flows.alerts import Kind, alert
from orchestrator.flows.artifacts import Board
from orchestrator.flows.counter import Counter, waits_for_prefect
from orchestrator.flows.story import line_of
from orchestrator.flows.watch import Heartbeat, overruns
from orchestrator.fold import fold
from orchestrator.learning import Failed, Learned, Repeated, as_made, learn
from orchestrator.ledger import Event, Ledger
from orchestrator.recipes import compile_recipe
from orchestrator.records import Recipe
from orchestrator.recovery import RESTARTS, Entry, Settlement, recover
from orchestrator.station.acts import ActRecord, ActState
from orchestrator.station.client import StationClient, StationError
from planners.data import Candidate, Proposal

PATIENCE = 30.0
"""Real seconds that the end of a campaign waits for its last picture in Prefect."""
TICK = 0.5
"""Real seconds between two looks at the ledger for what persons want."""

STANDING = "standing still"
"""What an alert is about when nothing can go on: one until something does."""

Done = tuple[str, str, PrefectFuture[Any]]
"""What has ended: act, propose or back; of what; and how."""


class Interrupted(PolyloopError):
    """The campaign stops for now; it can be resumed."""


class Loop:
    """One campaign, from what its ledger says until its rules say stop."""

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
        self.log = get_run_logger()
        lab = self.campaign.lab
        started = next(ledger.stream(campaign_id))
        self.seed = int(started.data["seed"])
        self.rules = rules_of(self.campaign, started.data)
        self.floor = Floor(
            lab.arm,
            {
                name: Twin(lab.stations[name].twin, slots)
                for name, slots in lab.twins.items()
            },
            {slot: one.name for one in lab.stations.values() for slot in one.slots},
            tuple(lab.stations),
        )
        state = client.state()
        self.found = state["found"]
        self.speed = float(state["speed"])
        self.settlement = Settlement(
            self.campaign.when_unanswered, self._substrate, self.speed
        )
        self.progress = Progress()
        self.heartbeat = Heartbeat(client)
        self.counter = Counter(self.campaign, campaign_id, ledger, client)
        self.board = Board(self.counter.flow_run, started)
        self._done: queue.Queue[Done] = queue.Queue()
        self._asking = False
        self._proposals = 0
        self._alerted: set[str] = set()
        self._patience = 0.0
        self._returning: set[str] = set()

    def run(self) -> str:
        """Run to the end and return the reason for it.

        Raises
        ------
        CampaignFailed
            When the campaign cannot go on.
        Interrupted
            When it stops for now.
        """
        for event in self.ledger.stream(self.id):
            self.progress = fold([event], self.progress)
            self._proposals = max(self._proposals, int(event.data.get("proposal", 0)))
        self._write_all(
            recover(
                lambda: self.progress,
                self.client,
                self.settlement,
                now=time.time(),
                found=self.found,
            )
        )
        self._catch_up()
        while True:
            self._follow_persons()
            wanted = self._next()
            if isinstance(wanted, Propose) and not self._asking:
                self._ask(wanted.n)
            for act in ready(self.progress, self.floor):
                self._begin(act)
            if not (self.progress.acting or self._asking):
                if isinstance(wanted, Stop) and not self._waits(wanted):
                    break
                self._stand_still()
            self._watch()
            try:
                self._take(*self._done.get(timeout=TICK))
            except queue.Empty:
                continue
        self._patience = PATIENCE
        if wanted.resumable:
            raise Interrupted(wanted.reason)
        self._write(
            "campaign.ended", data={"reason": wanted.reason, "good": wanted.good}
        )
        if not wanted.good:
            raise CampaignFailed(wanted.reason)
        return wanted.reason

    def close(self) -> None:
        """End the threads that the loop has begun; the last picture is drawn."""
        self.heartbeat.close()
        self.board.show(self.progress)
        self.board.close(self._patience)
        self.counter.close(self._patience)

    # -- persons ------------------------------------------------------------------------

    def _follow_persons(self) -> None:
        """Read what others have said and written, and do what follows from it."""
        self.counter.listen(self.progress)
        self._sync()
        self.counter.show(self.progress)
        if self.progress.stop:
            raise Interrupted(self.progress.stop)
        for question in list(self.progress.questions.values()):
            if question.answer:
                trial = self.progress.trials[question.act.trial]
                self._write_all(self.settlement.answered(question, trial))
        self._put_back()
        for trial in self.progress.in_flight:
            if trial.condemned and not trial.acting:
                reason = f"discarded {trial.condemned}"
                self._write_all(
                    self.settlement.discard(trial, trial.sample, trial.at, reason)
                )

    def _sync(self) -> None:
        """Fold what is new in the ledger, whoever wrote it."""
        for event in self.ledger.events(self.id, after=self.progress.seq):
            self.progress = fold([event], self.progress)
            if line := line_of(event, self.campaign.space):
                self.log.info("%s", line)

    def _put_back(self) -> None:
        """Have stations prepared that a person wants back after a fault."""
        for name, out in self.progress.out.items():
            if out.returning and name not in self._returning:
                self._returning.add(name)
                future = tasks.put_back.submit(self.client.address, name)
                future.add_done_callback(partial(self._put, "back", name))

    def _put(self, kind: str, key: str, done: PrefectFuture[Any]) -> None:
        self._done.put((kind, key, done))

    def _is_back(self, station: str, trouble: str) -> None:
        self._returning.discard(station)
        verb, note = (
            ("pause", f"cannot be put back: {trouble}") if trouble else ("", "")
        )
        self._write(
            "control",
            data={
                "verb": verb or "in_service",
                "subject": "station",
                "name": station,
                "who": "polyloop",
                "via": "fault",
                "note": note,
            },
        )

    def _waits(self, stop: Stop) -> bool:
        """Whether a stop for now is none, because the campaign goes on by itself."""
        return stop.resumable and waits_for_prefect(self.progress)

    def _stand_still(self) -> None:
        """Wait for a person, or stop, when no step of any trial can start."""
        progress = self.progress
        if waits_for_prefect(progress):
            self._alert("person", STANDING, self._waits_for())
            return
        by_person = [
            one for one in progress.out.values() if one.returning or not one.by_fault
        ]
        resting = any(trial.resting for trial in progress.in_flight)
        if progress.questions or progress.held == "paused" or by_person or resting:
            self._alert("person", STANDING, self._waits_for())
            return
        if why := draining(self.rules, progress):
            names = ", ".join(trial.id for trial in progress.in_flight)
            raise Interrupted(f"{why}; waiting for it: {names}")
        message = "standstill: no step of any trial can start"
        self._write("campaign.ended", data={"reason": message, "good": False})
        raise CampaignFailed(message)

    def _waits_for(self) -> str:
        progress = self.progress
        waits = [f"question {one.id}" for one in progress.questions.values()]
        waits += [f"station {name}: {one.reason}" for name, one in progress.out.items()]
        waits += [f"{t.sample} is paused" for t in progress.in_flight if t.resting]
        if progress.held:
            waits.append(f"the campaign is {progress.held} by {progress.held_by}")
        return f"{self.id} stands still: {'; '.join(waits)}"

    # -- watching -----------------------------------------------------------------------

    def _watch(self) -> None:
        """Tell a person of what takes too long, of silence, and of open questions."""
        for late in overruns(self.progress.acting.values(), self.speed, time.time()):
            self._alert("overrun", late.act.id, late.text, late.act.station)
        if silence := self.heartbeat.silence:
            text = f"the station service has not answered for {silence:.0f} s"
            self._alert("silence", "station service", text)
        else:
            self._alerted.discard("silence station service")
        for question in self.progress.questions.values():
            if not question.answer:
                self._alert("person", question.id, question.text, question.act.station)
        for name in self.floor.stations:
            out = self.progress.out.get(name)
            if out is None or not out.by_fault:
                self._alerted.discard(f"person station {name}")
            else:
                text = f"station {name} is out of service: {out.reason}"
                self._alert("person", f"station {name}", text, name)

    def _alert(self, kind: Kind, about: str, text: str, station: str = "") -> None:
        """Raise an alert once."""
        if f"{kind} {about}" in self._alerted:
            return
        self._alerted.add(f"{kind} {about}")
        data = {"alert": kind, "text": text, "about": about, "station": station}
        self._write("alert", data=data)
        alert(kind, text, campaign=self.id, station=station)

    # -- trials -------------------------------------------------------------------------

    def _catch_up(self) -> None:
        """Do what should have followed from the last event when the flow was stopped."""
        for name in [trial.id for trial in self.progress.in_flight]:
            trial = self.progress.trials[name]
            if not trial.sample and trial.restarts > RESTARTS:
                why = f"{trial.restarts} samples were spoilt"
                self._write("trial.failed", trial=name, data={"reason": why})
            elif not trial.sample:
                self._start(name)
            recipe = self.progress.trials[name].recipe
            if recipe is None:
                self._compile(name, self.progress.trials[name].candidate)
            else:
                self._hold_safe(name, recipe)
            trial = self.progress.trials[name]
            if trial.in_flight and trial.last_step is not None and not trial.acting:
                last = trial.last_step.name
                known = {uid for one in trial.measurements for uid in one.runs}
                if trial.next_step is None or trial.runs[last] not in known:
                    self._learn(trial, last)

    def _take(self, kind: str, key: str, future: PrefectFuture[Any]) -> None:
        """Write down what has ended, and learn from it."""
        tasks.forget(future)
        try:
            answer = future.result(raise_on_failure=True)
        except StationError as error:
            raise Interrupted(str(error)) from error
        if kind == "act":
            self._after_act(key, answer)
        elif kind == "back":
            self._is_back(key, answer)
        else:
            self._asking = False
            self._start_trials(answer)

    def _next(self) -> Propose | Wait | Stop:
        """Return what comes next, once all is begun that persons want made first.

        While the planner is being asked, the room is promised to its answer.
        """
        while isinstance(wanted := next_action(self.rules, self.progress), Make):
            if self._asking:
                return Wait()
            one = wanted.suggestion
            origin = {"suggestion": one.id, "by": "person", "who": one.who}
            self._begin_trial(one.candidate, {**origin, "note": one.note, "card": {}})
        return wanted

    def _ask(self, n: int) -> None:
        """Ask the planner; its answer is taken when it is there."""
        self._asking = True
        trials, lists = self.progress.trials, told(self.progress)
        self._proposals += 1
        self._question = {
            "proposal": self._proposals,
            "n": n,
            "seed": self.seed,
            **{name: list(names) for name, names in lists.items()},
        }
        future = tasks.propose.submit(
            self.config,
            self.seed,
            n,
            # Quoted: Prefect would look for tasks in every number of every observation.
            quote([o for one in lists["observed"] if (o := trials[one].observation)]),
            quote([trials[one].candidate for one in lists["pending"]]),
            quote([trials[one].candidate for one in lists["failed"]]),
        )
        future.add_done_callback(partial(self._put, "propose", ""))

    def _start_trials(self, proposal: Proposal) -> None:
        """Begin a trial of each candidate of a proposal."""
        for candidate in proposal.candidates:
            asked = {"card": dict(proposal.card), **self._question}
            self._begin_trial(candidate, asked)

    def _begin_trial(self, candidate: Candidate, origin: dict[str, Any]) -> None:
        """Give a candidate a trial, a substrate and a recipe."""
        trial = f"t{len(self.progress.trials) + 1:03d}"
        made = {"candidate": dict(candidate.values), "id": candidate.id, **origin}
        self._write("candidate.proposed", trial=trial, data=made)
        if trial not in self.progress.trials:
            return  # its suggestion was withdrawn just before
        self._start(trial)
        self._compile(trial, candidate)

    def _start(self, trial: str) -> None:
        fresh = self._substrate()
        if fresh is None:
            reason = "the rack has no bare substrate left"
            self._write("trial.failed", trial=trial, data={"reason": reason})
        else:
            self._write("trial.started", trial=trial, data=fresh)

    def _compile(self, trial: str, candidate: Candidate) -> None:
        if not self.progress.trials[trial].in_flight:
            return
        try:
            recipe = compile_recipe(self.campaign, candidate)
        except PolyloopError as error:
            self._write("trial.failed", trial=trial, data={"reason": str(error)})
        else:
            self._write("recipe.compiled", trial=trial, data={"recipe": asdict(recipe)})

    def _hold_safe(self, trial: str, recipe: Recipe) -> None:
        """Hold a recipe that comes from the ledger to the chemical gate again."""
        try:
            check_steps(self.campaign.lab, recipe.steps)
        except PolyloopError as error:
            self._write("trial.failed", trial=trial, data={"reason": str(error)})

    def _substrate(self) -> dict[str, str] | None:
        """Return the next bare substrate: its name and the rack slot it lies in."""
        used = self.progress.used
        home = next((s for s in self.campaign.lab.substrates if s not in used), None)
        return None if home is None else {"sample": f"{self.id}/{home}", "home": home}

    def _begin(self, one: Ready) -> None:
        """Write an act down, then have it done."""
        self._alerted.discard(f"person {STANDING}")
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
        future.add_done_callback(partial(self._put, "act", action))

    def _after_act(self, action: str, record: ActRecord) -> None:
        if record.state is ActState.ABORTED:
            raise Interrupted(record.reason)  # what it means is for `recover` to say
        act = self.progress.acting[action]
        trial = self.progress.trials[act.trial]
        self._write_all(self.settlement.settle(act, record, trial))
        trial = self.progress.trials[act.trial]
        last, own = trial.last_step, act.sample == trial.sample
        if trial.in_flight and own and last is not None and last.name == act.step:
            self._learn(trial, act.step)
        if not self.progress.trials[trial.id].in_flight:
            self.board.show(self.progress)

    def _learn(self, trial: Trial, step: str) -> None:
        """Work out what the step just done allows, and write down what it says."""
        really = as_made(trial, self.campaign.space)
        for lesson in learn(
            really,
            step,
            self.campaign.objectives,
            self.client.documents,
            self.campaign.limits,
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

    # -- the ledger -----------------------------------------------------------------------

    def _write(self, kind: str, *, trial: str = "", data: dict[str, Any]) -> Event:
        """Append to the ledger, and to the state that follows from it."""
        event = self.ledger.append(self.id, kind, trial=trial, data=data)
        self._sync()
        return event

    def _write_all(self, entries: Any) -> None:
        entry: Entry
        for entry in entries:
            kind, trial, data = entry
            self._write(kind, trial=trial, data=data)
