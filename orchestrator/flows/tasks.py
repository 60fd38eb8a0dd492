"""Prefect tasks: each wraps one call that is tested without Prefect.

A task that acts is never cached and never retried: it changes the world. Prefect
shows it; whether it happened is the ledger's business.
"""

from __future__ import annotations

import os
from collections.abc import Sequence
from functools import cache
from pathlib import Path
from typing import Any

from prefect import task
from prefect.cache_policies import NO_CACHE
from prefect.context import FlowRunContext
from prefect.futures import PrefectFuture

from orchestrator.config.models import Campaign
from orchestrator.config.read_campaign import load_campaign
from orchestrator.lab import build_planner
from orchestrator.records import Step
from orchestrator.station.acts import ActRecord
from orchestrator.station.client import StationClient, StationError
from planners.data import Candidate, Observation, Proposal
from planners.protocol import Planner


def forget(ended: PrefectFuture[Any]) -> None:
    """Have Prefect (3.8.8) forget a task that has ended; else the flow grows by it.

    What it keeps says whose result is whose (no task here has another's as an argument)
    and how to cancel it.
    """
    context = FlowRunContext.get()
    if context is not None:
        context.run_results.clear()
        events = getattr(context.task_runner, "_cancel_events", {})
        events.pop(ended.task_run_id, None)


@cache
def station_client(address: str) -> StationClient:
    """Return this process's connection to the station service at an address."""
    return StationClient(address, os.environ["POLYLOOP_STATION_KEY"])


@cache
def campaign_of(path: str) -> Campaign:
    """Return a campaign as its file describes it; read once a process."""
    return load_campaign(Path(path), check_drivers=False)


@cache
def planner_of(path: str, seed: int) -> Planner:
    """Return the planner of a campaign; made once a process, for it learns at birth."""
    return build_planner(campaign_of(path), seed)


@task(
    cache_policy=NO_CACHE,
    retries=0,
    persist_result=False,
    task_run_name="{station}:{label}:{name}",
)
def act(  # the names in the run's name are for the operator's timeline
    address: str,
    owner: str,
    action: str,
    station: str,  # noqa: ARG001
    label: str,  # noqa: ARG001
    sample: str,
    name: str,  # noqa: ARG001
    trial: str,
    step: Step,
) -> ActRecord:
    """Have a station carry out one step. Never cached, never retried."""
    client = station_client(address)
    return client.do(action, step, owner=owner, sample=sample, trial=trial)


@task(
    cache_policy=NO_CACHE,
    retries=0,
    persist_result=False,
    task_run_name="put back {station}",
)
def put_back(address: str, station: str) -> str:
    """Have a station prepared after a fault; return what is wrong, or nothing."""
    try:
        station_client(address).put_back(station)
    except StationError as error:
        return str(error)
    return ""


@task(
    cache_policy=NO_CACHE, retries=0, persist_result=False, task_run_name="propose {n}"
)
def propose(
    path: str,
    seed: int,
    n: int,
    observed: Sequence[Observation],
    pending: Sequence[Candidate],
    failed: Sequence[Candidate],
) -> Proposal:
    """Ask the planner what to make next."""
    planner = planner_of(path, seed)
    return planner.propose(n, observed=observed, pending=pending, failed=failed)
