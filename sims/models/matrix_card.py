"""A matrix card of latching relays: they stay as they are until told otherwise."""

from __future__ import annotations

ROWS, COLUMNS = 6, 8
EXTRA = (49, 50)
"""Two more relays, from rows 2 and 1 to the meter's own sense and input."""
ACTUATION = 0.003
"""Bench seconds that one relay takes; the drive closes them one after the other."""
LIFE = 10**8


class MatrixCard:
    """Six rows, eight columns, a relay at each crossing."""

    channels = frozenset(range(1, ROWS * COLUMNS + 1)) | frozenset(EXTRA)

    def __init__(self) -> None:
        self.closed: set[int] = set()
        self.cycles = dict.fromkeys(self.channels, 0)

    def close(self, channels: frozenset[int]) -> frozenset[int]:
        """Close relays; return those that moved."""
        moved = frozenset(channels - self.closed)
        self.closed |= moved
        for channel in moved:
            self.cycles[channel] += 1
        return moved

    def open(self, channels: frozenset[int]) -> frozenset[int]:
        """Open relays; return those that moved."""
        moved = frozenset(channels & self.closed)
        self.closed -= moved
        return moved

    def crosspoints(self) -> frozenset[tuple[int, int]]:
        """Return which (row, column), from 1, are joined."""
        return frozenset(
            ((channel - 1) // COLUMNS + 1, (channel - 1) % COLUMNS + 1)
            for channel in self.closed
            if channel <= ROWS * COLUMNS
        )
