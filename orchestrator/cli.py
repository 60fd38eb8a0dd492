"""The command ``polyloop``.

Exit codes: 0 done, 1 the campaign ended in failure or a replay differs, 2 refused input.
"""

from __future__ import annotations

import os
import sys
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer
from rich.console import Console
from rich.table import Table

from orchestrator.analyse_file import analyse
from orchestrator.benches.cli import app as benches
from orchestrator.errors import PolyloopError, Refused
from orchestrator.operator_commands import (
    DATA,
    Data,
    Id,
    SampleName,
    StationName,
    Who,
    answer,
    clear,
    discard,
    drain,
    estop,
    inbox,
    pause,
    subject_of,
    suggest,
)
from orchestrator.person import me

if TYPE_CHECKING:
    from orchestrator.campaign import Progress
    from orchestrator.config.models import Campaign
    from orchestrator.ledger import Event

app = typer.Typer(
    name="polyloop",
    help="Closed-loop lab orchestrator for functional polymers.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
)
app.add_typer(benches, name="bench")
console = Console()

LEDGER = "POLYLOOP_LEDGER"  # as in orchestrator.database, which is slow to import
Speed = Annotated[
    float | None,
    typer.Option(
        help="Clock of a simulated bench (default 200); refused for real labs."
    ),
]
Bench = Annotated[
    Path | None,
    typer.Option(
        "--bench",
        help="Use the bench that `polyloop sim` holds open in this directory.",
    ),
]
Ui = Annotated[bool, typer.Option("--ui/--no-ui", help="Serve the Prefect UI.")]


@app.command()
def check(
    path: Annotated[Path, typer.Argument(metavar="CAMPAIGN.yaml")],
) -> None:
    """Validate campaign, lab and recipe; print one compiled recipe. No port is touched."""
    from orchestrator.config.read_campaign import load_campaign
    from orchestrator.recipes import compile_recipe, recipe_table, safety_lines
    from orchestrator.weighed import weighing_lines
    from planners.baseline import RandomPlanner

    campaign = load_campaign(path)
    planner = RandomPlanner(campaign.space, campaign.objectives, campaign.planner.seed)
    candidate = planner.propose(1, observed=()).candidates[0]
    recipe = compile_recipe(campaign, candidate)
    console.print(recipe_table(recipe, campaign))
    for line in (
        *map(str, campaign.planner.earlier),
        *weighing_lines(campaign, candidate),
        *safety_lines(campaign),
    ):
        console.print(line, markup=False, highlight=False, soft_wrap=True)
    console.print(f"{path}: campaign, lab and recipe fit together")


@app.command()
def run(
    path: Annotated[Path, typer.Argument(metavar="CAMPAIGN.yaml")],
    trials: Annotated[int | None, typer.Option(help="Instead of the file's.")] = None,
    seed: Annotated[int | None, typer.Option(help="Instead of the file's.")] = None,
    speed: Speed = None,
    data: Data = DATA,
    ui: Ui = True,
    ledger: Annotated[
        str | None,
        typer.Option(
            envvar=LEDGER,
            metavar="URL",
            help="Of a new data directory's ledger, e.g. "
            "postgresql+psycopg://user@host/database; "
            "otherwise a file of SQLite in the data directory.",
        ),
    ] = None,
    bench: Bench = None,
) -> None:
    """Run a campaign: propose, make, measure, learn."""
    from orchestrator.launcher import Options, begin

    if ledger:  # so that every process of the campaign has the password too
        os.environ[LEDGER] = ledger
    options = Options(data, speed, ui, bench)
    _carry_out(begin(path, options, trials=trials, seed=seed), options)


@app.command()
def resume(
    campaign: Id,
    station: StationName = "",
    sample: SampleName = "",
    who: Who = "",
    speed: Speed = None,
    data: Data = DATA,
    ui: Ui = True,
    bench: Bench = None,
) -> None:
    """Go on with a campaign that was stopped or paused; put a station or sample back."""
    from orchestrator import control
    from orchestrator.fold import fold
    from orchestrator.launcher import Options
    from orchestrator.ledger import Ledger

    ledger = Ledger.of(data)
    name = ledger.find(campaign)
    if station or sample or control.is_running(data, name):
        subject = subject_of(ledger, name, station, sample, data)
        control.tell(ledger, name, "resume", subject, who=who or me())
        console.print(f"{subject.name or name}: resumed")
        return
    progress = fold(ledger.events(name))
    if progress.ended and progress.good:
        raise Refused(f"{campaign}: it has reached its end: {progress.ended}")
    _carry_out(campaign, Options(data, speed, ui, bench))


