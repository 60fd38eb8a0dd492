"""Who proposes, from the key `planner` of a campaign, with what it is told beforehand."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path

from orchestrator.config.forms import PlannerForm
from orchestrator.config.models import PlannerChoice
from orchestrator.config.read_earlier import EarlierFile, read_earlier
from orchestrator.config.strict_yaml import Source, Where, near
from orchestrator.errors import ConfigError
from orchestrator.lab import LEARNING, PLANNERS
from planners.data import Objective
from planners.desirability import Desirability, quantities
from planners.space import Space


def no_replicates(objectives: Sequence[Objective]) -> str:
    """Return why no candidate can be proposed again, ``""`` where it can."""
    if len(objectives) == 1 and not isinstance(objectives[0], Desirability):
        return ""
    names = ", ".join(one.name for one in quantities(objectives))
    return f"proposed with one objective only; there are {names}"


def no_wanted(objectives: Sequence[Objective], *, replicates: bool) -> str:
    """Return why several good candidates cannot be wanted, ``""`` where they can."""
    if len(objectives) > 1:
        names = ", ".join(one.name for one in objectives)
        return f"several good ones of one objective only; there are {names}"
    return "leave out replicates: they are made of one best" if replicates else ""


def read_planner(
    source: Source, form: PlannerForm, space: Space, objectives: tuple[Objective, ...]
) -> PlannerChoice:
    """Read who proposes, and the tables of earlier campaigns that it begins with."""
    if form.name not in PLANNERS:
        rule = f"no such planner: {near(form.name, PLANNERS)}"
        raise source.refusal(("planner", "name"), form.name, rule)
    asked = {
        "replicates": form.replicates,
        "earlier": form.earlier,
        "wanted": form.wanted > 1,
    }
    for key, value in asked.items():
        if value and form.name not in LEARNING:
            rule = f"planner {form.name} learns nothing: leave it out"
            raise source.refusal(("planner", key), getattr(form, key), rule)
    if form.replicates and (why := no_replicates(objectives)):
        raise source.refusal(("planner", "replicates"), form.replicates, why)
    if form.wanted > 1 and (why := no_wanted(objectives, replicates=form.replicates)):
        raise source.refusal(("planner", "wanted"), form.wanted, why)
    earlier = tuple(_earlier(source, form, space, objectives))
    return PlannerChoice(
        form.name, form.initial, form.seed, form.replicates, earlier, form.wanted
    )


def _earlier(
    source: Source, form: PlannerForm, space: Space, objectives: tuple[Objective, ...]
) -> Iterator[EarlierFile]:
    names: set[str] = set()
    for index, name in enumerate(form.earlier):
        where: Where = ("planner", "earlier", index)
        if Path(
            name
        ).is_absolute():  # the copy that a campaign makes would still say it
            rule = "say where it is seen from this file, so that a copy can be kept"
            raise source.refusal(where, name, rule)
        path = source.beside(where, name)
        if path.stem in names:
            rule = f"{path.stem} is there already: give each file a name of its own"
            raise source.refusal(where, name, rule)
        names.add(path.stem)
        try:
            yield read_earlier(path, space, objectives)
        except ConfigError as error:
            raise ConfigError(f"{source.place(*where)}: {error}") from error
