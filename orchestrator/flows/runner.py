"""Register a campaign with Prefect, run its flow in a process of its own, watch it.

``python -m orchestrator.flows.runner`` prints one JSON line when the flow run exists
(``{"flow_run": id, "url": ...}``) and one when it has ended (``{"state": ...}``). It
begins when it is told, in a line of its own, where the station service is.
Cancelling in the UI reaches this process without polling; it passes it on. Prefect's
own watch for it dies in an outage of a minute (3.8.8), so a second one looks every
second and survives any.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import os
import sys
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any
from uuid import UUID

import httpx
from prefect import Flow
from prefect.client.orchestration import PrefectClient, get_client
from prefect.client.schemas.filters import FlowFilter, FlowRunFilter
from prefect.client.schemas.objects import FlowRun, State, StateType
from prefect.exceptions import ObjectNotFound

# The one-shot execution path of `prefect flow-run execute`; 3.8.8 is pinned.
from prefect.runner._flow_run_executor import FlowRunExecutorContext
from prefect.runner._starter_engine import EngineCommandStarter
from prefect.settings import PREFECT_CLIENT_MAX_RETRIES, temporary_settings
from prefect.states import Cancelled, Completed, Crashed, Failed

from orchestrator.campaign import Progress
from orchestrator.flows.campaign import campaign
from orchestrator.fold import fold
from orchestrator.ledger import Ledger
from orchestrator.processes import die_with_parent

ENTRYPOINT = f"{Path(__file__).with_name('campaign.py')}:campaign"

LOOK_EVERY = 1.0
"""Real seconds between two looks at whether the flow run is to be cancelled."""

PATIENCE = 60.0
"""Real seconds that the end of a flow waits for a Prefect that does not answer."""


async def execute(options: argparse.Namespace, station: str) -> None:
    """Create the flow run, execute it, and say how it ended."""
    async with get_client() as client:
        await _sweep(client, options.data)
    run = await carry_out(
        campaign,
        ENTRYPOINT,
        deployment=options.name,
        name=options.campaign,
        parameters={
            "campaign_id": options.campaign,
            "data": str(options.data),
            "config": str(options.config),
            "station": station,
        },
    )
    say(state=await settle(run, _progress(options.data, options.campaign)))


async def carry_out(
    flow: Flow[Any, Any],
    entrypoint: str,
    *,
    deployment: str,
    name: str,
    parameters: Mapping[str, str],
) -> UUID:
    """Register a flow and run it to its end in a process of its own."""

    async def resolve(_: FlowRun) -> Flow[Any, Any]:
        return flow

    async with FlowRunExecutorContext() as context:
        client = context.client
        run = await client.create_flow_run_from_deployment(
            await client.create_deployment(
                flow_id=await client.create_flow(flow),
                name=deployment,
                entrypoint=entrypoint,
                path=str(Path.cwd()),
            ),
            name=name,
            parameters=dict(parameters),
        )
        server = os.environ["PREFECT_API_URL"].removesuffix("/api")
        say(flow_run=str(run.id), url=f"{server}/runs/flow-run/{run.id}")
        executor = context.create_executor(
            run,
            EngineCommandStarter(
                entrypoint=entrypoint, control_channel=context.control_channel
            ),
            resolve_flow=resolve,
            propose_submitting=False,
        )
        watch = asyncio.create_task(watch_for_cancel(context, run.id))
        await executor.submit()
        watch.cancel()
    return run.id


async def watch_for_cancel(context: FlowRunExecutorContext, run: UUID) -> None:
    """Cancel the flow run's process, once, when Prefect says so; outlives outages."""
    manager = context._cancellation_manager  # noqa: SLF001 - pinned, see above
    cancel = manager.cancel_by_id
    begun = asyncio.Event()

    async def once(flow_run_id: UUID) -> None:
        # A second signal would interrupt the flow while it makes things safe.
        if not begun.is_set():
            begun.set()
            try:
                await cancel(flow_run_id)
            except httpx.HTTPError:
                begun.clear()

    manager.cancel_by_id = once  # type: ignore[method-assign]
    with temporary_settings({PREFECT_CLIENT_MAX_RETRIES: 0}):
        async with get_client(httpx_settings={"timeout": 5.0}) as client:
            while not begun.is_set():
                await asyncio.sleep(LOOK_EVERY)
                try:
                    state = (await client.read_flow_run(run)).state
                except httpx.HTTPError:
                    continue
                except ObjectNotFound:
                    return
                if state is not None and state.is_cancelling():
                    # The context waits for this group, so the end is told to Prefect.
                    group = context._cancellation_task_group  # noqa: SLF001
                    group.start_soon(manager.cancel_by_id, run)
                    await asyncio.sleep(LOOK_EVERY)