def _carry_out(name: str, options: object) -> None:
    from orchestrator.display import Screen
    from orchestrator.launcher import Options, carry_out

    assert isinstance(options, Options)  # noqa: S101
    screen = Screen(console)

    def at_end() -> None:
        screen.close()
        _summary(name, options.data)

    with screen:
        carry_out(name, options, screen.show, at_end)


@app.command()
def status(
    campaign: Annotated[str | None, typer.Argument()] = None, data: Data = DATA
) -> None:
    """Print how a campaign stands (the latest, unless one is named)."""
    from orchestrator import control
    from orchestrator.display import best_word, trials_table, waiting

    name, configured, progress, _ = _open(campaign, data)
    cut = "its process is gone; polyloop resume goes on with it"
    going = "under way" if control.is_running(data, name) else cut
    state = progress.ended or progress.paused or going
    console.print(f"[bold]{name}[/bold]: {len(progress.trials)} trials; {state}")
    for station, out in progress.out.items():
        console.print(f"station {station} is out of service: {out.reason}")
    for line in waiting(progress, name, configured.space):
        console.print(line, soft_wrap=True)
    console.print(trials_table(progress, configured))
    console.print(best_word(progress, configured), soft_wrap=True)


@app.command()
def export(
    campaign: Id,
    to: Annotated[Path, typer.Option(metavar="FILE.(csv|xlsx|json)")],
    data: Data = DATA,
) -> None:
    """Write a campaign as a table, with units."""
    from orchestrator.reporting.export import export as write

    _, _, _, events = _open(campaign, data)
    write(events, data, to)
    console.print(f"written: {to}")


@app.command()
def report(campaign: Id, data: Data = DATA) -> None:
    """Write the HTML report of a campaign."""
    from orchestrator.reporting.report import write_report

    _, _, _, events = _open(campaign, data)
    console.print(f"report: {write_report(events, data)}", soft_wrap=True)


@app.command()
def replay(campaign: Id, data: Data = DATA) -> None:
    """Make every decision of a campaign again, without a lab, and compare."""
    from orchestrator.display import replay_report
    from orchestrator.replay import Replayed, changed_files
    from orchestrator.replay import replay as again

    name, configured, progress, events = _open(campaign, data)
    changed = changed_files(events[0].data, data, name)
    proposals: list[Replayed] = []
    with console.status("asking the planner again") as line:
        for one in again(events, configured):
            proposals.append(one)
            last = list(one.call.answer)[-1]
            line.update(f"{last} of {len(progress.trials)} trials")
    console.print(replay_report(name, proposals, configured.space))
    for path in changed:
        text = f"{path}: no longer what it was when the campaign began"
        console.print(text, style="red", markup=False, soft_wrap=True)
    if changed or any(one.differences for one in proposals):
        raise typer.Exit(1)


@app.command()
def devices(
    path: Annotated[Path, typer.Argument(metavar="LAB.yaml")],
    capture: Annotated[
        Path | None,
        typer.Option(metavar="FILE", help="Write down every byte that is said."),
    ] = None,
) -> None:
    """Ask every instrument who it is; nothing moves."""
    from orchestrator.inspect_lab import identities

    table = Table(box=None, pad_edge=False, header_style="bold")
    for column in ("instrument", "driver", "port", "answers as", "readings"):
        table.add_column(column)
    with tempfile.TemporaryDirectory(prefix="polyloop-") as folder:
        for row in identities(path, Path(folder), capture):
            table.add_row(*row)
    console.print(table)


@app.command()
def sim(
    path: Annotated[Path, typer.Argument(metavar="LAB.yaml")],
    speed: Annotated[float, typer.Option(help="Bench seconds per second.")] = 1.0,
    directory: Annotated[
        Path, typer.Option("--dir", help="Where ports, drops and journals appear.")
    ] = Path("polyloop-bench"),
    seed: Annotated[int, typer.Option(help="Of the bench's noise.")] = 0,
) -> None:
    """Hold a simulated bench open for any other program; Ctrl-C ends it."""
    from orchestrator.inspect_lab import hold_bench

    hold_bench(path, directory, speed, seed)


