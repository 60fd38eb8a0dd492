"""A campaign that never ran: the events of its ledger and the journal of its runs."""

from __future__ import annotations

import json
import math
import random
import uuid
from collections.abc import Iterator
from dataclasses import asdict
from pathlib import Path
from typing import Any

from orchestrator.ledger import Event
from orchestrator.records import Document, Step
from planners.data import Candidate, Estimate
from planners.desirability import NAME, objective_of, quantities, worked_out

BEGAN = 1_790_000_000.0
CAMPAIGN = "pedot_pss_acids-260921-101500"
ACIDS = {
    "sulfuric acid": (3200.0, 18.4),
    "nitric acid": (2500.0, 14.4),
    "hydrochloric acid": (900.0, 12.0),
    "formic acid": (1700.0, 26.0),
    "acetic acid": (300.0, 17.4),
    "trifluoroacetic acid": (1500.0, 13.0),
    "phosphoric acid": (600.0, 14.7),
    "methanesulfonic acid": (2800.0, 15.3),
    "benzenesulfonic acid": (700.0, 4.0),
    "p-toluenesulfonic acid": (650.0, 3.5),
    "camphorsulfonic acid": (400.0, 2.5),
    "bistriflimidic acid": (1900.0, 3.0),
}
SPACE: list[dict[str, Any]] = [
    {"name": "acid", "unit": "", "low": None, "high": None, "scale": "",
     "options": list(ACIDS)},
    {"name": "acid_concentration", "unit": "mol/L", "low": 0.1, "high": 26.0,
     "scale": "log", "options": []},
    {"name": "dwell", "unit": "s", "low": 30.0, "high": 600.0, "scale": "log",
     "options": []},
    {"name": "treatment_temperature", "unit": "degC", "low": 25.0, "high": 160.0,
     "scale": "linear", "options": []},
    {"name": "spin_speed", "unit": "rpm", "low": 1000.0, "high": 4000.0,
     "scale": "linear", "options": []},
    {"name": "anneal_temperature", "unit": "degC", "low": 100.0, "high": 160.0,
     "scale": "linear", "options": []},
    {"name": "anneal_time", "unit": "s", "low": 120.0, "high": 900.0,
     "scale": "linear", "options": []},
]  # fmt: skip
OBJECTIVES = [
    {"name": "conductivity", "unit": "S/cm", "direction": "maximise", "scale": "log"}
]
# step, operation, station, real seconds
STEPS = [
    ("transfer", "transfer", "arm", 0.25),
    ("ink", "dispense", "arm", 0.4),
    ("coat", "spin", "coater", 0.3),
    ("transfer", "transfer", "arm", 0.25),
    ("anneal", "heat", "anneal", 2.6),
    ("warm", "reach", "treat", 0.8),
    ("transfer", "transfer", "arm", 0.25),
    ("acid", "dispense", "arm", 0.5),
    ("dwell", "hold", "treat", 1.5),
    ("transfer", "transfer", "arm", 0.25),
    ("rinse", "rinse", "arm", 0.6),
    ("dry", "heat", "anneal", 0.9),
    ("light", "light", "optics", 0.1),
    ("probe", "van_der_pauw", "probe", 0.5),
    ("scan", "step_height", "profilometer", 0.4),
]


