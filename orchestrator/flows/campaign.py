"""The flow of one campaign: propose, act, learn, until the rules say stop.

One flow a campaign, one task a step. Whatever ends the body, the guard stops what it
has begun.
"""

from __future__ import annotations

import logging
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

from prefect import flow
from prefect.runtime import flow_run
from prefect.task_runners import ThreadPoolTaskRunner

from orchestrator.database import LedgerGone
from orchestrator.errors import CampaignFailed, PolyloopError
from orchestrator.flows import tasks
from orchestrator.flows.loop import Loop
from orchestrator.ledger import Ledger
from orchestrator.logs import Foreseen
from orchestrator.processes import die_with_parent
from orchestrator.station.client import StationClient, StationError

log = logging.getLogger(__name__)


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
    # Prefect tells of whatever ends a flow; that a campaign stops for now is no crash.
    logging.getLogger("prefect.flow_runs").addFilter(Foreseen(PolyloopError))
    client = tasks.station_client(station)
    ledger = Ledger.at(Path(data))
    owner = f"{campaign_id}/{flow_run.get_id()}"
    with ExitStack() as afterwards, guard(client, ledger, campaign_id, owner):
        loop = Loop(ledger, client, campaign_id, config, owner)
        afterwards.callback(loop.close)  # pictures wait until the instruments are safe
        return loop.run()


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
        if not isinstance(error, CampaignFailed | LedgerGone):
            ledger.append(campaign_id, "campaign.paused", data={"reason": reason})
        raise
