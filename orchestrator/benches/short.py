"""A short campaign, derived from one that is there: cheap to crash, and crashed often."""

from __future__ import annotations

import shutil
from pathlib import Path

import yaml

from orchestrator.config.forms import CampaignForm
from orchestrator.config.read_campaign import load_campaign

SPACE = {
    "dwell": {"from": "30 s", "to": "60 s", "scale": "log"},
    "treatment_temperature": {"from": "60 degC", "to": "80 degC"},
    "anneal_temperature": {"from": "140 degC", "to": "150 degC"},
    "anneal_time": {"from": "30 s", "to": "60 s"},
    "drying_time": {"from": "6 min", "to": "7 min"},
}
"""Parameters that cost lab time, narrowed; the others stay as they are."""

STEPS = {"coat": {"duration": "20 s"}, "dry": {"duration": "20 s"}}
"""Steps that cost lab time, shortened."""

WHEN_UNANSWERED = "when_unanswered"


def shorten(
    path: Path,
    target: Path,
    *,
    trials: int,
    seed: int,
    unanswered: str,
    in_flight: int = 2,
) -> Path:
    """Write a short version of a campaign's files below ``target``; return its file.

    Parameters
    ----------
    path:
        The campaign file that it is derived from.
    target:
        An empty directory.
    trials, seed:
        Its budget, and where its random planner starts.
    unanswered:
        What becomes of an act in doubt when nobody answers, where campaigns say so.
    in_flight:
        How many trials are under way at once.
    """
    campaign = load_campaign(path, check_drivers=False)
    files = [one.resolve() for one in campaign.files]
    if campaign.lab.bench is not None:
        files.append(campaign.lab.bench.resolve())
    root = campaign.path.resolve().parents[1]
    for one in files:
        copy = target / one.relative_to(root)
        copy.parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(one, copy)
    made = target / campaign.path.resolve().relative_to(root)
    text = yaml.safe_load(made.read_text())
    text["planner"] = {"name": "random", "seed": seed}
    text["budget"] = {"trials": trials}
    text["in_flight"] = in_flight
    if WHEN_UNANSWERED in CampaignForm.model_fields:
        text[WHEN_UNANSWERED] = unanswered
    text["space"] |= {key: new for key, new in SPACE.items() if key in text["space"]}
    made.write_text(yaml.safe_dump(text, sort_keys=False))
    recipe = made.parent / text["recipe"]
    steps = yaml.safe_load(recipe.read_text())
    for step in steps["steps"]:
        shorter = STEPS.get(step["step"], {})
        step |= {k: v for k, v in shorter.items() if not str(step[k]).startswith("$")}
    recipe.write_text(yaml.safe_dump(steps, sort_keys=False))
    return made
