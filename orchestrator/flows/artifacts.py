"""What an operator sees in the Prefect UI: progress, trials, best so far, the report."""

from __future__ import annotations

import base64
from collections.abc import Sequence

from prefect import task
from prefect.artifacts import create_markdown_artifact
from prefect.cache_policies import NO_CACHE

from orchestrator.campaign import fold
from orchestrator.ledger import Event
from orchestrator.reporting.report import best_so_far_png, trials_markdown


@task(
    cache_policy=NO_CACHE,
    retries=0,
    persist_result=False,
    task_run_name="show progress",
)
def show(campaign_id: str, events: Sequence[Event], *, final: bool) -> None:
    """Publish the state of the campaign as artifacts of its flow run."""
    progress = fold(events)
    picture = base64.b64encode(best_so_far_png(events)).decode()
    # An image in markdown renders well; an image artifact with a data-URI prints the
    # URI over the page.
    plot = f"![best so far](data:image/png;base64,{picture})"
    count = len(progress.observed)
    flying = ", ".join(f"{one.id} ({one.at})" for one in progress.in_flight) or "none"
    headline = f"{count} of {len(progress.trials)} trials observed; in flight: {flying}"
    name = campaign_id.replace("_", "-")
    table = trials_markdown(events)
    create_markdown_artifact(headline, key=f"{name}-progress", description=headline)
    create_markdown_artifact(table, key=f"{name}-trials", description="Trials")
    create_markdown_artifact(plot, key=f"{name}-best", description="Best so far")
    if final:
        report = f"# {campaign_id}\n\n{headline}\n\n{plot}\n\n{table}"
        create_markdown_artifact(report, key=f"{name}-report", description="Report")
