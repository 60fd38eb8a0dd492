"""The commands ``polyloop bench ...``."""

from __future__ import annotations

import math
import shutil
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console
from rich.table import Table

from orchestrator.errors import CampaignFailed, Refused

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


@app.command()
def faults(
    kinds: Annotated[str, typer.Option(help="Of faults, with commas.")] = "all",
    instruments: Annotated[str, typer.Option(help="Of the lab, with commas.")] = "all",
    thorough: Annotated[
        bool, typer.Option("--thorough", help="Hit two commands of each driver.")
    ] = False,
    seed: Annotated[int, typer.Option(help="Where all chance comes from.")] = 1,
    campaign: Annotated[
        Path, typer.Option(help="Of which short campaigns are derived.")
    ] = Path("lab_configs/pedot_pss/campaign.yaml"),
    speed: Annotated[float, typer.Option(help="Bench seconds per second.")] = 400.0,
    jobs: Annotated[int, typer.Option(min=1, help="Cells tried at once.")] = 1,
    to: Annotated[
        Path | None, typer.Option(help="Write the table to a .md or .csv file.")
    ] = None,
    keep: Annotated[
        Path | None, typer.Option(help="Where data and journals are kept.")
    ] = None,
) -> None:
    """Have every driver meet every kind of fault; 1 if a cell breaks the rule."""
    from orchestrator.benches import fault_table
    from orchestrator.benches.cells import KINDS, cells
    from orchestrator.benches.faults import Settings
    from orchestrator.benches.faults import faults as fault_bench
    from orchestrator.config.read_campaign import load_campaign

    if to is not None:
        fault_table.check_ending(to)
    lab = load_campaign(campaign, check_drivers=False).lab
    drivers = {name: one.driver for name, one in lab.instruments.items()}
    names = _chosen("--instruments", instruments, list(drivers))
    chosen = cells(
        {name: drivers[name] for name in names},
        _chosen("--kinds", kinds, KINDS),
        seed,
        thorough=thorough,
    )
    directory = keep or Path(tempfile.mkdtemp(prefix="polyloop-faults-"))
    settings = Settings(campaign, chosen, seed, speed, jobs, directory.resolve())
    directory.mkdir(parents=True, exist_ok=True)
    began = time.monotonic()
    try:
        outcomes = fault_bench(
            settings, lambda line: console.print(line, markup=False, soft_wrap=True)
        )
    finally:
        if keep is None:
            shutil.rmtree(directory, ignore_errors=True)
    fault_table.show(outcomes, time.monotonic() - began, console)
    if to is not None:
        fault_table.write(outcomes, to)
    if wrong := fault_table.verdict(outcomes):
        raise CampaignFailed(wrong)


@app.command()
def serial(
    path: Annotated[Path, typer.Argument(metavar="LAB.yaml")] = Path(
        "lab_configs/sim_bench/lab.yaml"
    ),
    quick: Annotated[
        bool, typer.Option("--quick", help="A second for each driver, not ten.")
    ] = False,
) -> None:
    """Compare each driver with bare pyserial on its port; 1 if one is below 0.9 of it."""
    from orchestrator.benches.wire import FLOOR, speeds
    from orchestrator.config.read_lab import load_lab

    table = Table(box=None, pad_edge=False, header_style="bold")
    for column in ("instrument", "driver"):
        table.add_column(column)
    for column in (
        *("round trips", "ours [1/s]", "pyserial [1/s]", "ratio"),
        *("reading [ms]", "in a run [ms]"),
    ):
        table.add_column(column, justify="right")
    lab, slow = load_lab(path), []
    if lab.bench is None:
        raise Refused(f"{path}: a real lab (no line `bench`): nothing to compare on")
    with tempfile.TemporaryDirectory(prefix="polyloop-") as folder:
        for one in speeds(lab, Path(folder), 1.0 if quick else 10.0):
            table.add_row(
                *(one.instrument, one.driver, f"{one.trips}", f"{one.ours:.0f}"),
                *(f"{one.bare:.0f}", f"{one.ratio:.2f}"),
                *(
                    "" if math.isnan(seconds) else f"{1000 * seconds:.2f}"
                    for seconds in (one.direct, one.reading)
                ),
            )
            if one.ratio < FLOOR:
                slow.append(f"{one.instrument} {one.ratio:.2f}")
    console.print(table)
    if slow:
        raise CampaignFailed(f"below {FLOOR:g} of bare pyserial: {', '.join(slow)}")