class FakeCampaign:
    """Write events one after the other, as a flow does."""

    def __init__(
        self,
        seed: int = 0,
        journal: Path | None = None,
        objectives: list[dict[str, Any]] = OBJECTIVES,
        limits: list[dict[str, Any]] | None = None,
    ) -> None:
        self.events: list[Event] = []
        self.now = BEGAN
        self._random = random.Random(seed)
        self._journal = journal
        self._objectives = [objective_of(one) for one in objectives]
        self._wanted = [one.name for one in quantities(self._objectives)]
        self._wanted += [one["name"] for one in limits or ()]
        self.add(
            "campaign.started",
            name="pedot_pss_acids", config=f"campaigns/{CAMPAIGN}/config/campaign.yaml",
            files={}, seed=seed, trials=24, planner="bayes", lab="sim_bench",
            space=SPACE, objectives=objectives,
            **({"limits": limits} if limits is not None else {}),
        )  # fmt: skip

    def add(self, kind: str, trial: str = "", **data: Any) -> Event:
        event = Event(len(self.events) + 1, CAMPAIGN, self.now, kind, trial, data)
        self.events.append(event)
        self.now += 0.01
        return event

    def end(self, reason: str = "all 24 trials are made", good: bool = True) -> None:
        self.add("campaign.ended", reason=reason, good=good)

    def candidate(self, best_acids: bool) -> dict[str, float | str]:
        draw = self._random
        names = sorted(ACIDS, key=lambda one: -ACIDS[one][0])[: 4 if best_acids else 12]
        acid = draw.choice(names)
        values: dict[str, float | str] = {"acid": acid}
        for one in SPACE[1:]:
            low, high = one["low"], one["high"]
            if one["name"] == "acid_concentration":
                high = ACIDS[acid][1]
            x = draw.random()
            value = (
                low * (high / low) ** x
                if one["scale"] == "log"
                else low + x * (high - low)
            )
            values[one["name"]] = float(f"{value:.4g}")
        return values

    def trial(self, number: int, fate: str = "observed") -> None:
        """Add a trial: observed, failed, doubted, nan, or still in flight."""
        name, initial = f"t{number:03d}", number <= 8
        values = self.candidate(best_acids=not initial)
        film = ACIDS[str(values["acid"])][0] * self._random.lognormvariate(0, 0.35)
        candidate = Candidate(values)
        self.add(
            "candidate.proposed", name, candidate=values, id=candidate.id, seed=1,
            observed=[], pending=[], card=self._card(candidate, number, film, initial),
        )  # fmt: skip
        sample = f"{CAMPAIGN}/rack.{number}"
        self.add("trial.started", name, sample=sample, home=f"rack.{number}")
        self.add("recipe.compiled", name, recipe=_recipe(values))
        runs = self._work(name, sample, film, fate)
        if fate == "in flight" or "scan" not in runs:
            return
        thickness = self._random.uniform(60, 140)
        resistance = 1e7 / (film * thickness)
        doubted = fate == "doubted"
        clear = 0.93 - thickness * 6e-4
        self._measure(name, sample, "transmittance", clear, 0.002, "1")
        self._measure(
            name, sample, "sheet_resistance", resistance, 0.01 * resistance, "ohm",
            runs=[runs["probe"]], believed=not doubted,
            doubts=["R12,43 and R43,12 differ by 8 %, at most 3 %"] if doubted else [],
        )  # fmt: skip
        if doubted:
            reason = "sheet_resistance is not believed: R12,43 and R43,12 differ by 8 %"
            self.add("trial.failed", name, reason=reason)
            return
        self._measure(name, sample, "thickness", thickness, 3.0, "nm", [runs["scan"]])
        value = math.nan if fate == "nan" else film
        self._measure(name, sample, "conductivity", value, 0.045 * value, "S/cm")
        found = {
            "conductivity": {"value": value, "std": 0.045 * value},
            "sheet_resistance": {"value": resistance, "std": 0.01 * resistance},
            "transmittance": {"value": clear, "std": 0.002},
        }
        estimates = worked_out(
            {name: Estimate(**found[name]) for name in self._wanted}, self._objectives
        )
        if worth := estimates.get(NAME):
            self._measure(name, sample, NAME, worth.value, worth.std, "1")
        self.add(
            "observation", name, candidate=values,
            estimates={quantity: asdict(one) for quantity, one in estimates.items()},
        )  # fmt: skip

    def _card(
        self, candidate: Candidate, number: int, film: float, initial: bool
    ) -> dict[str, Any]:
        if initial:
            reason: dict[str, Any] = {"reason": "initial design"}
            return {"planner": "bayes", "observed": number - 1, "pending": 1,
                    "candidates": [{"id": candidate.id, **reason}]}  # fmt: skip
        guess = math.log10(film) + self._random.gauss(0, 0.12)
        return {
            "planner": "bayes", "observed": number - 2, "pending": 1, "fallback": None,
            "candidates": [{
                "id": candidate.id, "reason": "expected gain", "log_gain": -2.1,
                "predicted": round(guess, 4), "predicted_std": 0.12,
            }],
            "surrogate": {
                "kernel": "Matern-5/2", "observations": number - 2,
                "target": "log10(conductivity / (S/cm))", "noise": 0.0213,
                "lengthscales": {"dwell": 1.2, "acid:logP": 0.8},
                "leave_one_out": {
                    "coverage_of_90_percent": round(0.8 + 0.01 * (number % 15), 3),
                    "log_score": 0.31, "rms": 0.162,
                },
            },
        }  # fmt: skip

    def _work(self, trial: str, sample: str, film: float, fate: str) -> dict[str, str]:
        runs: dict[str, str] = {}
        for count, (step, operation, station, seconds) in enumerate(STEPS, 1):
            action = f"{CAMPAIGN}.{trial}.{count:03d}"
            begun = self.now
            what = {"action": action, "step": step, "operation": operation,
                    "station": station, "sample": sample}  # fmt: skip
            self.add(
                "step.intended", trial, **what, slot=station,
                parameters={"target": station} if operation == "transfer" else {},
            )  # fmt: skip
            if fate == "in flight" and step == "dwell":
                return runs
            self.now += seconds * self._random.uniform(0.8, 1.3)
            uid = str(uuid.UUID(int=self._random.getrandbits(128), version=4))
            times = {"started": begun, "ended": self.now, "run_uid": uid,
                     "lab_seconds": 200 * (self.now - begun)}  # fmt: skip
            if fate == "failed" and step == "coat":
                reason = "spin_coater: axis error 0x40 while spinning at 2 000 rpm"
                self.add("step.failed", trial, **what, **times, reason=reason)
                self.add("trial.failed", trial, reason=f"coat at coater: {reason}")
                return runs
            runs[step] = uid
            if self._journal is not None:
                write_run(self._journal, run_documents(uid, begun, trial, operation))
            self.add("step.done", trial, **what, **times)
        return runs

    def _measure(
        self, trial: str, sample: str, quantity: str, value: float, std: float,
        unit: str, runs: list[str] | None = None, *, believed: bool = True,
        doubts: list[str] | None = None,
    ) -> None:  # fmt: skip
        self.add(
            "measurement", trial, quantity=quantity, value=value, std=std, unit=unit,
            method="as in the notes", runs=runs or [], believed=believed,
            doubts=doubts or [], details={}, sample=sample,
        )  # fmt: skip


