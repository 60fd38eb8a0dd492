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


@app.command()
def soak(
    trials: Annotated[int, typer.Option(help="Of the one campaign.")] = 2000,
    seed: Annotated[int, typer.Option(help="Where all chance comes from.")] = 0,
    campaign: Annotated[
        Path, typer.Option(help="Of which the long one is derived.")
    ] = Path("lab_configs/pedot_pss/campaign.yaml"),
    speed: Annotated[float, typer.Option(help="Bench seconds per second.")] = 2000.0,
    in_flight: Annotated[int, typer.Option(help="Trials under way at once.")] = 4,
    every: Annotated[float, typer.Option(help="Seconds between two looks.")] = 10.0,
    limit: Annotated[
        float, typer.Option(help="Seconds after which it is drained; 0: none.")
    ] = 0.0,
    to: Annotated[
        Path | None, typer.Option(metavar="FILE.csv", help="Where the looks are kept.")
    ] = None,
    keep: Annotated[
        Path | None, typer.Option(help="Where the campaign's data is kept.")
    ] = None,
) -> None:
    """Run one long campaign and watch what it takes; 1 if its memory is not flat."""
    from orchestrator.benches import growth
    from orchestrator.benches.soak import Soak, write
    from orchestrator.benches.soak import soak as soak_bench

    directory = keep or Path(tempfile.mkdtemp(prefix="polyloop-soak-"))
    directory.mkdir(parents=True, exist_ok=True)
    asked = Soak(
        *(campaign, trials, seed, speed, in_flight, directory.resolve(), every, limit)
    )
    try:
        samples, code = soak_bench(
            asked, lambda line: console.print(line, markup=False, soft_wrap=True)
        )
        if code and not (limit and samples):
            said = (directory / "polyloop.log").read_text().strip().splitlines()[-1:]
            raise CampaignFailed(f"the campaign ended with {code}: {''.join(said)}")
    finally:
        if keep is None:
            shutil.rmtree(directory, ignore_errors=True)
    if to is not None:
        write(samples, to)
    found = growth.growth(samples)
    if found is None:
        raise CampaignFailed(
            "too few looks for four quarters: more trials, or --every 1"
        )
    growth.show(found, console)
    if not found.flat:
        raise CampaignFailed(
            f"memory is not flat: last quarter over second {found.ratio:.3f}, "
            f"at most {growth.FLAT:g}"
        )