@app.command()
def planners(
    data: Annotated[
        Path | None,
        typer.Option(metavar="DIR", help="Where the tables lie [../shared/data]."),
    ] = None,
    sets: Annotated[str, typer.Option(help="Of tables, with commas.")] = "all",
    against: Annotated[str, typer.Option(help="Who searches, with commas.")] = "all",
    seeds: Annotated[int, typer.Option(min=1, help="Searches of each.")] = 30,
    quick: Annotated[
        bool,
        typer.Option(
            "--quick", help="Three small tables, five seeds, ours and random."
        ),
    ] = False,
    shuffle: Annotated[
        bool, typer.Option("--shuffle", help="Deal the values out anew: a control.")
    ] = False,
    fails: Annotated[
        bool, typer.Option("--fails", help="A quarter of each table fails silently.")
    ] = False,
    to: Annotated[
        Path | None,
        typer.Option(
            metavar="FILE.csv",
            help="Keep each search, and make none that is in it.",
        ),
    ] = None,
) -> None:
    """Count experiments to the best rows of tables that were measured, side by side."""
    from orchestrator.benches import contest, data_sets
    from orchestrator.benches.peers import pipe
    from orchestrator.benches.results import Results

    folder, results = data_sets.data_folder(data), Results(to)
    known, rivals = data_sets.names(folder), list(contest.CONTESTANTS)
    if quick:
        seeds = min(seeds, 5)
        known = [n for n in data_sets.QUICK if n in known]
        rivals = [contest.OURS, contest.CHANCE]
    names = _chosen("--sets", sets, known)
    who = _chosen("--against", against, rivals)
    if not pipe.installed():
        # What is in the file can be shown without them.
        out = [n for n in who if n in pipe.PEERS and n not in results.contestants()]
        if out and against != "all":
            raise Refused(f"--against: {', '.join(out)} not installed: make peers")
        if out:
            console.print(f"left out, not installed (make peers): {', '.join(out)}")
        who = [one for one in who if one not in out]
    tables = [data_sets.read_set(name, folder) for name in names]
    change = {"shuffled": shuffle, "failing": fails}
    console.print(
        f"{seeds} seeds: medians, with 95 % by bootstrap; ratios pair the seeds"
    )
    scores = contest.contest(tables, who, seeds, change, results)
    for line in contest.report(scores):
        console.print(line, markup=False, highlight=False, soft_wrap=True)


@app.command()
def weighing(
    data: Annotated[
        Path | None,
        typer.Option(metavar="DIR", help="Where the tables lie [../shared/data]."),
    ] = None,
    sets: Annotated[str, typer.Option(help="Of tables, with commas.")] = "all",
    seeds: Annotated[int, typer.Option(min=1, help="Searches of each.")] = 10,
) -> None:
    """Count what a search spends that is told of the cost, or of what is believed."""
    from orchestrator.benches.data_sets import data_folder
    from orchestrator.benches.weighing import COSTS, weighing

    names = _chosen("--sets", sets, list(COSTS))
    console.print(
        f"{seeds} seeds: medians, 95 % by bootstrap; ratios to the first line"
    )
    for line in weighing(names, data_folder(data), seeds):
        console.print(line, markup=False, highlight=False, soft_wrap=True)


