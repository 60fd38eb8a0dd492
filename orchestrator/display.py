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
from orchestrator.best import best_trials, gain_left, none_yet
from orchestrator.campaign import Progress, Trial, by_text
from orchestrator.config.models import Campaign
from orchestrator.desirable import desirability_of, parts
from orchestrator.launcher import View
from orchestrator.recipes import parameter_texts
from orchestrator.records import TrialStatus
from orchestrator.replay import Difference, Replayed
from orchestrator.versions import versions
from planners.data import Limit, Objective
from planners.desirability import quantities
from planners.space import Space

MARK = "*"
"""Beside the best trials in a table."""

NAMED = 5
"""So many of the best trials are named in a line, at most."""


def value_text(trial: Trial, wanted: Objective | Limit) -> str:
    """Return what was observed of an objective or limit, with uncertainty and unit."""
    if trial.observation is None or wanted.name not in trial.observation.estimates:
        return "—"
    one = trial.observation.estimates[wanted.name]
    return units.show(one.value, wanted.unit, one.std)


def recipe_text(trial: Trial, space: Space) -> str:
    """Return the values of a candidate, and where it came from if that is unusual."""
    texts = [value for _, value in parameter_texts(trial.candidate, space)]
    by = f"{trial.whence}: " if trial.whence else ""
    return f"{by}{', '.join(texts)}"


def best_word(progress: Progress, campaign: Campaign) -> str:
    """Return a line that says which trials are the best."""
    best = best_trials(progress, campaign.objectives, campaign.limits)
    if not best:
        return f"best: {none_yet(progress, campaign.objectives, campaign.limits)}"
    within = " within the limits" if campaign.limits else ""
    if len(campaign.objectives) == 1:
        value = value_text(best[0], campaign.objectives[0])
        gain = gain_left(progress, campaign.objectives)
        return f"best{within}: {value} ({best[0].id}){f'; {gain}' if gain else ''}"
    names = ", ".join(trial.id for trial in best[:NAMED])
    more = f" and {len(best) - NAMED} more" if len(best) > NAMED else ""
    return f"best{within}, beaten by no other: {names}{more}"


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
    text = Text(f"{trial.id}  ")
    if trial.status is TrialStatus.OBSERVED:
        for wanted in _wanted(view.campaign):
            text.append(f"{value_text(trial, wanted):>22}", "green")
        text.append(f"   {recipe_text(trial, view.campaign.space)}", "dim")
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
    head = Table.grid(padding=(0, 2))
    head.add_row(
        f"trial {len(ended)} of {view.trials}",
        ProgressBar(total=view.trials, completed=len(ended), width=30),
        best_word(progress, view.campaign),
        f"time left {_left(view, len(ended))}",
    )
    space = view.campaign.space
    return Group(Text(), head, stations, *waiting(progress, view.id, space))


def waiting(progress: Progress, campaign: str, space: Space) -> list[Text]:
    """Return what waits to be made, and for a person with the command that answers it."""
    lines = []
    for one in () if progress.good else progress.suggested.values():
        texts = [value for _, value in parameter_texts(one.candidate, space)]
        command = f"polyloop suggest {campaign} --withdraw {one.id} withdraws it"
        text = f"to be made, {by_text(one)}: {', '.join(texts)}"
        lines.append(Text(f"{text}\n  {command}", "cyan"))
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


def trials_table(progress: Progress, campaign: Campaign) -> Table:
    """Return all trials as a table: status, objectives, limits, parameters.

    The best are marked.
    """
    best = {
        one.id for one in best_trials(progress, campaign.objectives, campaign.limits)
    }
    table = Table(header_style="bold", box=None, pad_edge=False)
    table.add_column("trial")
    table.add_column("status")
    wanted = _wanted(campaign)
    for one in wanted:
        table.add_column(one.name.replace("_", " "), justify="right")
    table.add_column("recipe, or reason of the failure")
    for trial in progress.trials.values():
        by = f"{trial.whence}: " if trial.whence else ""
        table.add_row(
            f"{trial.id} {MARK}" if trial.id in best else trial.id,
            trial.status.value,
            *(value_text(trial, one) for one in wanted),
            Text(f"{by}{trial.reason}", "red")
            if trial.reason
            else Text(recipe_text(trial, campaign.space)),
        )
    return table


def _wanted(campaign: Campaign) -> list[Objective | Limit]:
    """Return the objectives, what one is made of, and the limits on other quantities."""
    wanted = {
        one.name: one
        for one in (*campaign.objectives, *quantities(campaign.objectives))
    }
    limits = [one for one in campaign.limits if one.name not in wanted]
    return [*wanted.values(), *limits]


def best_table(progress: Progress, campaign: Campaign) -> RenderableType:
    """Return the best recipe, each amount with its unit; of several objectives, a line each."""
    best = best_trials(progress, campaign.objectives, campaign.limits)
    if len(campaign.objectives) == 1 and best:
        return _recipe_table(best[0], campaign.space, campaign.objectives[0])
    lines = [Text(best_word(progress, campaign), "bold green")]
    for trial in best:
        values = (
            f"{one.name.replace('_', ' ')} {value_text(trial, one)}"
            for one in _wanted(campaign)
        )
        line = Text(f"{trial.id}  {', '.join(values)}")
        lines.append(line.append(f"   {recipe_text(trial, campaign.space)}", "dim"))
    return Group(*lines)


def _recipe_table(trial: Trial, space: Space, objective: Objective) -> Table:
    table = Table(box=None, pad_edge=False, show_header=False)
    table.add_column(style="dim")
    table.add_column()
    table.add_row(
        f"best {objective.name}", Text(value_text(trial, objective), "bold green")
    )
    table.add_row("trial, sample", f"{trial.id}, {trial.sample}")
    if trial.suggestion is not None:
        table.add_row("suggested", by_text(trial.suggestion))
    whole = desirability_of([objective])
    shares = {one.name: one for one in parts(whole, trial)} if whole else {}
    for one in trial.measurements:
        if one.believed and one.quantity != objective.name:
            text = units.show(one.value, one.unit, one.std)
            if part := shares.get(one.quantity):
                text = f"{part.value}, desirability {part.share:.2f}"
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
