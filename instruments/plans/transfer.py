"""Carry a sample from one slot to another."""

from __future__ import annotations

from typing import Any

from bluesky import plan_stubs as bps

from instruments.plans.places import Place
from instruments.plans.rest import Plan, at_rest, cross, irrevocable, set_to


def transfer(gantry: Any, *, source: Place, target: Place) -> Plan:
    """Take the sample out of ``source`` and put it down in ``target``.

    Moves cross the bench at the top only. The gripper has no sensor: whether it holds
    a sample is for the one who knows what lies in which slot. Gripping and letting go
    are marked, so that it is known how far a transfer came.
    """
    yield from at_rest(_transfer(gantry, source, target), gantry=gantry)


def put_away(gantry: Any, *, target: Place) -> Plan:
    """Put the sample that the gripper holds down in ``target``."""
    yield from at_rest(_put_away(gantry, target), gantry=gantry)


def _put_away(gantry: Any, target: Place) -> Plan:
    yield from bps.trigger(gantry, wait=True)
    yield from _put_down(gantry, target)


def _transfer(gantry: Any, source: Place, target: Place) -> Plan:
    yield from bps.trigger(gantry, wait=True)
    yield from cross(gantry, source.x, source.y)
    yield from set_to(gantry.gripper, "open")
    yield from set_to(gantry.at, source.at)
    yield from irrevocable("grip", set_to(gantry.gripper, "closed"))
    yield from bps.trigger_and_read([gantry])
    yield from _put_down(gantry, target)


def _put_down(gantry: Any, target: Place) -> Plan:
    yield from cross(gantry, target.x, target.y)
    yield from set_to(gantry.at, target.at)
    yield from irrevocable("release", set_to(gantry.gripper, "open"))
    yield from bps.trigger_and_read([gantry])
    yield from cross(gantry, target.x, target.y)
