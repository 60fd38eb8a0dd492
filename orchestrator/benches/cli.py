"""The commands ``polyloop bench ...``."""

from __future__ import annotations

import shutil
import tempfile
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console

from orchestrator.errors import CampaignFailed

app = typer.Typer(help="Try polyloop itself.", no_args_is_help=True)
console = Console()


@app.callback()
def benches() -> None:
    """Break polyloop on purpose, on simulated instruments, and count what went wrong."""


@app.command()
def crash(
    kills: Annotated[int, typer.Option(help="How often something is killed.")] = 200,
    seed: Annotated[int, typer.Option(help="Where all chance comes from.")] = 0,
    campaign: Annotated[
        Path, typer.Option(help="Of which short campaigns are derived.")
    ] = Path("lab_configs/pedot_pss/campaign.yaml"),
    speed: Annotated[float, typer.Option(help="Bench seconds per second.")] = 500.0,
    trials: Annotated[int, typer.Option(help="Of each short campaign.")] = 3,
    keep: Annotated[
        Path | None, typer.Option(help="Where data and journals are kept.")
    ] = None,
) -> None:
    """Kill campaigns at random moments, resume them, and count; 1 if anything is wrong."""
    from orchestrator.benches.crash import Settings
    from orchestrator.benches.crash import crash as crash_bench
    from orchestrator.benches.tables import show, verdict

    directory = keep or Path(tempfile.mkdtemp(prefix="polyloop-crash-"))
    settings = Settings(campaign, kills, seed, speed, trials, directory.resolve())
    directory.mkdir(parents=True, exist_ok=True)
    try:
        tally = crash_bench(
            settings, lambda line: console.print(line, markup=False, soft_wrap=True)
        )
    finally:
        if keep is None:
            shutil.rmtree(directory, ignore_errors=True)
    show(tally, console)
    wrong = verdict(tally)
    if wrong:
        raise CampaignFailed(wrong)
