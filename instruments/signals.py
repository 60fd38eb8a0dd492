"""What bluesky sees of an instrument: values with units, and verbs that are set.

ophyd's own signals describe themselves without units; documents without units are
of no use to an analysis, so ours always carry them. A reading is cached: the driver
asks the instrument in `trigger` or while it waits, and keeps what was answered.

Neither kind of signal has a ``stop``. bluesky stops whatever it has set at the end of
every run, also of a good one; a hotplate must stay hot between two runs, so only the
device has a ``stop``, and only a failure or a station calls it.
"""

from __future__ import annotations

import time
from typing import Any

from ophyd import Kind, Signal
from ophyd.status import DeviceStatus
from ophyd.utils import ReadOnlyError


class ReadBack(Signal):  # type: ignore[misc]  # ophyd has no types
    """A value as the instrument last told it.

    Parameters
    ----------
    units:
        Text that the hall's unit registry reads; ``""`` for a text or a plain count.
    precision:
        Decimals that mean something.
    value:
        Before the first answer; also says what kind of value it is.
    """

    def __init__(
        self,
        *,
        units: str,
        precision: int | None = None,
        value: Any = 0.0,
        kind: Kind | str = Kind.normal,
        **words: Any,
    ) -> None:
        super().__init__(value=value, kind=kind, **words)
        self.units = units
        self.precision = precision
        self._metadata.update(write_access=False, precision=precision)

    def keep(self, value: Any, timestamp: float | None = None) -> None:
        """Keep what the instrument answered; the driver's own method."""
        moment = time.time() if timestamp is None else timestamp
        Signal.put(self, value, timestamp=moment, force=True)

    def set(self, value: Any, **words: Any) -> DeviceStatus:
        """Refuse: a reading is not set."""
        raise ReadOnlyError(f"{self.name}: a reading cannot be set")

    def describe(self) -> dict[str, dict[str, Any]]:
        """Return the description, with units and, where known, precision."""
        description: dict[str, dict[str, Any]] = super().describe()
        entry = description[self.name]
        entry["units"] = self.units
        entry["source"] = f"instrument:{self.name}"
        if self.precision is not None:
            entry["precision"] = self.precision
        return description


class Verb(ReadBack):
    """A value that can be set: the device is told, and says when it is so.

    Parameters
    ----------
    begin:
        Name of the device's method that checks the value, tells the instrument and
        returns the status.
    """

    def __init__(self, *, begin: str, **words: Any) -> None:
        super().__init__(**words)
        self._begin = begin

    def set(self, value: Any, **words: Any) -> DeviceStatus:
        """Have the device do it; done when the instrument says so."""
        status: DeviceStatus = getattr(self.parent, self._begin)(value, **words)
        return status
