"""What a campaign weighs gains by, for people: what trials cost, and what is believed."""

from __future__ import annotations

from collections.abc import Iterator

from orchestrator import units
from orchestrator.config.models import Campaign
from planners.cost import loaded_by
from planners.data import Candidate


def weighing_lines(campaign: Campaign, candidate: Candidate) -> Iterator[str]:
    """Yield what a candidate costs, and where the best is believed to be."""
    cost, beliefs, space = campaign.cost, campaign.beliefs, campaign.space
    if cost is not None:
        whole = cost.of(candidate, space)
        once = whole - cost.of(candidate, space, loaded_by([candidate], space))
        text = f"cost: {units.show(whole, cost.unit)} for this candidate"
        if once > 0.0:
            text += f", {units.show(once, cost.unit)} of it for what is used first"
        yield text
    if beliefs is not None:
        unit_of = {real.name: real.unit for real in space.reals}
        for name, near in beliefs.numbers.items():
            unit = unit_of[name]
            width = units.show(
                near.within * units.stretch(unit, units.interval(unit)),
                units.interval(unit),
            )
            yield f"believed: {name} near {units.show(near.value, unit)}, within {width}"
        for name, odds in beliefs.options.items():
            said = ", ".join(f"{option} x {one:g}" for option, one in odds.items())
            yield f"believed: {name} {said}"