def _recipe(values: dict[str, float | str]) -> dict[str, Any]:
    steps = [
        asdict(Step(name, operation, station, station, {}, 200.0 * seconds))
        for name, operation, station, seconds in STEPS
        if operation != "transfer"
    ]
    return {"name": "acid_post_treatment", "candidate": values, "steps": steps,
            "measurements": []}  # fmt: skip


def fake_campaign(
    trials: int = 24,
    *,
    seed: int = 0,
    fates: dict[int, str] | None = None,
    journal: Path | None = None,
    **wanted: list[dict[str, Any]],
) -> list[Event]:
    """Return the events of a campaign; ``fates`` names the trials that go another way."""
    campaign = FakeCampaign(seed, journal, **wanted)
    for number in range(1, trials + 1):
        campaign.trial(number, (fates or {}).get(number, "observed"))
    if "in flight" not in (fates or {}).values():
        campaign.end()
    return campaign.events


def run_documents(uid: str, at: float, trial: str, operation: str) -> list[Document]:
    """Return the documents of one run: two readings of a voltage, with units."""
    keys = {
        "source_meter_voltage": {
            "source": "source_meter", "dtype": "number", "shape": [], "units": "V",
            "precision": 6,
        },
        "switch_matrix_configuration": {
            "source": "switch_matrix", "dtype": "string", "shape": [], "units": "",
        },
    }  # fmt: skip
    return list(_documents(uid, at, trial, operation, keys))


def _documents(
    uid: str, at: float, trial: str, operation: str, keys: dict[str, Any]
) -> Iterator[Document]:
    yield (
        "start",
        {"uid": uid, "time": at, "sample": "s", "trial": trial, "action": uid[:8],
         "operation": operation},
    )  # fmt: skip
    descriptor = f"{uid[:-1]}d"
    yield (
        "descriptor",
        {"uid": descriptor, "run_start": uid, "time": at, "name": "primary",
         "data_keys": keys, "hints": {}, "configuration": {},
         "object_keys": {"station": list(keys)}},
    )  # fmt: skip
    for number, volt in enumerate((1.25e-3, -1.24e-3, math.nan), 1):
        values = {"source_meter_voltage": volt, "switch_matrix_configuration": "R12,43"}
        yield (
            "event",
            {"uid": f"{uid[:-2]}e{number}", "descriptor": descriptor,
             "time": at + number, "seq_num": number, "data": values,
             "timestamps": dict.fromkeys(values, at + number), "filled": {}},
        )  # fmt: skip
    yield (
        "stop",
        {"uid": f"{uid[:-1]}f", "run_start": uid, "time": at + 4, "reason": "",
         "exit_status": "success", "num_events": {"primary": 3}},
    )  # fmt: skip


def write_run(journal: Path, documents: list[Document]) -> Path:
    """Write one run as the station's journal does."""
    journal.mkdir(parents=True, exist_ok=True)
    path = journal / f"{documents[0][1]['uid']}.jsonl"
    path.write_text("".join(json.dumps(list(one)) + "\n" for one in documents))
    return path
