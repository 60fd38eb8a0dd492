"""What the terminal shows: live progress of a campaign, its status, its best recipe."""

from __future__ import annotations

import textwrap
import time
from collections.abc import Iterator, Sequence
from types import TracebackType
from typing import Self

from rich.console import Console, Group, RenderableType
from rich.live import Live
from rich.progress_bar import ProgressBar
from rich.table import Table
from rich.text import Text

from orchestrator import units
from orchestrator.campaign import Progress, Trial
from orchestrator.launcher import View
from orchestrator.recipes import parameter_texts
from orchestrator.records import TrialStatus
from orchestrator.replay import Difference, Replayed
from orchestrator.versions import versions
from planners.data import Objective
from planners.space import Space


def best(progress: Progress, objective: Objective) -> Trial | None:
    """Return the trial with the best observed value of an objective, or None."""
    sign = 1.0 if objective.direction == "maximise" else -1.0

    def merit(trial: Trial) -> float:
        estimates = trial.observation.estimates if trial.observation else {}
        one = estimates.get(objective.name)
        return float("-inf") if one is None else sign * one.value

    found = max(progress.observed, key=merit, default=None)
    return None if found is None or merit(found) == float("-inf") else found


def value_text(trial: Trial, objective: Objective) -> str:
    """Return an observed objective with its uncertainty and unit."""
    if trial.observation is None or objective.name not in trial.observation.estimates:
        return "—"
    one = trial.observation.estimates[objective.name]
    return units.show(one.value, objective.unit, one.std)