@app.command()
def proposing(
    molecules: Annotated[
        int, typer.Option(min=100, help="In the pool of molecules.")
    ] = 22_000,
    mixed: Annotated[
        int, typer.Option(min=100, help="In the pool that four numbers go with.")
    ] = 5_000,
    combinations: Annotated[
        list[float] | None,
        typer.Option(min=1e4, max=1e9, help="Of four choices; as often as you like."),
    ] = None,
    numbers: Annotated[
        int, typer.Option(min=0, max=4, help="That go with these combinations.")
    ] = 0,
    rows: Annotated[
        list[int] | None,
        typer.Option(min=100, help="In a list of candidates; as often as you like."),
    ] = None,
    device: Annotated[
        str, typer.Option(help="Where large spaces are screened: cpu or cuda.")
    ] = "cpu",
    single: Annotated[
        bool, typer.Option("--single", help="Screen them in single precision.")
    ] = False,
) -> None:
    """Time a batch of four from thousands of molecules, after 80 observations.

    With --combinations or --rows, from those instead.
    """
    from orchestrator.benches import proposing
    from planners.bayes.screen import device as device_of
    from planners.question import BadQuestion

    try:
        device_of(device)
    except BadQuestion as error:
        raise Refused(f"--device: {error}") from error
    how = {"on": device, "single": single}
    each = [proposing.combined(one, numbers, how) for one in combinations or ()]
    each += [proposing.listed(one, how) for one in rows or ()]
    if not each:
        each += proposing.screened(molecules, mixed, how)
    table = Table(box=None, pad_edge=False, header_style="bold")
    table.add_column("space")
    table.add_column("preparing, CPU s", justify="right")
    table.add_column("batch of four, CPU s", justify="right")
    table.add_column("peak, MB", justify="right")
    for one in each:
        table.add_row(
            one.name, f"{one.ready:.1f}", f"{one.answered:.2f}", f"{one.peak:.0f}"
        )
    console.print(table)


@app.command()
def loop(
    campaign: Annotated[
        Path, typer.Option(help="Whose space, recipe and objective it is.")
    ] = Path("lab_configs/pedot_pss/campaign.yaml"),
    against: Annotated[str, typer.Option(help="Who searches, with commas.")] = "all",
    seeds: Annotated[int, typer.Option(min=1, help="Campaigns of each.")] = 5,
    trials: Annotated[int, typer.Option(min=1, help="Of each campaign.")] = 40,
    in_flight: Annotated[
        int, typer.Option(min=1, help="Trials under way at once.")
    ] = 3,
    to: Annotated[
        list[Path] | None,
        typer.Option(metavar="FILE", help="Keep the curves: .csv, .png or .svg."),
    ] = None,
) -> None:
    """Run the loop's own campaign without a lab: best true conductivity over trials."""
    from orchestrator.benches import contest, learning_curves
    from orchestrator.config.read_campaign import load_campaign

    who = _chosen("--against", against, list(contest.INSIDE))
    for path in to or ():
        learning_curves.check_ending(path)
    search = learning_curves.Search(
        load_campaign(campaign, check_drivers=False), trials, in_flight
    )
    found = []
    for one in learning_curves.curves(search, who, seeds):
        found.append(one)
        console.print(
            f"seed {one.seed}  {one.contestant:8}{one.best[-1]:6.0f} S/cm after {trials} "
            f"trials, {one.seconds:.1f} CPU s"
        )
    head, *rows = learning_curves.table(found)
    table = Table(box=None, pad_edge=False, header_style="bold")
    for column in head:
        table.add_column(column, justify="left" if column == head[0] else "right")
    for row in rows:
        table.add_row(*row)
    console.print(
        f"\n{seeds} seeds, {trials} trials, {search.initial} of them by design, "
        f"{in_flight} in flight: best true conductivity in S/cm, geometric mean with "
        "95 % by bootstrap over seeds",
        highlight=False,
        soft_wrap=True,
    )
    console.print(table)
    for path in to or ():
        learning_curves.write(found, path)


def _chosen(option: str, text: str, known: Sequence[str]) -> list[str]:
    """Return the names of a list with commas, or refuse one that is not known."""
    if text == "all":
        return list(known)
    names = [one.strip() for one in text.split(",")]
    for name in names:
        if name not in known:
            raise Refused(f"{option}: {name!r} is not one of {', '.join(known)}")
    return names