async def settle(run: UUID, progress: Progress) -> str:
    """Have Prefect show how a flow run ended that may have ended unseen by it.

    Returns the name of its last state, or "Unknown" when Prefect does not answer for
    `PATIENCE`.
    """
    deadline = time.monotonic() + PATIENCE
    with temporary_settings({PREFECT_CLIENT_MAX_RETRIES: 0}):
        async with get_client(httpx_settings={"timeout": 5.0}) as client:
            while time.monotonic() < deadline:
                try:
                    return await _settle(client, run, progress)
                except ObjectNotFound:
                    return "Unknown"
                except httpx.HTTPError:
                    await asyncio.sleep(0.5)
    return "Unknown"


async def _settle(client: PrefectClient, run: UUID, progress: Progress) -> str:
    state = (await client.read_flow_run(run)).state
    end = ending(progress, state)
    if state is not None and (state.type is end.type or state.is_cancelled()):
        return state.name or "Unknown"
    if state is not None and state.is_final() and not progress.ended:
        return state.name or "Unknown"
    await client.set_flow_run_state(run, end, force=True)
    return end.name or "Unknown"


def ending(progress: Progress, state: State | None = None) -> State:
    """Return the state of a flow run that has no process any more."""
    if progress.ended:
        made = Completed if progress.good else Failed
        return made(message=progress.ended)
    if state is not None and state.is_cancelling():
        return Cancelled(message=progress.paused or "stopped")
    return Crashed(message=progress.paused or "its process is gone")


async def _sweep(client: PrefectClient, data: Path) -> None:
    """End the flow runs of this ledger's campaigns that an earlier life left open."""
    ledger = Ledger.of(data)
    try:
        names = ledger.campaigns()
    finally:
        ledger.close()
    ghosts = await client.read_flow_runs(
        flow_filter=FlowFilter.model_validate({"name": {"any_": [campaign.name]}}),
        flow_run_filter=FlowRunFilter.model_validate(
            {
                "name": {"any_": names},
                "state": {
                    "type": {
                        "any_": [
                            StateType.RUNNING,
                            StateType.CANCELLING,
                            StateType.PENDING,
                            StateType.PAUSED,
                            StateType.SCHEDULED,
                        ]
                    }
                },
            }
        ),
    )
    for ghost in ghosts:
        end = ending(_progress(data, ghost.name))
        await client.set_flow_run_state(ghost.id, end, force=True)


def _progress(data: Path, name: str) -> Progress:
    ledger = Ledger.of(data)
    try:
        return fold(ledger.stream(name))
    finally:
        ledger.close()


def say(**facts: str) -> None:
    """Print one JSON line."""
    sys.stdout.write(json.dumps(facts) + "\n")
    sys.stdout.flush()


def main() -> None:
    """Read the command line and run."""
    parser = argparse.ArgumentParser(prog="python -m orchestrator.flows.runner")
    parser.add_argument("--campaign", required=True)
    parser.add_argument("--name", required=True)
    parser.add_argument("--data", type=Path, required=True)
    parser.add_argument("--config", type=Path, required=True)
    options = parser.parse_args()
    die_with_parent()
    station = sys.stdin.readline().strip()
    if station:  # else whoever started this has given up
        asyncio.run(execute(options, station))


if __name__ == "__main__":
    main()
