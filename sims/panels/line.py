"""A line that several instruments hang on: one port, RS-485 or a daisy chain.

In the bench file ``pumps: {panel: line, port: ports/pumps}``, and after it each instrument
with ``line: pumps`` instead of a port. All hear everything; who is addressed answers. Two
that answer at once are not modelled, so two of one address are refused.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, ClassVar

from sims.panel import Message, Panel
from sims.spec import BadBench

if TYPE_CHECKING:
    from sims.bench import Bench


class Line(Panel):
    """The port; what is said on it goes through the cable of each instrument."""

    kinds: ClassVar[frozenset[str]] = frozenset()

    def __init__(self, name: str, bench: Bench, settings: Mapping[str, Any]) -> None:
        super().__init__(name, bench, settings)
        self.members: dict[str, Panel] = {}

    def join(self, member: Panel) -> None:
        for other in self.members.values():
            if address(other) == address(member):
                raise BadBench(
                    f"instruments.{member.name}.address: {address(member)} is that of "
                    f"{other.name} on line {self.name}"
                )
        self.members[member.name] = member

    def opened(self) -> None:
        for name in self.members:
            self.bench.cables[name].opened()

    def closed(self) -> None:
        for name in self.members:
            self.bench.cables[name].closed()

    def receive(self, data: bytes) -> None:
        for name in self.members:
            self.bench.take(name, data)

    def cut(self, data: bytes) -> tuple[list[Message], bytes]:
        return [], b""


def address(panel: Panel) -> Any:
    """Return the address of an instrument, as its settings state it."""
    return panel.settings.get("address")


PANEL = Line