def seconds_text(seconds: float) -> str:
    """Return a length of time as a person says it."""
    minutes, rest = divmod(round(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    if hours:
        return f"{hours} h {minutes:02d} min"
    return f"{minutes} min {rest:02d} s" if minutes else f"{rest} s"


class Screen:
    """Live progress on a terminal; one line a trial where there is no terminal."""

    def __init__(self, console: Console) -> None:
        self._console = console
        self._live = Live(console=console, refresh_per_second=4, transient=True)
        self._told: set[str] = set()
        self._greeted = False

    def __enter__(self) -> Self:
        if self._console.is_terminal:
            self._live.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()

    def close(self) -> None:
        """Take the live part of the screen away; what was printed stays."""
        self._live.stop()

    def show(self, view: View) -> None:
        """Show how a campaign stands."""
        if not self._greeted:
            self._greeted = True
            where = f" · Prefect UI {view.url}" if view.url else ""
            self._console.print(
                f"[bold]{view.id}[/bold] · {view.trials} trials · bench clock "
                f"x{view.speed:g}{where}",
                soft_wrap=True,
            )
        for trial in view.progress.trials.values():
            if not trial.in_flight and trial.id not in self._told:
                self._told.add(trial.id)
                self._console.print(_line(trial, view), soft_wrap=True)
        if self._console.is_terminal:
            self._live.update(_panel(view))


def _line(trial: Trial, view: View) -> Text:
    objective = view.campaign.objectives[0]
    text = Text(f"{trial.id}  ")
    if trial.status is TrialStatus.OBSERVED:
        text.append(f"{value_text(trial, objective):>22}", "green")
        recipe = ", ".join(
            value for _, value in parameter_texts(trial.candidate, view.campaign.space)
        )
        text.append(f"   {recipe}", "dim")
    else:
        reason = textwrap.shorten(trial.reason, 200, placeholder=" …")
        text.append(f"{trial.status}: {reason}", "red")
    return text


def _panel(view: View) -> RenderableType:
    progress = view.progress
    ended = [trial for trial in progress.trials.values() if not trial.in_flight]
    stations = Table(box=None, pad_edge=False, header_style="dim")
    for column in ("station", "sample", "step", "trial"):
        stations.add_column(column)
    doing = {act.station: act for act in progress.acting.values()}
    for name, station in view.campaign.lab.stations.items():
        if not station.operations:
            continue
        act = doing.get(name)
        if act is None and name in progress.out:
            reason = textwrap.shorten(progress.out[name].reason, 100, placeholder=" …")
            stations.add_row(Text(name, "red"), "", f"out of service: {reason}", "")
        elif act is None:
            stations.add_row(Text(name, "dim"), "", "", "")
        else:
            sample = act.sample.rpartition("/")[2]
            stations.add_row(Text(name, "cyan"), sample, act.step, act.trial)
    objective = view.campaign.objectives[0]
    top = best(progress, objective)
    best_text = (
        "none yet" if top is None else f"{value_text(top, objective)} ({top.id})"
    )
    head = Table.grid(padding=(0, 2))
    head.add_row(
        f"trial {len(ended)} of {view.trials}",
        ProgressBar(total=view.trials, completed=len(ended), width=30),
        f"best so far {best_text}",
        f"time left {_left(view, len(ended))}",
    )
    return Group(Text(), head, stations, *waiting(progress, view.id))


def waiting(progress: Progress, campaign: str) -> list[Text]:
    """Return what waits for a person, with the command that answers it."""
    lines = []
    if progress.held:
        lines.append(
            Text(f"{progress.held}; polyloop resume {campaign} ends it", "yellow")
        )
    for trial in progress.in_flight:
        if trial.resting:
            command = f"polyloop resume {campaign} --sample {trial.home}"
            lines.append(Text(f"{trial.sample} is paused; {command}", "yellow"))
    for question in progress.questions.values():
        if not question.answer:
            command = (
                f"polyloop answer {campaign} {question.id} happened|did-not|discard"
            )
            lines.append(Text(f"{question.text}\n  {command}", "bold yellow"))
    return lines


def _left(view: View, ended: int) -> str:
    elapsed = time.time() - view.began
    if ended < 2:
        return "…"
    return seconds_text(elapsed / ended * max(view.trials - ended, 0))


def trials_table(
    progress: Progress, space: Space, objectives: Sequence[Objective]
) -> Table:
    """Return all trials as a table: status, objectives, parameters."""
    table = Table(header_style="bold", box=None, pad_edge=False)
    table.add_column("trial")
    table.add_column("status")
    for objective in objectives:
        table.add_column(objective.name, justify="right")
    table.add_column("recipe, or reason of the failure")
    for trial in progress.trials.values():
        recipe = ", ".join(
            value for _, value in parameter_texts(trial.candidate, space)
        )
        table.add_row(
            trial.id,
            trial.status.value,
            *(value_text(trial, objective) for objective in objectives),
            Text(trial.reason, "red") if trial.reason else recipe,
        )
    return table


def best_table(trial: Trial, space: Space, objective: Objective) -> Table:
    """Return the best recipe, each amount with its unit."""
    table = Table(box=None, pad_edge=False, show_header=False)
    table.add_column(style="dim")
    table.add_column()
    table.add_row(
        f"best {objective.name}", Text(value_text(trial, objective), "bold green")
    )
    table.add_row("trial, sample", f"{trial.id}, {trial.sample}")
    for one in trial.measurements:
        if one.believed and one.quantity != objective.name:
            text = units.show(one.value, one.unit, one.std)
            table.add_row(one.quantity.replace("_", " "), text)
    for name, value in parameter_texts(trial.candidate, space):
        table.add_row(name, value)
    return table


def replay_report(
    name: str, proposals: Sequence[Replayed], space: Space
) -> RenderableType:
    """Return what a replay has found: its verdict, the first difference, versions."""
    differing = [one for one in proposals if one.differences]
    candidates = sum(len(one.call.answer) for one in proposals)
    seconds = sum(one.seconds for one in proposals)
    verdict = (
        Text(f"{len(differing)} of them differ", "bold red")
        if differing
        else Text("the same candidates in the same order", "bold green")
    )
    parts: list[RenderableType] = [
        Text.assemble(
            (name, "bold"),
            f": {len(proposals)} proposals ({candidates} candidates) made again in "
            f"{seconds:.1f} s; ",
            verdict,
        )
    ]
    if differing:
        parts += [Text(), *_difference(differing[0], space)]
    return Group(*parts, Text(), _versions_table(proposals))


def _difference(one: Replayed, space: Space) -> Iterator[RenderableType]:
    """Yield what is different in a proposal, up to its first other candidate."""
    yield Text(f"first difference: proposal {one.call.number}")
    for difference in one.differences:
        yield Text(f"{difference.trial}: {difference.kind}: {difference.text}")
        if difference.recorded is not None:
            yield _side_by_side(difference, space)
            return


def _side_by_side(difference: Difference, space: Space) -> Table:
    """Return a recorded and a replayed candidate, each value with its unit."""
    table = Table(box=None, pad_edge=False, header_style="dim")
    for column in ("parameter", "recorded", "replayed"):
        table.add_column(column)
    for parameter in space.parameters:
        texts = []
        for candidate in (difference.recorded, difference.replayed):
            value = candidate.values.get(parameter.name, "—") if candidate else "—"
            unit = getattr(parameter, "unit", "")
            texts.append(value if isinstance(value, str) else _exactly(value, unit))
        style = "" if texts[0] == texts[1] else "red"
        table.add_row(parameter.name.replace("_", " "), *texts, style=style)
    return table


def _exactly(value: float, unit: str) -> str:
    return f"{value!r} {units.pretty(unit)}".strip()


def _versions_table(proposals: Sequence[Replayed]) -> Table:
    """Return the versions that the proposals were made with, and those of now."""
    table = Table(box=None, pad_edge=False, header_style="dim")
    for column in ("version of", "recorded", "here"):
        table.add_column(column)
    for name, here in versions().items():
        found = dict.fromkeys(
            one.call.versions.get(name, "not recorded") for one in proposals
        )
        recorded = ", then ".join(found) or "not recorded"
        style = "" if recorded in (here, "not recorded") else "yellow"
        table.add_row(name, recorded, here, style=style)
    return table