@app.command()
def propose(
    path: Annotated[Path, typer.Argument(metavar="SPACE.yaml")],
    observed: Annotated[Path, typer.Argument(metavar="OBSERVED.csv")],
    n: Annotated[int, typer.Option("-n", min=1, help="How many to make next.")] = 1,
    seed: Annotated[int | None, typer.Option(help="Instead of the file's.")] = None,
    earlier: Annotated[
        list[Path] | None,
        typer.Option(
            metavar="FILE.csv",
            help="What an earlier campaign has found: half of the initial design.",
        ),
    ] = None,
    replicates: Annotated[
        bool, typer.Option("--replicates", help="Something may be made once more.")
    ] = False,
    wanted: Annotated[
        int, typer.Option(min=1, help="Good ones, instead of the best one.")
    ] = 1,
    device: Annotated[
        str, typer.Option(help="Where a large space is screened: cpu or cuda.")
    ] = "cpu",
    single: Annotated[
        bool, typer.Option("--single", help="Screen it in single precision.")
    ] = False,
) -> None:
    """Print what to make next as CSV, from a space and a table of results; no lab."""
    from orchestrator.config.read_earlier import read_earlier
    from orchestrator.config.read_planner import no_replicates, no_wanted
    from orchestrator.config.read_space import proposed, read_problem, read_told
    from planners.bayes.planner import BayesPlanner
    from planners.bayes.screen import device as device_of
    from planners.question import BadQuestion

    try:
        device_of(device)
    except BadQuestion as error:
        raise Refused(f"--device: {error}") from error
    problem = read_problem(path)
    if replicates and (why := no_replicates(problem.objectives)):
        raise Refused(f"--replicates: {why}")
    if wanted > 1 and (why := no_wanted(problem.objectives, replicates=replicates)):
        raise Refused(f"--wanted {wanted}: {why}")
    told = read_told(observed, problem)
    past = [
        read_earlier(one, problem.space, problem.objectives) for one in earlier or ()
    ]
    for file in past:
        typer.echo(file, err=True)
    seed = problem.seed if seed is None else seed
    try:
        planner = BayesPlanner(
            problem.space,
            problem.objectives,
            seed,
            problem.initial,
            limits=problem.limits,
            earlier=[file.told for file in past],
            replicates=replicates,
            wanted=wanted,
            cost=problem.cost,
            beliefs=problem.beliefs,
            on=device,
            single=single,
        )
        proposal = planner.propose(
            n, observed=told.observed, pending=told.pending, failed=told.failed
        )
    except BadQuestion as error:
        raise Refused(f"{observed}: {error}") from error
    for line in proposed(proposal, problem):
        typer.echo(line)
    if proposal.card.get("fallback"):
        typer.echo(proposal.card["fallback"], err=True)


for command in (analyse, pause, drain, discard, suggest, inbox, answer, estop, clear):
    app.command()(command)


def _open(
    campaign: str | None, data: Path
) -> tuple[str, Campaign, Progress, list[Event]]:
    from orchestrator.config.read_campaign import load_campaign
    from orchestrator.fold import fold
    from orchestrator.ledger import Ledger

    ledger = Ledger.of(data)
    name = ledger.find(campaign)
    events = ledger.events(name)
    configured = load_campaign(data / events[0].data["config"], check_drivers=False)
    return name, configured, fold(events), events


def _summary(name: str, data: Path) -> None:
    """Print what a campaign came to: best recipe, where the data is, the report."""
    from orchestrator.display import best_table
    from orchestrator.reporting.report import write_report

    name, configured, progress, events = _open(name, data)
    console.print()
    console.print(best_table(progress, configured), soft_wrap=True)
    ended = [trial for trial in progress.trials.values() if not trial.in_flight]
    failed = len(ended) - len(progress.observed)
    console.print(f"\n{len(progress.observed)} trials observed, {failed} failed")
    console.print(f"data    {data.resolve()}", soft_wrap=True)
    console.print(f"report  {write_report(events, data)}", soft_wrap=True)


def main() -> None:
    """Run the command; a refusal or failure is a message and an exit code."""
    try:
        app()
    except PolyloopError as error:
        _say_why(str(error), error.exit_code)
    except OSError as error:  # a full disk, a folder that may not be written
        _say_why(f"{error.filename or 'the computer'}: {error.strerror}", 1)


def _say_why(message: str, code: int) -> None:
    """Print what went wrong, and end with an exit code."""
    console = Console(stderr=True)
    console.print(message, style="red", markup=False, soft_wrap=True)
    sys.exit(code)


if __name__ == "__main__":
    main()
