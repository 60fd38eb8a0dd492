"""Register a campaign with Prefect, run its flow in a process of its own, watch it.

``python -m orchestrator.flows.runner`` prints one JSON line when the flow run exists
(``{"flow_run": id, "url": ...}``) and one when it has ended (``{"state": ...}``).
Cancelling in the UI reaches this process without polling; it passes it on.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import os
import sys
from pathlib import Path

from prefect.client.schemas.objects import FlowRun

# The one-shot execution path of `prefect flow-run execute`; 3.8.8 is pinned.
from prefect.runner._flow_run_executor import FlowRunExecutorContext
from prefect.runner._starter_engine import EngineCommandStarter

from orchestrator.flows.campaign import campaign
from orchestrator.processes import die_with_parent

ENTRYPOINT = f"{Path(__file__).with_name('campaign.py')}:campaign"


async def execute(options: argparse.Namespace) -> None:
    """Create the flow run, execute it, and say how it ended."""

    async def resolve(_: FlowRun) -> object:
        return campaign

    async with FlowRunExecutorContext() as context:
        client = context.client
        await _sweep(client)
        deployment = await client.create_deployment(
            flow_id=await client.create_flow(campaign),
            name=options.name,
            entrypoint=ENTRYPOINT,
            path=str(Path.cwd()),
        )
        run = await client.create_flow_run_from_deployment(
            deployment,
            name=options.campaign,
            parameters={
                "campaign_id": options.campaign,
                "data": str(options.data),
                "config": str(options.config),
                "station": options.station,
            },
        )
        server = os.environ["PREFECT_API_URL"].removesuffix("/api")
        _say(flow_run=str(run.id), url=f"{server}/runs/flow-run/{run.id}")
        executor = context.create_executor(
            run,
            EngineCommandStarter(
                entrypoint=ENTRYPOINT, control_channel=context.control_channel
            ),
            resolve_flow=resolve,  # type: ignore[arg-type]
            propose_submitting=False,
        )
        await executor.submit()
    async with FlowRunExecutorContext() as context:
        ended = await context.client.read_flow_run(run.id)
        _say(state=ended.state_name or "Unknown")


async def _sweep(client: object) -> None:
    """Mark flow runs that an earlier life left running as crashed."""
    from prefect.client.orchestration import PrefectClient
    from prefect.client.schemas.filters import FlowRunFilter
    from prefect.states import Crashed

    assert isinstance(client, PrefectClient)  # noqa: S101
    running = FlowRunFilter.model_validate(
        {"state": {"type": {"any_": ["RUNNING", "CANCELLING", "PENDING"]}}}
    )
    for ghost in await client.read_flow_runs(flow_run_filter=running):
        await client.set_flow_run_state(
            ghost.id, Crashed(message="its process is gone"), force=True
        )


def _say(**facts: str) -> None:
    sys.stdout.write(json.dumps(facts) + "\n")
    sys.stdout.flush()


def main() -> None:
    """Read the command line and run."""
    parser = argparse.ArgumentParser(prog="python -m orchestrator.flows.runner")
    parser.add_argument("--campaign", required=True)
    parser.add_argument("--name", required=True)
    parser.add_argument("--data", type=Path, required=True)
    parser.add_argument("--config", type=Path, required=True)
    parser.add_argument("--station", required=True)
    options = parser.parse_args()
    die_with_parent()
    asyncio.run(execute(options))


if __name__ == "__main__":
    main()
